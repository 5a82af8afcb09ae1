"""The configuration of a model of any Keras 2 or 3, as the installed Keras 3 takes it."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from edgevision.converters.files.names import ALIASES, CONTAINERS, ELSEWHERE, class_of, operation_module
from edgevision.converters.files.nodes import renumber, valid_name
from edgevision.converters.files.tf_ops import TF_OPS, as_layer
from edgevision.runtime.errors import UnsupportedLayerError

#: Arguments that are gone, and the values with which they said nothing; None: any value says nothing to inference.
_GONE: dict[str, tuple[Any, ...] | None] = {
    "groups": (1,),
    "time_major": (False,),
    "ragged": (False, None),
    "sparse": (False, None),
    "renorm": (False, None),
    "virtual_batch_size": (None,),
    "adjustment": (None,),
    "fused": None,
    "implementation": None,
    "input_length": None,
    "input_dtype": None,
    "experimental_run_tf_function": None,
    "batch_size": None,
    "kernel_initializer": None,  # separable convolutions: their two kernels have their own
    "kernel_regularizer": None,
    "kernel_constraint": None,
    "filters": None,  # depthwise convolutions of the first releases
    "synchronized": None,
    "keep_dims": None,
    "optional": (False, None),
}
_RENAMED = {("LeakyReLU", "alpha"): "negative_slope", ("ThresholdedReLU", "theta"): "threshold"}


def is_training_only(key: str) -> bool:
    """Whether it matters to training alone."""
    return key == "compile_config" or key.endswith(("_initializer", "_regularizer", "_constraint"))


def modernize(node: Any) -> Any:
    """The configuration with every layer as Keras 3 takes it; what is as it should be stays as it is.

    Initial values become zeros: the weights are read afterwards, and drawing random ones takes longer than reading.

    Raises:
        UnsupportedLayerError: A layer was used in a way that Keras 3 no longer has.
    """
    if isinstance(node, list):
        return [modernize(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") == "ndarray" and "value" in node:  # numpy scalars of early files
        return node["value"]
    kind, inner = node.get("class_name"), node.get("config")
    if isinstance(kind, str) and operation_module(node):
        node = {**node, "module": operation_module(node), "registered_name": None}
    elif isinstance(kind, str) and isinstance(inner, (dict, list)) and _is_built_in(node, kind):
        node = _container(node, kind, inner) if kind in CONTAINERS else _layer(node, kind, inner)
    return {key: modernize(value) for key, value in node.items() if key != "compile_config"}


def _is_built_in(node: dict[str, Any], kind: str) -> bool:
    """Whether it is a model or a layer of Keras, of whichever version."""
    module = str(node.get("module", "keras.layers"))
    if not module.startswith(("keras", "tf_keras")):
        return False
    if kind in CONTAINERS:
        return True
    return ".ops" not in module and (kind in ALIASES or kind in TF_OPS or class_of(kind) is not None)


def _container(node: dict[str, Any], kind: str, inner: dict[str, Any] | list[Any]) -> dict[str, Any]:
    module, name = CONTAINERS[kind]
    inner = {"name": None, "layers": inner} if isinstance(inner, list) else dict(inner)
    if "name" in inner:
        inner["name"] = valid_name(inner["name"])
    layers = inner.get("layers")
    first = layers[0] if isinstance(layers, list) and layers else None
    if name == "Sequential" and isinstance(first, dict) and first.get("class_name") != "InputLayer":
        shape = first.get("config", {}).get("batch_input_shape") if isinstance(first.get("config"), dict) else None
        if shape:
            inner["layers"] = [{"class_name": "InputLayer", "config": {"batch_input_shape": shape}}, *inner["layers"]]
    if "output_layers" in inner:
        inner = renumber(inner)
    kept: dict[str, Any] = {key: value for key, value in node.items() if key in ("name", "inbound_nodes")}
    return {**kept, "module": module, "class_name": name, "config": inner, "registered_name": name}


def _layer(node: dict[str, Any], kind: str, inner: Any) -> dict[str, Any]:
    if kind in TF_OPS:
        return as_layer(node)
    if kind == "Lambda":  # trusted, or it would not come here; Keras knows its older forms
        return node
    name = ALIASES.get(kind, kind)
    config = {_RENAMED.get((kind, key), key): value for key, value in inner.items()}
    config["name"] = valid_name(config.get("name"))
    shape = config.pop("batch_input_shape", None)
    if shape is not None and name == "InputLayer":
        config["batch_shape"] = shape
    axis = config.get("axis")
    if name == "BatchNormalization" and isinstance(axis, (list, tuple)) and len(axis) == 1:
        config["axis"] = axis[0]
    dtype = config.get("dtype")
    if isinstance(dtype, dict) and dtype.get("class_name") == "Policy":
        config["dtype"] = dtype.get("config", {}).get("name", "float32")
    kept = {key: value for key, value in node.items() if key not in ("registered_name", "build_config")}
    if _is_new(node):
        kept["build_config"] = node["build_config"]
    config = {key: _plain(key, value) for key, value in config.items() if not _is_gone(name, key, value, config)}
    module = ELSEWHERE.get(kind, "keras.layers")
    return {**kept, "module": module, "class_name": name, "config": config, "registered_name": None}


def _is_new(node: dict[str, Any]) -> bool:
    """Whether Keras 3 wrote how it was built: it writes the arguments of its calls as dictionaries."""
    nodes = node.get("inbound_nodes")
    return "build_config" in node and (nodes is None or all(isinstance(item, dict) for item in nodes))


def _plain(key: str, value: Any) -> Any:
    if key.endswith("_initializer"):
        return "zeros"
    return None if is_training_only(key) or key == "activity_regularizer" else value


def _is_gone(kind: str, key: str, value: Any, config: dict[str, Any]) -> bool:
    """Whether an argument is to be left out."""
    if key in _accepted(kind) or key not in _GONE:
        return False
    silent = _GONE[key]
    if silent is not None and value not in silent:
        raise UnsupportedLayerError(
            f"layer {config.get('name', kind)!r} ({kind}) was saved with {key}={value!r}",
            expected=f"{key}={silent[0]!r}, the only use that Keras 3 has",
            cure="replace the layer",
        )
    return True


@functools.cache
def _accepted(kind: str) -> frozenset[str]:
    """Names of all arguments that a layer's constructor takes."""
    cls = class_of(kind)
    chain = () if cls is None else cls.__mro__
    return frozenset(
        name
        for item in chain[:-1]
        if "__init__" in vars(item)
        for name in inspect.signature(vars(item)["__init__"]).parameters
    )
