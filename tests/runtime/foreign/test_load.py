"""Models from elsewhere: the same answers whatever their input, guesses said, contradictions refused."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevision
from edgevision.runtime.errors import BackendError, BundleError, InputError
from edgevision.runtime.predictor import Predictor
from edgevision.runtime.spec import Preprocessing, QuantParams
from tests import foreign_models, tiny

PIXELS = tiny.pixels(11)[0]
UNIT = QuantParams(1 / 255, 0)


def _load(path: Path, data: bytes, **said: Any) -> Predictor:
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        predictor: Predictor = edgevision.load(path, **{"task": "classification", **said})
    return predictor


def _guesses(predictor: Predictor) -> str:
    return "; ".join(predictor.describe()["guessed"])


@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_channels_first_and_a_free_batch(tmp_path: Path, kind: str) -> None:
    with _load(tmp_path / "m.onnx", foreign_models.planar_onnx(kind), preprocess="unit", labels=tiny.LABELS) as found:
        assert found.session.inputs[0].shape == (1, 3, 8, 8)
        expected = foreign_models.probabilities(PIXELS)
        np.testing.assert_allclose(found(PIXELS).scores, expected, atol=1e-6 if kind == "float32" else 2e-3)
        assert "scores probabilities: the last operator is softmax" in _guesses(found)
        assert found.manifest.gate is None


def test_bgr_models_get_their_colours(tmp_path: Path) -> None:
    with _load(tmp_path / "m.onnx", foreign_models.planar_onnx(), preprocess="unit", color="bgr") as found:
        expected = foreign_models.probabilities(np.ascontiguousarray(PIXELS[:, :, ::-1]))
        np.testing.assert_allclose(found(PIXELS).scores, expected, atol=1e-6)
        assert "colour order" not in _guesses(found)
        assert found.labels == ("class 0", "class 1", "class 2", "class 3")


@pytest.mark.parametrize(
    ("kind", "quant", "raw"),
    [
        ("uint8", UNIT, True),
        ("uint8", QuantParams(1 / 254, 0), True),  # another scale, nowhere more than one step away
        ("uint8", QuantParams(1 / 200, 3), False),
        ("int8", QuantParams(1 / 255, -128), False),
        ("int8", QuantParams(1 / 210, -125), False),
    ],
)
def test_quantised_inputs_get_normalised_and_quantised_values(
    tmp_path: Path, kind: str, quant: QuantParams, raw: bool
) -> None:
    data = foreign_models.quantised_tflite(kind, quant)
    with _load(tmp_path / "m.tflite", data, preprocess="unit", labels=tiny.LABELS) as found:
        (fed,) = found.preprocess(PIXELS).values()
        assert fed.dtype == kind
        assert raw == np.shares_memory(fed, PIXELS)
        limits = np.iinfo(kind)
        wanted = np.clip(np.rint(PIXELS / 255 / quant.scale + quant.zero_point), limits.min, limits.max)
        assert np.abs(fed[0].astype(int) - wanted).max() <= (1 if raw else 0)
        np.testing.assert_allclose(found(PIXELS).scores, foreign_models.probabilities(PIXELS), atol=0.2)
        assert found(PIXELS).index == foreign_models.probabilities(PIXELS).argmax()


def test_numbers_of_each_channel_meet_one_quantisation(tmp_path: Path) -> None:
    mean, scale = (120.0, 110.0, 100.0), (1 / 60, 1 / 57, 1 / 55)
    p = Preprocessing(8, 8, mean=mean, scale=scale)
    for kind, zero in (("uint8", 110), ("int8", -18)):
        data = foreign_models.quantised_tflite(kind, QuantParams(0.0188, zero))
        with _load(tmp_path / "m.tflite", data, preprocess=p, labels=tiny.LABELS) as found:
            (fed,) = found.preprocess(PIXELS).values()
            low, high = np.iinfo(kind).min, np.iinfo(kind).max
            wanted = np.clip(np.rint((PIXELS - np.array(mean)) * np.array(scale) / 0.0188 + zero), low, high)
            np.testing.assert_array_equal(fed[0], wanted)


def test_integers_of_an_onnx_file_are_understood_from_its_graph(tmp_path: Path) -> None:
    data = foreign_models.integer_onnx(QuantParams(1 / 255, -128), QuantParams(0.25, 3))
    with _load(tmp_path / "m.onnx", data, labels=tiny.LABELS) as found:
        assert "preprocess unit: the input's quantisation holds 0..1" in _guesses(found)
        assert found.artifact.precision == "int8"
        values = found.infer(found.preprocess(PIXELS))["scores"]
        assert values.dtype == np.int8
        logits = np.log(np.maximum(found(PIXELS).scores, 1e-30))
        real = (values[0].astype(float) - 3) * 0.25
        np.testing.assert_allclose(logits - logits.max(), real - real.max(), atol=1e-4)


@pytest.mark.parametrize(
    ("end", "kind", "scores"),
    [("Sigmoid", "float32", "sigmoid"), ("Softmax", "float32", "probabilities"), ("Relu", "float32", "logits")],
)
def test_scores_are_told_from_the_last_operator_or_the_answers(
    tmp_path: Path, end: str, kind: str, scores: str
) -> None:
    with _load(tmp_path / "m.onnx", foreign_models.planar_onnx(kind, end), preprocess="unit") as found:
        assert found.manifest.scores == scores
        assert f"scores {scores}: " in _guesses(found)


def test_labels_inside_the_file_are_found(tmp_path: Path) -> None:
    data = foreign_models.planar_onnx(names="{0: 'a', 2: 'c', 1: 'b', 3: 'd'}")
    with _load(tmp_path / "m.onnx", data, preprocess="unit") as found:
        assert found.labels == ("a", "b", "c", "d")
    path = tmp_path / "m.tflite"
    path.write_bytes(foreign_models.quantised_tflite("uint8", UNIT))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "a\nb\nc\nd\n")
    with _load(path, path.read_bytes()) as found:
        assert found.labels == ("a", "b", "c", "d")
        assert "labels from labels.txt inside the file" in _guesses(found)


def test_guesses_are_a_warning_too(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(foreign_models.planar_onnx())
    with pytest.warns(UserWarning, match=r"m\.onnx: guessed: .*colour order rgb"):
        edgevision.load(path, preprocess="unit").close()


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"preprocess": "raw"}, "preprocess contradicts the input's quantisation: expected values 0..1, got 0..255"),
        ({"preprocess": "tf"}, "preprocess contradicts the input's quantisation"),
        ({"preprocess": "torch"}, "preprocess contradicts the input's quantisation"),
        ({"preprocess": Preprocessing(8, 9)}, "preprocess contradicts the model's input: expected 8x8"),
        ({"preprocess": "nonsense"}, "preprocess is unknown"),
        ({"labels": ("a", "b")}, "the labels contradict the model: expected 4, got 2"),
        ({"labels": ("a", "b", "c", "c")}, "a class name is repeated"),
        ({"labels": "/nowhere/labels.txt"}, "the labels in /nowhere/labels.txt cannot be read"),
        ({"scores": "logits"}, "scores contradict the model: expected logits, got a last operator softmax"),
        ({"task": "detection"}, "how to read the outputs of this detection model is not known"),
        ({"task": "juggling"}, "the task is unknown"),
        ({"task": "detection", "head": "segmentation"}, "the head contradicts the task"),
        ({"head": '{"kind": '}, "the head is no JSON"),
        ({"color": "gray"}, "color contradicts the model's input"),
        ({"backend": "onnx"}, "does not run in that engine"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, said: dict[str, Any], problem: str) -> None:
    data = foreign_models.quantised_tflite("uint8", UNIT)
    with pytest.raises(InputError) as caught:
        _load(tmp_path / "m.tflite", data, **{"labels": tiny.LABELS, **said})
    assert problem in str(caught.value)


def test_what_nothing_tells_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="what the model's pixels were scaled to is not known"):
        _load(tmp_path / "m.onnx", foreign_models.planar_onnx())
    with pytest.raises(InputError, match=r"int8 without quantisation|not known"):
        _load(tmp_path / "m.tflite", foreign_models.quantised_tflite("int8", None))


def test_ranges_that_calibration_cut_a_little_are_said(tmp_path: Path) -> None:
    with _load(
        tmp_path / "m.tflite", foreign_models.quantised_tflite("uint8", QuantParams(0.9 / 255, 0)), preprocess="unit"
    ) as found:
        assert "values beyond are cut" in _guesses(found)


def test_files_that_are_no_models_and_what_says_itself_what_it_is(tmp_path: Path, tiny_bundle: Path) -> None:
    for name in ("m.tflite", "m.onnx", "m.xml"):
        (tmp_path / "m.bin").write_bytes(b"")
        with pytest.raises((BundleError, BackendError)):
            _load(tmp_path / name, b"no model at all")
    with pytest.raises(InputError, match="says itself what it is"):
        edgevision.load(tiny_bundle, task="classification")
    with pytest.raises(InputError, match="was made by edgevision"):
        edgevision.load(tiny_bundle / "int8.onnx", task="classification")
    with pytest.raises(BundleError, match="cannot be read"):
        edgevision.load(tmp_path / "missing.onnx", task="classification")
    data = foreign_models.quantised_tflite("uint8", UNIT)
    for cut in range(8, len(data), len(data) // 40):
        with pytest.raises((BundleError, BackendError)):
            _load(tmp_path / "cut.tflite", data[:cut])


def test_named_arrays_need_no_more_than_the_task(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(foreign_models.planar_onnx())
    with edgevision.load(tmp_path / "m.onnx", task="tensors") as found:
        values = PIXELS.transpose(2, 0, 1)[None].astype(np.float32) / 255
        np.testing.assert_allclose(
            found.run({"images": values})["scores"][0], foreign_models.probabilities(PIXELS), atol=1e-6
        )


def test_numbers_turn_round_with_the_colours(tmp_path: Path) -> None:
    with _load(tmp_path / "m.onnx", foreign_models.planar_onnx(), preprocess="torch", color="bgr") as found:
        p = found.manifest.preprocessing
        assert p is not None
        assert (p.color, p.mean[0], p.scale[0]) == ("bgr", 103.53, 1 / 57.375)
