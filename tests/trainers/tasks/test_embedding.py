from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import edgevision
from edgevision.benchmarks.metrics.verification import equal_error, roc, sorted_pairs
from edgevision.converters.metadata import read_metadata
from edgevision.datasets import Dataset, open_dataset
from edgevision.runtime.errors import DatasetError, InputError
from edgevision.runtime.preprocess import normalize
from edgevision.runtime.spec import named_preprocessing
from edgevision.trainers.people import People, divided
from edgevision.trainers.tasks import guessed_task
from edgevision.trainers.tasks.embedding import Embedding
from edgevision.trainers.train import TrainingResult, settled, train
from tests.shared_data import shared_path

SMALL = {"width": 2, "dimensions": 8}
P = named_preprocessing("unit", 32, 24, 1)


@pytest.fixture(scope="module")
def faces() -> Dataset:
    """Six people of ten images each."""
    data = open_dataset(shared_path("orl_faces.zip"))
    return data.subset(np.flatnonzero(data.targets < 6))


def trained(data: Any, out: Path, **settings: Any) -> TrainingResult:
    told = {"task": "embedding", "options": SMALL, "input_size": (32, 24), "validation_split": 0.34, **settings}
    return train(data, out, **told)


def test_from_people_to_verification(faces: Dataset, tmp_path: Path) -> None:
    result = trained(faces, tmp_path / "m.keras", epochs=2)
    assert (result.images, result.val_images, result.labels, result.metric) == (40, 20, (), "eer")
    metadata = read_metadata(tmp_path / "m.keras")
    assert metadata is not None and metadata["head"]["kind"] == "embedding" and metadata["labels"] == []
    threshold = metadata["head"]["threshold"]
    model = keras.saving.load_model(tmp_path / "m.keras")
    assert not any("directions" in each.path for each in model.variables), "they are of people nobody will see again"

    _, held = divided(faces, 0.34, 0)
    assert held is not None
    people = People(held, P)
    pixels = people.pixels[:]
    vectors = model.predict_on_batch(normalize(pixels, P)).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = (vectors[people.pairs[:, 0]] * vectors[people.pairs[:, 1]]).sum(1)
    rate, expected = equal_error(roc(sorted_pairs(cosines, people.same)))
    assert threshold == pytest.approx(expected, abs=1e-4) and result.value == pytest.approx(rate, abs=1e-3)

    np.savez(tmp_path / "faces.npz", images=pixels)
    bundle = edgevision.convert(
        model, tmp_path / "faces.npz", tmp_path / "m.edge", head=metadata["head"], preprocess="unit", budget=0,
        precisions=["int8"],
    )  # fmt: skip
    for item in bundle.manifest.artifacts:
        assert item.int8_macs == 1 and not item.float_ops and item.parity is not None and item.parity.passed, item
        with edgevision.load(bundle.path, artifact=item.name) as predictor:
            found = predictor.verify(pixels[0], pixels[0])
        assert found.same and found.threshold == threshold


def test_the_peoples_directions_are_trained_and_kept_in_the_checkpoint(faces: Dataset) -> None:
    _, family, recipe = settled(faces, {"task": "embedding", "options": SMALL, "input_size": (32, 24)})
    data = Embedding.open(faces, recipe, P, None)
    task = Embedding(recipe, family.build((32, 24, 1), (), recipe.options), (), P)
    task.prepare(data)
    step = task.step(keras.optimizers.SGD(0.1))
    (directions,) = task.trained
    before = np.array(directions)
    assert before.shape == (8, 6) and any(each is directions for each in step.variables)
    examples = [data.train[index] for index in range(0, len(data.train), 8)]
    step(np.stack([example.pixels for example in examples]), task.encode(examples))
    assert np.abs(np.array(directions) - before).max() > 1e-4


def test_triplets_are_learned_too(faces: Dataset, tmp_path: Path) -> None:
    result = trained(faces, tmp_path / "m.keras", loss="triplet", epochs=4, learning_rate=0.01)
    losses = [epoch.figures["loss"] for epoch in result.history]
    assert losses[-1] < losses[0]
    with pytest.raises(InputError, match="loss is unknown: expected arcface or triplet, got 'focal'"):
        trained(faces, tmp_path / "n.keras", loss="focal")


def test_whole_people_are_held_out_where_there_are_enough(faces: Dataset) -> None:
    kept, held = divided(faces, 0.34, 3)
    assert held is not None and not set(kept.targets) & set(held.targets) and len(set(held.targets)) == 2
    kept, held = divided(faces, 0.2, 3)  # of one person there would be no different pairs
    assert held is not None and set(kept.targets) == set(held.targets) and len(held) == 12
    assert divided(faces, 0.0, 3)[1] is None
    some = People(held, P)
    assert some.people == faces.labels[:6] and some.labels == () and some[0].label is not None
    assert len(some.pairs) == 66 and int(some.same.sum()) == 6 and some[3].label.argmax() == some.targets[3]  # type: ignore[union-attr]


def test_data_that_nobody_can_be_known_by(faces: Dataset, tmp_path: Path) -> None:
    for places in (range(10), range(0, 60, 10)):
        with pytest.raises(DatasetError, match="nothing to tell apart: expected two or more people"):
            trained(faces.subset(places), tmp_path / "m.keras")


def test_a_list_of_pairs_is_what_this_is_for() -> None:
    assert guessed_task(shared_path("orl_faces.zip")) is Embedding
    assert guessed_task(shared_path("cifar10_png.zip")) is not Embedding
