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
from edgevision.runtime.heads.embedding import EmbeddingHead
from edgevision.runtime.preprocess import normalize
from edgevision.runtime.spec import named_preprocessing
from edgevision.trainers import checkpoint
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
    assert threshold == pytest.approx(expected, abs=1e-4) and 0 < rate < 0.6 and result.folds == {}

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


@pytest.mark.slow
def test_the_threshold_is_of_people_that_networks_like_it_did_not_see(
    faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "APART", 0.0)
    asked: dict[str, Any] = {"validation_split": 0.0, "threshold_folds": 2, "epochs": 2}
    plain = trained(faces, tmp_path / "m.keras", **asked)
    assert (plain.images, plain.val_images, plain.value) == (60, 0, None) and 0 < plain.folds["eer"] < 0.6
    metadata = read_metadata(tmp_path / "m.keras")
    assert metadata is not None and metadata["provenance"]["folds"] == plain.folds
    stages: list[str] = []

    def stop(stage: str, done: int, total: int) -> None:
        stages.append(stage)
        if stage == "fold 2 of 2" and done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(faces, tmp_path / "n.keras", **asked, progress=stop)
    assert {"train", "fold 1 of 2"} < set(stages)
    stages.clear()
    again = train(faces, tmp_path / "n.keras", resume=True, progress=lambda stage, *_: stages.append(stage))
    assert set(stages) == {"read images", "fold 2 of 2"} and not list(tmp_path.glob(".*"))
    other = read_metadata(tmp_path / "n.keras")
    assert other is not None and again.folds == pytest.approx(plain.folds, abs=0.02)
    assert other["head"]["threshold"] == pytest.approx(metadata["head"]["threshold"], abs=2e-3)


def test_one_threshold_for_the_pairs_of_all_folds(faces: Dataset) -> None:
    _, family, recipe = settled(faces, {"task": "embedding", "options": SMALL, "input_size": (32, 24)})
    task = Embedding(recipe, family.build((32, 24, 1), (), recipe.options), (), P)
    folds, cosines, same = [], [], []
    for number, part in enumerate(People(faces, P).folds(2, 0)):
        assert isinstance(part.validation, People)
        dark = 40.0 + 80 * number  # so that cosines of one fold lie higher than those of the other
        folds.append((lambda images, dark=dark: {"v": images.reshape(len(images), -1) - dark}, part.validation))
        vectors = part.validation.pixels[:].reshape(len(part.validation), -1) - dark
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        cosines += list((vectors[part.validation.pairs[:, 0]] * vectors[part.validation.pairs[:, 1]]).sum(1))
        same += list(part.validation.same)
    rate, threshold = equal_error(roc(sorted_pairs(np.array(cosines), np.array(same))))
    found, head = task.choose(folds), task.head()
    assert isinstance(head, EmbeddingHead) and head.threshold == pytest.approx(threshold)
    assert found["eer"] == pytest.approx(rate) and found["balanced_accuracy"] == pytest.approx(1 - rate, abs=0.01)


def test_everybody_is_held_out_once(faces: Dataset) -> None:
    everybody = People(faces, P)
    folds = everybody.folds(4, 0)  # of two people each: of one there would be no different pairs
    seen: list[str] = []
    for part in folds:
        assert isinstance(part.train, People) and isinstance(part.validation, People)
        assert len(part.validation.people) == 2 and not set(part.train.people) & set(part.validation.people)
        assert len(part.train) == 40 and int(part.validation.same.sum()) == 90
        place = part.validation.data.targets[-1]
        assert part.validation.people[int(part.validation[19].label.argmax())] == faces.labels[place]  # type: ignore[union-attr]
        seen += part.validation.people
    assert sorted(seen) == sorted(everybody.people) and len(folds) == 3
    assert everybody.folds(0, 0) == () and People(faces.subset(np.arange(30)), P).folds(3, 0) == ()


def test_the_peoples_directions_are_trained_and_kept_in_the_checkpoint(faces: Dataset) -> None:
    asked = {"task": "embedding", "options": {"width": 8, "dimensions": 8}, "input_size": (32, 24), "whitening": 0.9999}
    _, family, recipe = settled(faces, asked)
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

    task.finish(step.predict, data)
    assert isinstance(data.train, People)
    (vectors,), targets = step.predict(data.train.pixels[:]).values(), data.train.targets
    means = np.stack([vectors[targets == person].mean(0) for person in range(6)])
    spread = vectors - means[targets]
    np.testing.assert_allclose(spread.T @ spread / len(spread), np.eye(8), atol=0.15)
    units = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (means, np.array(directions).T)]
    np.testing.assert_allclose(units[0], units[1], atol=1e-3)


def test_triplets_are_learned_too(faces: Dataset, tmp_path: Path) -> None:
    plain: dict[str, Any] = {"augment": (), "batch_size": 40, "learning_rate": 0.01, "options": {"width": 4}}
    result = trained(faces, tmp_path / "m.keras", loss="triplet", epochs=8, threshold_folds=0, **plain)
    losses = [epoch.figures["loss"] for epoch in result.history]
    assert losses[-1] < 0.5 * losses[0]
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
