from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgevision.converters.convert import convert
from edgevision.converters.metadata import read_metadata, write_entry, write_metadata
from edgevision.converters.source import load_source
from edgevision.datasets import Dataset
from edgevision.runtime.errors import InputError, ModelError
from edgevision.trainers import qat
from edgevision.trainers.train import _metadata, train
from tests.trainers import small


@pytest.fixture(scope="module")
def trained(few: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with an int8 model beside it: without validation examples the last pass is kept."""
    path = tmp_path_factory.mktemp("qat") / "m.keras"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            qat, "first_rate", lambda distance: 1e-2
        )  # far more than is good, so that it cannot be overlooked
        train(few, path, epochs=1, batch_size=20, qat=2, validation_split=0.0)
    return path


def test_the_int8_model_travels_in_the_file_and_is_exported_as_it_is(trained: Path, tmp_path: Path) -> None:
    source = load_source(trained)
    assert source.trained is not None
    found = read_metadata(trained)
    assert found is not None and found["provenance"]["qat"] == {"epochs": 2, "kept": 2, "figures": []}
    moved = [
        float(np.abs(op.weights[0] - source.trained.graph.ops[op.name].weights[0]).max() / np.abs(op.weights[0]).max())
        for op in source.graph
        if op.has_kernel
    ]
    assert max(moved) > 4 / 127, "training has moved weights by more than their rounding"

    images = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "c.npz", images=images)
    bundle = convert(trained, tmp_path / "c.npz", tmp_path / "m.edge", formats=["tflite"], precisions=["int8"])
    assert bundle.manifest.provenance["recipe"]["ranges"] == "trained"
    (artifact,) = bundle.manifest.artifacts
    assert artifact.parity is not None and artifact.parity.same_top1 == 1


@pytest.mark.slow
def test_a_validation_split_decides_whether_it_is_kept(few: Dataset, tmp_path: Path) -> None:
    train(few, tmp_path / "m.keras", epochs=1, qat=1, learning_rate=1e-3)
    found = read_metadata(tmp_path / "m.keras")
    assert found is not None
    record = found["provenance"]["qat"]
    assert len(record["figures"]) == 2
    assert (load_source(tmp_path / "m.keras").trained is not None) == bool(record["kept"])


def test_the_figure_that_the_recipe_names_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = iter(({"accuracy": 0.5, "loss": 2.0}, {"accuracy": 0.4, "loss": 1.0}))
    monkeypatch.setattr(qat, "_judged", lambda *given: next(figures))
    task, path = small.task(metric="loss"), tmp_path / "m.keras"
    task.built.model.save(path)
    write_metadata(path, _metadata(task, {}))
    assert qat.train_quantized(path, task, small.data(tmp_path), 1).kept == 1


def test_what_does_not_belong_to_the_model_is_refused(trained: Path, tmp_path: Path, few: Dataset) -> None:
    with zipfile.ZipFile(trained) as file:
        entry = file.read("edgevision-int8.npz")
    other = tmp_path / "other.keras"
    train(few, other, epochs=1, seed=5)
    write_entry(other, "edgevision-int8.npz", entry)
    with pytest.raises(ModelError, match="belongs to other weights"):
        load_source(other)
    write_entry(other, "edgevision-int8.npz", entry[: len(entry) // 2])
    with pytest.raises(ModelError, match=r"edgevision-int8\.npz in other\.keras is not usable"):
        load_source(other)


def test_fewer_than_no_epochs(few: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="qat is not usable: expected at least 0"):
        train(few, tmp_path / "m.keras", qat=-1)
