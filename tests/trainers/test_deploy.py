"""From data to a bundle in one call, and what the conversion is given."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edgevision.benchmarks.verify import Check, Verification
from edgevision.datasets import open_dataset
from edgevision.runtime.errors import ConversionError, OutputExistsError
from edgevision.trainers.deploy import deploy
from edgevision.trainers.train import train
from tests.trainers import small


def test_what_was_trained_on_calibrates_and_what_was_held_out_judges(tmp_path: Path) -> None:
    examples = small.data(tmp_path)
    assert examples.validation is not None
    paths = small.task().conversion_data(small.images(tmp_path), examples, tmp_path)
    for path, part, labels in zip(paths, (examples.train, examples.validation), ([0, 1] * 8, [0, 1] * 4)):
        assert path is not None
        found = open_dataset(path)
        assert found.labels == ("dark", "light") and found.targets.tolist() == labels
        assert all(np.array_equal(found[i].decode(), part[i].pixels) for i in range(len(part)))
    assert small.task().conversion_data(tmp_path / "few.npz", small.data(tmp_path, held=False), tmp_path)[1] is None


def test_data_with_splits_of_its_own_is_handed_on(tmp_path: Path) -> None:
    images = np.zeros((4, 12, 12, 3), np.uint8)
    path = tmp_path / "d.npz"
    np.savez(path, train_images=images, train_labels=[0, 1, 0, 1], test_images=images, test_labels=[0, 1, 0, 1])
    assert small.task().conversion_data(path, small.data(tmp_path), tmp_path) == (str(path), str(path))


def test_a_bundle_in_the_way_is_seen_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "m.edge").mkdir()
    for force in (False, True):
        with pytest.raises(OutputExistsError):
            train("no such data", tmp_path / "m.keras", to=tmp_path / "m.edge", force=force)


def test_a_bundle_that_does_not_repeat_its_golden_outputs_is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m.edge"
    checks = tuple(
        Check(name, "", "", 8, "", difference, 0.1, 0.05, 0)
        for name, difference in (("int8.onnx", 0.2), ("int8.xml", 0.0))
    )
    monkeypatch.setattr("edgevision.converters.convert.convert", lambda *_, **__: SimpleNamespace(path=out))
    monkeypatch.setattr("edgevision.benchmarks.verify.verify", lambda *_, **__: Verification("m.edge", 9, checks, {}))
    with pytest.raises(ConversionError, match=r"m\.edge does not repeat its golden outputs: got int8\.onnx; run"):
        deploy(tmp_path / "m.keras", "photos", None, out, False, lambda *_: None)


@pytest.mark.slow
def test_one_call_from_data_to_a_bundle(tmp_path: Path) -> None:
    result = train("digits", tmp_path / "m.keras", model="cnn-mnist", epochs=4, to=tmp_path / "m.edge")
    assert result.bundle is not None and result.latency is not None
    manifest = result.bundle.manifest
    assert manifest.gate is not None and manifest.gate.basis == "accuracy" and manifest.gate.images == 359
    assert manifest.gate.overlap == 0 and len(manifest.artifacts) == 6
    plain = result.to_dict()
    assert plain["bundle"] == str(tmp_path / "m.edge") and "artifacts" in str(plain["latency"])
