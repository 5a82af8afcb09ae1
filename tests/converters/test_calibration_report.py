"""What calibration images are like, whether they resemble the judging ones, and whether ranges settled on them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgevision.converters.calibration import CalibrationSet, PixelSet
from edgevision.converters.calibration_report import ClassCoverage
from edgevision.converters.convert import convert
from edgevision.converters.image_facts import LOOKS, ImageFacts, image_facts
from edgevision.converters.quantize.convergence import convergence
from edgevision.converters.quantize.observe import Observer
from edgevision.converters.resemblance import differences, resemblance_warnings
from edgevision.datasets import open_dataset
from edgevision.runtime.spec import Preprocessing
from tests.shared_data import shared_path

Pixels = NDArray[np.uint8]

P = Preprocessing(16, 16)
LABELS = ("cat", "dog", "bird")


def photos(folder: Path, count: int, labels: tuple[str, ...] = LABELS, seed: int = 0, size: int = 20) -> Path:
    """``count`` random images in a folder per class; every third is twice as wide."""
    random = np.random.default_rng(seed)
    for i in range(count):
        pixels = random.integers(0, 256, (size, size * (1 + (i % 3 == 0)), 3), dtype=np.uint8)
        place = folder / labels[i % len(labels)]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{i}.png")
    return folder


# --- facts of an image --------------------------------------------------------------------------------------------


def test_the_digest_is_of_the_pixels_not_of_the_file(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 9, 7, 3), dtype=np.uint8)
    for suffix in ("png", "bmp"):
        (tmp_path / suffix).mkdir()
        for i, each in enumerate(pixels):
            Image.fromarray(each).save(tmp_path / suffix / f"{i}.{suffix}")
    np.savez(tmp_path / "a.npz", images=pixels)
    found = [CalibrationSet(tmp_path / name, P).ranges.facts() for name in ("png", "bmp", "a.npz")]
    digests = [{facts.digest for facts in each} for each in found]
    assert digests[0] == digests[1] == digests[2] and len(digests[0]) == 2
    turned = image_facts(pixels[0].transpose(1, 0, 2), pixels[0], P)
    assert turned.digest not in digests[0] and turned.size == (7, 9)


def test_looks_are_of_the_models_pixels_whatever_their_order() -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[:2, :, 0], pixels[..., 2] = 90, 30
    facts = dict(zip(LOOKS, image_facts(pixels, pixels, Preprocessing(4, 4)).looks))
    assert facts == {"brightness": 25, "contrast": 15, "saturation": 60, "warmth": 15, "detail": 5}
    swapped = image_facts(pixels, pixels[..., ::-1], Preprocessing(4, 4, color="bgr"))
    assert dict(zip(LOOKS, swapped.looks)) == facts
    grey = Preprocessing(1, 1, color="gray", mean=(0.0,), scale=(1.0,))
    assert image_facts(pixels, pixels[:1, :1, :1], grey).looks == (90, 0, 0, 0, 0)


# --- the set ------------------------------------------------------------------------------------------------------


def test_the_report_counts_classes_sizes_and_brightness(tmp_path: Path) -> None:
    images = CalibrationSet(photos(tmp_path / "p", 30), P)
    found = images.report(LABELS)
    assert found.images == found.distinct == len(images.ranges) + len(images.choice) == 18
    assert found.class_coverage == ClassCoverage(3, 3)
    assert found.source_size.min == (20, 20) and found.source_size.max == (40, 20)
    assert found.sha256 == images.sha256 and found.convergence is None
    values = (
        np.concatenate([group.head(99)["image"] for group in (images.ranges, images.choice)])
        .astype(float)
        .mean((1, 2, 3))
    )
    assert found.grey_level.mean == pytest.approx(values.mean(), abs=0.06)
    assert found.grey_level.std == pytest.approx(values.std(), abs=0.06)
    assert found.words.startswith("18 images, 3 of 3 classes, grey level 12") and found.words.endswith("20x20 to 40x20")


def test_coverage_counts_the_models_classes_and_says_nothing_of_other_folders(tmp_path: Path) -> None:
    images = CalibrationSet(photos(tmp_path / "p", 12, LABELS[:2]), P)
    assert images.report(LABELS).class_coverage == ClassCoverage(2, 3)
    assert images.report(("monday", "tuesday")).class_coverage is None


def test_calibration_images_among_the_judging_ones_are_counted(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p", 40)
    images = CalibrationSet(folder, P)
    own = PixelSet(open_dataset(folder), P)
    assert images.overlap(own) == len(images.ranges) + len(images.choice)
    assert images.overlap(images.judgement) == 0
    assert images.overlap(PixelSet(open_dataset(photos(tmp_path / "q", 12, seed=1)), P)) == 0


def test_copies_are_seen(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=np.concatenate([pixels] * 10))
    images = CalibrationSet(tmp_path / "a.npz", P)
    assert images.report(()).distinct == 4 and "4 different" in images.report(()).words
    assert images.overlap(images.judgement) > 0
    assert images.warnings(None) == ("only 4 of 24 calibration images are different",)


def test_few_images_serve_all_three_ends_and_are_counted_once(tmp_path: Path) -> None:
    images = CalibrationSet(photos(tmp_path / "p", 5), P)
    assert images.is_shared and images.report(LABELS).images == 5


def test_images_are_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = CalibrationSet(photos(tmp_path / "p", 12), P)
    list(images.ranges.batches(4)), list(images.choice.batches(4))
    monkeypatch.setattr("edgevision.datasets.dataset.decode", None)
    assert images.report(LABELS).images == 6 and images.warnings(None) == ()


# --- resemblance --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cifar() -> Pixels:
    """1,500 images of CIFAR-10, shuffled."""
    dataset = open_dataset(shared_path("cifar10_png.zip"), "train")
    chosen = np.random.default_rng(0).permutation(len(dataset))[:1500]
    return np.stack([sample.decode() for sample in dataset.subset(chosen)])


def facts(images: Pixels) -> list[ImageFacts]:
    return [image_facts(image, image, P) for image in images]


def test_random_halves_look_alike(cifar: Pixels) -> None:
    known, random = facts(cifar), np.random.default_rng(1)
    for size in (10, 40, 150, 750):
        for _ in range(15):
            order = random.permutation(len(known))
            ours, theirs = ([known[i] for i in part] for part in (order[:size], order[size:]))
            assert resemblance_warnings(ours, theirs) == []


@pytest.mark.parametrize(
    ("change", "look"),
    [
        (lambda images: 255 - images, "warmth"),
        (lambda images: images[..., ::-1], "warmth"),
        (lambda images: images * 0, "contrast"),
        (lambda images: np.repeat(images[..., 1:2], 3, -1), "saturation"),
        (lambda images: (images * 0.8).astype(np.uint8), "brightness"),
    ],
    ids=["inverted", "red and blue swapped", "black", "grey", "darker"],
)
@pytest.mark.parametrize("count", [100, 500])
def test_images_that_were_treated_otherwise_are_noticed(cifar: Pixels, change: object, look: str, count: int) -> None:
    assert callable(change)
    found = differences(facts(np.ascontiguousarray(change(cifar[:count]))), facts(cifar[500:]))
    assert look in {each.look for each in found}


def test_digits_are_no_photos(cifar: Pixels) -> None:
    digits = np.stack([sample.decode() for sample in open_dataset("digits").subset(range(60))])
    (warning,) = resemblance_warnings(facts(digits), facts(cifar))
    assert warning.startswith("calibration images do not look like the evaluation images (medians: ")
    assert "saturation 0 against" in warning


def test_one_odd_image_changes_nothing(cifar: Pixels) -> None:
    mixed = facts(cifar[:100])
    mixed[0] = image_facts(cifar[0], np.zeros((16, 16, 3), np.uint8), P)
    assert resemblance_warnings(mixed, facts(cifar[100:])) == []


def test_black_images_are_odd_without_anything_beside_them(cifar: Pixels) -> None:
    black = cifar[:20] * 0
    assert resemblance_warnings(facts(black), None) == [
        "only 1 of 20 calibration images are different",
        "20 of 20 calibration images are of one even colour",
    ]


# --- in the bundle ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("golden", ["real", "synthetic"])
def test_convert_stores_all_of_it(tmp_path: Path, golden: str) -> None:
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((16, 16, 3)), layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dense(3)]
    )
    model.layers[-1].set_weights([each * 0.02 for each in model.layers[-1].get_weights()])  # close answers flip
    folder = photos(tmp_path / "p", 120)
    bundle = convert(
        model,
        folder,
        tmp_path / "m.edge",
        evaluate=folder,
        labels=LABELS,
        preprocess="unit",
        formats=["tflite"],
        max_drop=50,
        golden=golden,
    )
    gate, used = bundle.manifest.gate, bundle.manifest.provenance["calibration"]["used"]
    assert gate is not None and gate.verdict == "pass" and gate.overlap == used["images"] == 72
    assert used["class_coverage"] == {"present": 3, "classes": 3} and used["convergence"]["images"] == 48
    assert gate.warnings == ()
    stored = json.loads(bundle.read("flips.json"))
    (agreement,) = (item.agreement for item in bundle.manifest.artifacts if item.precision == "int8")
    assert agreement is not None and agreement.mcnemar_p is not None and agreement.same_top1 is not None
    assert agreement.top5 is None
    flipped = stored["artifacts"]["int8.tflite"]
    assert len(flipped) == round((1 - agreement.same_top1) * agreement.images)
    assert all(("image" in entry) is (golden == "real") for entry in flipped)
    assert "Calibration images among the 120 judging ones: 72." in bundle.read("README.md").decode()


# --- convergence --------------------------------------------------------------------------------------------------


def extremes(images: int, points: int = 12, spread: float = 0.2) -> dict[str, NDArray[np.float64]]:
    random = np.random.default_rng(images)
    high = 1 + spread * random.standard_exponential((points, images))
    return {str(i): np.stack([np.zeros(images), row], 1) for i, row in enumerate(high)}


def test_ranges_converge_with_more_images() -> None:
    moved = []
    for images in (10, 100, 1000):
        found = convergence(extremes(images))
        assert found is not None and (found.images, found.ranges) == (images, 12)
        moved.append(found.moved)
    assert moved[0] > moved[1] > moved[2] and moved[0] > 0.5 and moved[2] < 0.05


def test_the_verdict_is_said() -> None:
    few, many = convergence(extremes(10)), convergence(extremes(1000))
    assert few is not None and not few.converged and few.words.endswith("give more")
    assert many is not None and many.converged and many.words.startswith("ranges converged: half of all 1000 leaves")


def test_order_does_not_matter_much() -> None:
    seen = extremes(200)
    ordered = {name: values[np.argsort(values[:, 1])] for name, values in seen.items()}
    first, second = convergence(seen), convergence(ordered)
    assert first is not None and second is not None and abs(first.moved - second.moved) < 0.15


def test_steady_ranges_and_none_at_all() -> None:
    steady = convergence({"a": np.tile([-1.0, 2.0], (8, 1)), "flat": np.zeros((8, 2))})
    assert steady is not None and steady.moved == 0 and steady.converged
    assert convergence({}) is None
    alone = convergence({"a": np.array([[0.0, 1.0]])})
    assert alone is not None and not alone.converged


def test_the_observer_keeps_each_images_extremes() -> None:
    observer, random = Observer(), np.random.default_rng(0)
    batches = [random.normal(size=(n, 3, 3, 2)) for n in (4, 4, 1)]
    for batch in batches:
        observer.see_extremes(batch)
    whole = np.concatenate(batches).reshape(9, -1)
    np.testing.assert_array_equal(observer.images, np.stack([whole.min(1), whole.max(1)], 1))
    assert (observer.low, observer.high) == (whole.min(), whole.max())
