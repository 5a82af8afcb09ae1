from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgevision.converters.calibration import CalibrationSet, PixelSet
from edgevision.converters.quantize.distil import UNKNOWN
from edgevision.converters.quantize.graph import Graph, Op
from edgevision.converters.samples import Samples
from edgevision.converters.source import SourceModel
from edgevision.converters.tensor_set import TensorSet, judged_rows
from edgevision.converters.training_samples import TrainingSamples
from edgevision.datasets import open_images
from edgevision.runtime.errors import DatasetError, InputError
from edgevision.runtime.spec import Preprocessing
from tests.converters.models import CLASSES, SIZE, Pixels, pictures, write_folder

P = Preprocessing(SIZE, SIZE)
IMAGES, TARGETS = pictures(60)
OTHERS, THEIR_TARGETS = pictures(24, seed=5)
GRAPH = Graph({"image": Op("image", "Input", [], (SIZE, SIZE, 3))}, {})
SOURCE = SourceModel(None, GRAPH, "m", "", None, P, "logits", None, None)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 images in four class folders: 24 set ranges, 12 choose, 24 judge."""
    return write_folder(tmp_path_factory.mktemp("photos"), IMAGES, TARGETS)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("others"), OTHERS, THEIR_TARGETS)


def training_on(
    images: CalibrationSet,
    data: Path,
    more: Path | None = None,
    labels: tuple[str, ...] = CLASSES,
    judged: PixelSet | None = None,
) -> TrainingSamples:
    samples = Samples(labels, images, judged or images.judgement, None, judged is not None, None)
    return TrainingSamples(SOURCE, samples, data, more)


def seen(training: TrainingSamples, epoch: int = 1) -> dict[bytes, int]:
    """Class by pixels, of one pass."""
    found: dict[bytes, int] = {}
    for batch, targets in training.batches(7, epoch):
        (pixels,) = batch.values()
        assert pixels.dtype == np.uint8 and len(pixels) == len(targets) <= 7
        found.update((image.tobytes(), int(target)) for image, target in zip(pixels, targets))
    return found


def content(*groups: PixelSet) -> set[bytes]:
    return {image.tobytes() for group in groups for batch in group.batches() for image in batch["image"]}


def classes(images: Pixels, targets: NDArray[np.int64]) -> dict[bytes, int]:
    return {image.tobytes(): int(target) for image, target in zip(images, targets)}


def test_what_sets_ranges_trains_and_what_chooses_or_judges_does_not(photos: Path) -> None:
    images = CalibrationSet(photos, P)
    training = training_on(images, photos)
    known, found = classes(IMAGES, TARGETS), seen(training)
    assert set(found) == content(images.ranges) and len(training) == training.labelled == 24
    assert all(known[image] == target for image, target in found.items()), "the model's order, not the alphabet's"
    assert training.notes == [] and len(training.digests) == 24


def test_images_beyond_the_groups_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevision.converters.calibration._JUDGEMENT", 4)
    path = tmp_path / "d.npz"
    np.savez(path, images=IMAGES)
    images = CalibrationSet(path, P)
    training = training_on(images, path)
    assert len(images.rest) == 20 and images.count == 40
    assert set(seen(training)) == content(images.ranges, images.rest)
    assert training.labelled == 0 and set(seen(training).values()) == {UNKNOWN} and training.notes == []


def test_each_pass_is_in_another_order_and_the_same_every_time(photos: Path) -> None:
    one, two = (training_on(CalibrationSet(photos, P), photos) for _ in range(2))
    assert list(seen(one, 1)) == list(seen(two, 1)) != list(seen(one, 2))
    assert one.sha256 == two.sha256


def test_more_images_but_never_those_that_choose_or_judge(photos: Path, others: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    shutil.copytree(photos, both)
    for folder in others.iterdir():
        for file in folder.iterdir():
            shutil.copy(file, both / folder.name / f"other{file.name}")
    images = CalibrationSet(photos, P)
    training = training_on(images, photos, both)
    found = seen(training)
    assert set(found) == content(images.ranges) | {image.tobytes() for image in OTHERS}
    assert found.items() <= {**classes(IMAGES, TARGETS), **classes(OTHERS, THEIR_TARGETS)}.items()


def test_images_that_judge_from_elsewhere_are_counted_not_left_out(photos: Path, others: Path) -> None:
    images, judged = CalibrationSet(photos, P), PixelSet(open_images(others), P)
    training = training_on(images, photos, others, judged=judged)
    assert {image.tobytes() for image in OTHERS} <= set(seen(training))
    assert images.overlap(judged) == 0 and images.overlap(judged, training.digests) == 24


def test_labels_of_other_names_are_not_used_and_that_is_said(photos: Path, others: Path) -> None:
    images = CalibrationSet(photos, P)
    training = training_on(images, photos, others, ("cat", "dog", "bird", "fish"))
    assert training.labelled == 0 and set(seen(training).values()) == {UNKNOWN}
    assert len(training.notes) == 2
    assert training.notes[0].startswith(f"labels of {photos.name} are not used: the data's classes are not the model's")


def test_some_have_labels_and_some_have_none(photos: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "more.npz", images=OTHERS)
    training = training_on(CalibrationSet(photos, P), photos, tmp_path / "more.npz")
    assert (len(training), training.labelled) == (48, 24)


def test_too_few_images_are_refused_unless_there_are_others(others: Path, tmp_path: Path) -> None:
    few = write_folder(tmp_path / "few", IMAGES[:8], TARGETS[:8])
    images = CalibrationSet(few, P)
    with pytest.raises(InputError, match="--finetune-data"):
        training_on(images, few)
    assert len(training_on(images, few, others)) == 24
    with pytest.raises(DatasetError):
        training_on(images, few, tmp_path / "nowhere")


def test_named_arrays_train_alike(tmp_path: Path) -> None:
    inputs = [Op("a", "Input", [], (3,), dtype="float32"), Op("b", "Input", [], (2, 2), dtype="float32")]
    random = np.random.default_rng(0)
    a, b = random.normal(size=(40, 3)).astype(np.float32), random.normal(size=(40, 2, 2)).astype(np.float32)
    np.savez(tmp_path / "c.npz", a=a, b=b)
    np.savez(tmp_path / "more.npz", a=np.concatenate([a, a[:5] + 1]), b=np.concatenate([b, b[:5] + 1]))
    groups = TensorSet(tmp_path / "c.npz", inputs)
    source = SourceModel(None, Graph({op.name: op for op in inputs}, {}), "m", "", None, None, None, None, None)
    samples = Samples((), groups, groups.judgement, None, False, None)
    training = TrainingSamples(source, samples, tmp_path / "c.npz", tmp_path / "more.npz")
    assert len(groups.ranges) == 16 and len(training) == 2 * 16 + 5, "the 24 that choose and judge are not there again"
    for batch, targets in training.batches(10, 1):
        assert len(batch["a"]) == len(batch["b"]) == len(targets) and set(targets) == {UNKNOWN}
    judged = judged_rows(tmp_path / "more.npz", inputs)
    assert groups.overlap(judged) == 24 and groups.overlap(judged, training.digests) == 29


def test_named_arrays_beyond_the_groups_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevision.converters.calibration._JUDGEMENT", 4)
    np.savez(tmp_path / "c.npz", a=np.arange(60, dtype=np.float32)[:, None])
    groups = TensorSet(tmp_path / "c.npz", [Op("a", "Input", [], (1,), dtype="float32")])
    rows = [set(group.names) for group in (groups.ranges, groups.choice, groups.judgement, groups.rest)]
    assert [len(each) for each in rows] == [24, 12, 4, 20] and len(set.union(*rows)) == 60
