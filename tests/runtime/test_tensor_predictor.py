"""TensorPredictor on models made without the converters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import edgevision
from edgevision.runtime.backends.null import describe_model
from edgevision.runtime.bundle import file_entry, write_bundle
from edgevision.runtime.errors import BackendError, BundleError, ImageError, InputError, TensorError
from edgevision.runtime.manifest import Artifact, Manifest
from edgevision.runtime.predictor import load_classifier
from edgevision.runtime.spec import Preprocessing, QuantParams, TensorSpec
from edgevision.runtime.tensor_predictor import TensorPredictor, real_values

INPUTS = (TensorSpec("photo", (1, 4, 6, 3), "float32"), TensorSpec("ids", (1, 5), "int32"))
OUTPUTS = (TensorSpec("mask", (1, 4, 6, 2), "float32"), TensorSpec("best", (1, 4, 6), "int32"))


def onnx_model(inputs: tuple[TensorSpec, ...]) -> bytes:
    """mask: the first input as floats, of two channels; best: as integers, of the first channel."""
    from onnx import TensorProto, helper, numpy_helper

    kinds = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32, "uint8": TensorProto.UINT8}
    first = inputs[0].name
    constants = {"two": [0, 1], "one": 0}
    nodes = [
        helper.make_node("Cast", [first], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["floats", "two"], ["mask"], axis=3),
        helper.make_node("Cast", [first], ["whole"], to=TensorProto.INT32),
        helper.make_node("Gather", ["whole", "one"], ["best"], axis=3),
    ]
    values = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in constants.items()]
    takes, makes = (
        [helper.make_tensor_value_info(s.name, kinds[s.dtype], s.shape) for s in specs] for specs in (inputs, OUTPUTS)
    )
    graph = helper.make_graph(nodes, "tensors", takes, makes, values)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()  # type: ignore[no-any-return]


def bundle_of(path: Path, inputs: tuple[TensorSpec, ...], preprocessing: Preprocessing | None = None) -> Path:
    data = onnx_model(inputs)
    item = Artifact("int8.onnx", "onnx", "int8", (file_entry("int8.onnx", data),), inputs, OUTPUTS)
    write_bundle(path, Manifest("tensors", (), None, preprocessing, (item,)), {"int8.onnx": data})
    return path


@pytest.fixture
def arrays_in(tmp_path: Path) -> Path:
    return bundle_of(tmp_path / "arrays.edge", INPUTS)


@pytest.fixture
def image_in(tmp_path: Path) -> Path:
    spec = TensorSpec("photo", (1, 4, 6, 3), "uint8")
    return bundle_of(tmp_path / "image.edge", (spec,), Preprocessing(4, 6, color="bgr", resize="crop"))


def feeds() -> dict[str, Any]:
    photo = np.random.default_rng(0).uniform(-9, 9, (1, 4, 6, 3)).astype(np.float32)
    return {"photo": photo, "ids": np.arange(5, dtype=np.int32)[None]}


def test_named_arrays_in_and_out(arrays_in: Path) -> None:
    with edgevision.load(arrays_in) as predictor:
        found = predictor.run(feeds())
        assert list(found) == ["mask", "best"] and found["best"].dtype == np.int32
        np.testing.assert_array_equal(found["mask"], feeds()["photo"][..., :2])
        np.testing.assert_array_equal(found["best"], feeds()["photo"][..., 0].astype(np.int32))
        facts = predictor.describe()
        assert (facts["artifact"], facts["precision"], facts["backend"]) == ("int8.onnx", "int8", "onnx")
    with pytest.raises(BackendError, match="closed"):
        predictor.run(feeds())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": None}, "expected photo, ids, got photo"),
        ({"more": np.zeros(1)}, "got photo, ids, more"),
        ({"ids": np.zeros((1, 5), np.int64)}, "expected int32"),
        ({"ids": np.zeros((1, 4), np.int32)}, r"expected int32 \(1, 5\), got int32 \(1, 4\)"),
        ({"photo": np.full((1, 4, 6, 3), np.nan, np.float32)}, "not finite"),
    ],
)
def test_arrays_that_do_not_fit(change: dict[str, Any], message: str, arrays_in: Path) -> None:
    given = {name: value for name, value in {**feeds(), **change}.items() if value is not None}
    with edgevision.load(arrays_in) as predictor, pytest.raises(TensorError, match=message):
        predictor.run(given)


def test_a_model_without_image_takes_none(arrays_in: Path) -> None:
    with edgevision.load(arrays_in) as predictor, pytest.raises(InputError, match=r"photo float32 .*ids int32.*run\("):
        predictor(np.zeros((4, 6, 3), np.uint8))


def test_an_image_comes_to_the_input_as_for_a_classifier(image_in: Path, tmp_path: Path) -> None:
    wide = np.random.default_rng(1).integers(0, 256, (4, 10, 3), dtype=np.uint8)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    expected = wide[:, 2:8, ::-1]
    with edgevision.load(image_in) as predictor:
        for source in (wide, tmp_path / "wide.png"):
            np.testing.assert_array_equal(predictor(source)["mask"][0], expected[..., :2])
        np.testing.assert_array_equal(predictor.run({"photo": expected[None].copy()})["mask"][0], expected[..., :2])
        with pytest.raises(ImageError):
            predictor(tmp_path / "none.png")


def test_the_null_backend_answers_zeros(arrays_in: Path) -> None:
    with edgevision.load(arrays_in, "null") as predictor:
        assert isinstance(predictor, TensorPredictor) and not any(
            value.any() for value in predictor.run(feeds()).values()
        )
    assert describe_model(INPUTS, OUTPUTS)


def test_an_image_input_that_is_not_the_preprocessings_is_refused(tmp_path: Path) -> None:
    odd = bundle_of(tmp_path / "odd.edge", (TensorSpec("photo", (1, 4, 6, 3), "uint8"),), Preprocessing(5, 6))
    with pytest.raises(BundleError, match=r"expected images of 5x6 with 3 channels, got uint8 \(1, 4, 6, 3\)"):
        edgevision.load(odd)


def test_only_classifiers_are_loaded_as_such(arrays_in: Path, tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match=r"arrays\.edge is no image classifier.*run\("):
        load_classifier(arrays_in)
    load_classifier(tiny_bundle).close()


def test_quantised_outputs_are_given_in_their_unit() -> None:
    spec = TensorSpec("y", (1, 3), "int8", QuantParams(0.5, -1))
    found = real_values(np.array([[-1, 0, 3]], np.int8), spec)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[0.0, 0.5, 2.0]])
