"""evaluate(): accuracy through the predictor, all artifacts on the same images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgevision.benchmarks import choice
from edgevision.benchmarks.accuracy import Accuracy, compare
from edgevision.benchmarks.evaluate import evaluate
from edgevision.benchmarks.statistics import paired_interval, wilson_interval
from edgevision.runtime.errors import BundleError, DatasetError, InputError, MissingPackageError


def test_all_artifacts_are_compared_image_by_image(bundle: Path, photos: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    found = evaluate(bundle, photos, all=True, progress=lambda *step: seen.append(step))
    floats, ints = found.artifacts["float32.onnx"], found.artifacts["int8.onnx"]
    assert isinstance(floats, Accuracy) and isinstance(ints, Accuracy)
    assert (floats.top1, ints.top1, ints.n) == (1.0, 22 / 24, 24)
    assert ints.interval95 == wilson_interval(22, 24)
    (comparison,) = found.comparisons
    assert (comparison.artifact, comparison.reference) == ("int8.onnx", "float32.onnx")
    assert comparison.difference == paired_interval(floats.correct, ints.correct)
    assert comparison.changes["same_top1"] == 22 / 24
    assert comparison.changes["flips"]["worst"][0]["image"] == "light/secret-00.png"
    assert seen[0] == ("evaluate", 1, 24) and seen[-1] == ("evaluate", 24, 24)


def test_the_default_is_what_load_would_choose(bundle: Path, photos: Path) -> None:
    assert list(evaluate(bundle, photos).artifacts) == ["int8.onnx"]
    assert list(evaluate(bundle, photos, "float32.onnx").artifacts) == ["float32.onnx"]


def test_to_dict_is_json_of_the_agreed_form(bundle: Path, photos: Path) -> None:
    plain = json.loads(json.dumps(evaluate(bundle, photos, all=True).to_dict()))
    assert plain["artifacts"]["int8.onnx"]["top1"] == 22 / 24
    assert plain["artifacts"]["int8.onnx"]["n"] == 24
    assert plain["data"] == "photos"
    assert plain["comparisons"][0]["difference_points"] == pytest.approx(-100 * 2 / 24)


def test_classes_of_another_name_are_refused(bundle: Path, photos: Path) -> None:
    (photos / "dark").rename(photos / "night")
    with pytest.raises(DatasetError, match="night"):
        evaluate(bundle, photos)


def test_unreadable_images_are_counted_and_named(bundle: Path, photos: Path) -> None:
    for name in ("dark/secret-03.png", "light/secret-05.png"):
        (photos / name).write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"2 of 24 images.*dark/secret-03\.png, light/secret-05\.png"):
        evaluate(bundle, photos)
    found = evaluate(bundle, photos, skip_unreadable=True)
    assert found.unreadable == ("dark/secret-03.png", "light/secret-05.png")
    assert found.artifacts["int8.onnx"].n == 22


def test_nothing_readable_is_an_error_even_when_skipping(bundle: Path, photos: Path) -> None:
    for path in photos.rglob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(DatasetError, match="24 of 24"):
        evaluate(bundle, photos, skip_unreadable=True)


def test_one_artifact_and_all_exclude_each_other(bundle: Path, photos: Path) -> None:
    with pytest.raises(InputError, match="exclude"):
        evaluate(bundle, photos, "int8.onnx", all=True)


def test_missing_engines_are_said_aloud(bundle: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "installed", lambda: {"onnx": None})
    with pytest.raises(MissingPackageError, match=r"onnxruntime is needed.*edgevision\[onnx\]"):
        evaluate(bundle, photos, all=True)


def test_unknown_artifact(bundle: Path, photos: Path) -> None:
    with pytest.raises(BundleError):
        evaluate(bundle, photos, "int4.onnx")


def test_top5_counts_ties_in_favour_of_the_first_class() -> None:
    truth, ranks = np.array([0, 6]), np.array([0, 6])
    accuracy = Accuracy(np.array([0, 0]), truth, ranks)
    assert (accuracy.top1, accuracy.top5) == (0.5, 0.5)
    assert accuracy.to_dict()["top5"] == 0.5


def test_accuracies_of_different_images_cannot_be_compared() -> None:
    one, two = Accuracy(np.zeros(3, int), np.zeros(3, int)), Accuracy(np.zeros(4, int), np.zeros(4, int))
    with pytest.raises((InputError, ValueError)):
        compare({"a": one, "b": two}, "a", "b")
    with pytest.raises(InputError, match="one per image"):
        Accuracy(np.zeros(0, int), np.zeros(0, int))
