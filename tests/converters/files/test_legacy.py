"""Arguments that Keras 3 no longer takes: left out where they said nothing, refused where they did."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edgevision.converters.files.legacy import modernize
from edgevision.converters.files.tf_ops import as_layer
from edgevision.runtime.errors import UnsupportedLayerError


def _layer(kind: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": "it", **config}}


@pytest.mark.parametrize(
    ("kind", "config", "key", "value"),
    [
        (
            "InputLayer",
            {"batch_input_shape": [None, 8, 8, 3], "sparse": False, "ragged": False},
            "batch_shape",
            [8, 8, 3],
        ),
        ("DepthwiseConv2D", {"kernel_size": 3, "groups": 1}, "kernel_size", 3),
        ("SeparableConv2D", {"filters": 4, "kernel_size": 3, "groups": 1}, "filters", 4),
        ("Conv2D", {"filters": 4, "kernel_size": 3, "groups": 2}, "groups", 2),
        ("LSTM", {"units": 4, "time_major": False, "implementation": 1}, "units", 4),
        ("Bidirectional", {"layer": _layer("GRU", units=2, time_major=False)}, "name", "it"),
        ("BatchNormalization", {"axis": [3], "fused": True, "renorm": False}, "axis", 3),
        ("BatchNormalizationV1", {"axis": [3]}, "axis", 3),
        ("ReLU", {"max_value": {"type": "ndarray", "value": 6.0}, "threshold": 0.0}, "max_value", 6.0),
        ("ThresholdedReLU", {"theta": 0.5}, "threshold", 0.5),
        ("LeakyReLU", {"alpha": 0.1}, "negative_slope", 0.1),
        ("Activation", {"activation": "relu6"}, "activation", "relu6"),
        ("Embedding", {"input_dim": 9, "output_dim": 2, "input_length": 5}, "output_dim", 2),
        ("Conv2D", {"filters": 4, "kernel_size": 3, "batch_input_shape": [None, 8, 8, 3]}, "filters", 4),
        ("Dense", {"units": 2, "dtype": {"class_name": "Policy", "config": {"name": "float32"}}}, "units", 2),
        ("Dense", {"units": 2, "dtype": "mixed_float16", "kernel_regularizer": _layer("Mine")}, "units", 2),
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 4}, "num_heads", 2),
    ],
)
def test_keras_3_takes_the_layer(kind: str, config: dict[str, Any], key: str, value: Any) -> None:
    import keras

    made = keras.saving.deserialize_keras_object(modernize(_layer(kind, **config)))
    if key == "batch_shape":
        value = (None, *value)
    got = made.name if key == "name" else getattr(made, key)
    assert getattr(got, "__name__", got) in (value, (value, value), [value])


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("DepthwiseConv2D", {"kernel_size": 3, "groups": 2}),
        ("LSTM", {"units": 4, "time_major": True}),
        ("BatchNormalization", {"virtual_batch_size": 8}),
    ],
)
def test_what_meant_something_is_refused(kind: str, config: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedLayerError, match="'it'"):
        modernize(_layer(kind, **config))


def test_the_first_sequential_models_were_lists() -> None:
    import keras

    first = _layer("Dense", units=3, batch_input_shape=[None, 4])
    config = {"class_name": "Sequential", "config": [first, {"class_name": "Dense", "config": {"units": 2}}]}
    model = keras.saving.deserialize_keras_object(modernize(config))
    assert (model.input_shape, model.output_shape) == ((None, 4), (None, 2))


def _call(function: str, *inbound: Any, **config: Any) -> dict[str, Any]:
    node = {"class_name": "TFOpLambda", "config": {"name": "it", "function": function, **config}, "name": "it"}
    return as_layer({**node, "inbound_nodes": list(inbound)})


@pytest.mark.parametrize(
    ("function", "inbound", "kind", "expected"),
    [
        ("math.multiply", ["a", 0, 0, {"y": 0.5, "name": None}], "Rescaling", {"scale": 0.5, "offset": 0.0}),
        (
            "math.subtract",
            ["_CONSTANT_VALUE", -1, 3.0, {"y": ["a", 0, 0]}],
            "Rescaling",
            {"scale": -1.0, "offset": 3.0},
        ),
        ("math.truediv", ["a", 0, 0, {"y": 4.0}], "Rescaling", {"scale": 0.25, "offset": 0.0}),
        ("__operators__.add", ["a", 0, 0, {"y": ["b", 0, 0]}], "Add", {}),
        ("compat.v1.transpose", ["a", 0, 0, {"perm": [0, 2, 1, 3]}], "Permute", {"dims": [2, 1, 3]}),
        ("math.negative", ["a", 0, 0, {"name": None}], "Rescaling", {"scale": -1.0, "offset": 0.0}),
    ],
)
def test_calls_of_tensorflow(function: str, inbound: list[Any], kind: str, expected: dict[str, Any]) -> None:
    made = _call(function, inbound)
    assert (made["class_name"], made["config"]) == (kind, {"name": "it", **expected})
    assert all(tensor[0] in ("a", "b") for tensor in made["inbound_nodes"][0])


def test_calls_of_tensorflow_2_0() -> None:
    node = {"class_name": "TensorFlowOpLayer", "config": {"name": "it", "node_def": json.dumps({"op": "Mul"})}}
    node["config"]["constants"] = {"1": 2.0}  # type: ignore[index]
    made = as_layer({**node, "inbound_nodes": [[["a", 0, 0, {}]]]})
    assert made["config"] == {"name": "it", "scale": 2.0, "offset": 0.0}


@pytest.mark.parametrize(
    ("function", "inbound"),
    [
        ("io.write_file", ["a", 0, 0, {"contents": "x"}]),
        ("math.truediv", ["_CONSTANT_VALUE", -1, 1.0, {"y": ["a", 0, 0]}]),
        ("math.multiply", ["a", 0, 0, {"y": [1.0, 2.0]}]),
        ("nn.leaky_relu", ["a", 0, 0, {"alpha": 0.3}]),
        ("nn.softmax", ["a", 0, 0, {"axis": 1}]),
        ("reshape", ["a", 0, 0, {"shape": [4, -1]}]),
        ("concat", [["a", 0, 0, {"axis": -1}], ["_CONSTANT_VALUE", -1, 1.0, {"axis": -1}]]),
    ],
)
def test_calls_that_no_layer_does_are_named(function: str, inbound: list[Any]) -> None:
    with pytest.raises(UnsupportedLayerError, match=rf"layer 'it' calls TensorFlow's {function}"):
        _call(function, inbound)
