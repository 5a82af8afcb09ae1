"""TensorFlow calls, which Keras 2 saved as layers of their own, as the Keras layers that do the same."""

from __future__ import annotations

import json
from typing import Any

from edgevision.runtime.errors import UnsupportedLayerError

#: Layers that hold one TensorFlow call. The last kind is of TensorFlow 2.0 to 2.3.
TF_OPS = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")

_ADD = ("__operators__.add", "math.add", "add", "Add", "AddV2")
_MULTIPLY = ("math.multiply", "multiply", "Mul")
_SUBTRACT = ("math.subtract", "subtract", "Sub")
_DIVIDE = ("math.truediv", "math.divide", "divide", "truediv", "RealDiv")
_NEGATE = ("math.negative", "Neg")
_ACTIVATIONS = {
    **{f"nn.{name}": name for name in ("relu", "relu6", "silu", "sigmoid", "tanh", "softmax")},
    **{f"nn.{name}": name for name in ("elu", "selu", "gelu", "softplus", "leaky_relu")},
    **{name.capitalize(): name for name in ("relu", "relu6", "sigmoid", "tanh", "softmax", "elu", "softplus")},
    "math.sigmoid": "sigmoid",
    "math.tanh": "tanh",
    "nn.swish": "silu",
    "compat.v1.nn.softmax": "softmax",
    "math.softplus": "softplus",
    "identity": "linear",
    "stop_gradient": "linear",
}
_PLAIN = (int, float)

Made = tuple[str, dict[str, Any]]


def as_layer(node: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a Keras layer that computes the same, called on the same tensors.

    Raises:
        UnsupportedLayerError: No layer does.
    """
    config = node["config"]
    name, function = str(config.get("name")), _function(config)
    calls = [_call(call, config) for call in node.get("inbound_nodes", [])]
    made = [_make(function, tensors, values) for tensors, values in calls]
    if not made or any(item is None or item != made[0] for item in made):
        raise UnsupportedLayerError(
            f"layer {name!r} calls TensorFlow's {function} in a way that has no Keras layer",
            cure="rebuild the model with Keras layers in place of TensorFlow calls",
        )
    assert made[0] is not None, "checked above"
    kind, arguments = made[0]
    return {
        "module": "keras.layers",
        "class_name": kind,
        "config": {"name": name, **arguments},
        "registered_name": None,
        "name": node.get("name", name),
        "inbound_nodes": [[[*tensor[:3], {}] for tensor in tensors] for tensors, _ in calls],
    }


def _function(config: dict[str, Any]) -> str:
    if "node_def" not in config:
        return str(config.get("function"))
    definition = config["node_def"]
    return str((json.loads(definition) if isinstance(definition, str) else definition).get("op"))


def _call(call: list[Any], config: dict[str, Any]) -> tuple[list[list[Any]], dict[str, Any]]:
    """The tensors of one call, and everything else: constants in front of the tensors are named "x", behind "y"."""
    entries: list[Any] = call if call and isinstance(call[0], list) else [call]
    values: dict[str, Any] = {}
    tensors: list[list[Any]] = []
    for entry in entries:
        _sort("x", entry[:3], tensors, values)
        for key, value in (entry[3] if len(entry) > 3 else {}).items():
            _sort(key, value, tensors, values)
    for position, value in (config.get("constants") or {}).items():
        values["x" if str(position) == "0" else "y"] = value
    return tensors, values


def _sort(key: str, value: Any, tensors: list[list[Any]], values: dict[str, Any]) -> None:
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        if value[0] == "_CONSTANT_VALUE":
            values[key] = value[2]
        else:
            tensors.append(value)
    elif key != "name":
        values[key] = value


def _make(function: str, tensors: list[list[Any]], values: dict[str, Any]) -> Made | None:
    if len(tensors) == 1 and function in (*_ACTIVATIONS, *_NEGATE):
        if set(values) - {"axis"} or values.get("axis", -1) not in (-1, None):
            return None
        activation = _ACTIVATIONS.get(function)
        return (
            ("Activation", {"activation": activation}) if activation else ("Rescaling", {"scale": -1.0, "offset": 0.0})
        )
    if len(tensors) == 1:
        return _with_constant(function, values) or _with_arguments(function, values)
    if function == "concat" and set(values) == {"axis"}:
        return "Concatenate", {"axis": values["axis"]}
    if values:
        return None
    names = ((_ADD, "Add"), (_MULTIPLY, "Multiply"), (_SUBTRACT, "Subtract"))
    return next(((kind, {}) for known, kind in names if function in known), None)


def _with_constant(function: str, values: dict[str, Any]) -> Made | None:
    """Arithmetic of a tensor and one number: a multiple and a shift."""
    before, after = values.get("x"), values.get("y")
    value = before if after is None else after
    if not isinstance(value, _PLAIN):
        return None
    if function in _ADD:
        return "Rescaling", {"scale": 1.0, "offset": value}
    if function in _MULTIPLY:
        return "Rescaling", {"scale": value, "offset": 0.0}
    if function in _SUBTRACT:
        return "Rescaling", {"scale": 1.0, "offset": -value} if before is None else {"scale": -1.0, "offset": value}
    if function in _DIVIDE and before is None and value:
        return "Rescaling", {"scale": 1.0 / value, "offset": 0.0}
    return None


def _with_arguments(function: str, values: dict[str, Any]) -> Made | None:
    """One tensor, and arguments that say what to do with it."""
    axis, shape, order = values.get("axis"), values.get("shape"), values.get("perm")
    if function in ("math.reduce_mean", "math.reduce_max") and axis == [1, 2]:
        kind = "GlobalAveragePooling2D" if function.endswith("mean") else "GlobalMaxPooling2D"
        return kind, {"keepdims": bool(values.get("keepdims", values.get("keep_dims", False)))}
    if function == "reshape" and isinstance(shape, list) and shape[:1] == [-1] and -1 not in shape[1:]:
        return "Reshape", {"target_shape": shape[1:]}
    if function in ("transpose", "compat.v1.transpose") and isinstance(order, list) and order[:1] == [0]:
        return "Permute", {"dims": order[1:]}
    if function == "clip_by_value" and values.get("clip_value_min") == 0:
        return "ReLU", {"max_value": values.get("clip_value_max")}
    return None
