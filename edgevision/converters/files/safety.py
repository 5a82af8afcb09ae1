"""What in a model's configuration would run code, found before anything is made from it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevision.converters.files.legacy import is_training_only
from edgevision.converters.files.names import ALIASES, CONTAINERS, class_of, operation_module
from edgevision.converters.files.tf_ops import TF_OPS
from edgevision.runtime.errors import ModelError, UnsafeModelError

#: Parts of Keras that a configuration may name.
_PARTS = (
    *("activations", "applications", "constraints", "dtype_policies", "engine", "initializers", "layers", "legacy"),
    *("losses", "metrics", "models", "ops", "optimizers", "quantizers", "random", "regularizers", "saving"),
)
_ROOTS = ("keras", "tf_keras")
#: Values that Keras writes as a dictionary with a class_name.
_VALUES = ("__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__", "__keras_tensor__", "__tuple__")
_POLICIES = ("Policy", "DTypePolicy", "DTypePolicyMap", "TensorShape", "__tuple__")


@dataclass(frozen=True)
class Need:
    """Code that the model needs.

    Attributes:
        layer: Name of the layer, or of the model.
        what: In words.
        module: Where it could be imported from; "" for code inside the file.
        name: Its name there.
    """

    layer: str
    what: str
    module: str = ""
    name: str = ""


def check_safe(path: Path, config: dict[str, Any], trust: bool) -> dict[str, Any]:
    """The custom objects to read the model with: none, or imported ones if ``trust``.

    Raises:
        UnsafeModelError: The model needs code, and ``trust`` is not given.
        ModelError: It needs a class that cannot be imported.
    """
    needs = list(_needs(config, path.name))
    if needs and not trust:
        others = len({need.layer for need in needs}) - 1
        more = f" ({others} more layers need code)" if others else ""
        raise UnsafeModelError(
            f"layer {needs[0].layer!r} of {path.name} needs {needs[0].what}{more}",
            expected="layers of Keras alone",
            cure="if you trust where the file came from, give --trust (trust=True)",
        )
    return {need.name: _imported(path, need) for need in needs if need.name}


def _imported(path: Path, need: Need) -> Any:
    try:
        return getattr(importlib.import_module(need.module), need.name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ModelError(
            f"{need.what}, which layer {need.layer!r} of {path.name} needs, cannot be imported",
            expected=f"a module {need.module or '(the file does not say which)'} on the path",
            cure="set PYTHONPATH, or load the model in your own program and pass it: convert(model, ...)",
        ) from error


def _needs(node: Any, layer: str) -> Iterator[Need]:
    """Every piece of code that a configuration needs; ``layer`` is the innermost one around ``node``."""
    if isinstance(node, (list, tuple)):
        for item in node:
            yield from _needs(item, layer)
    if not isinstance(node, dict):
        return
    inner, kind = node.get("config"), node.get("class_name")
    if isinstance(kind, str) and "config" in node:
        if isinstance(inner, dict) and isinstance(inner.get("name"), str):
            layer = inner["name"]
        if kind in _VALUES:
            return
        yield from _verdict(node, kind, layer)
    for key, value in node.items():
        if key in ("activation", "recurrent_activation") and isinstance(value, str) and not _is_activation(value):
            yield Need(layer, f"the function {value!r}", "", value)
        elif not is_training_only(key):
            yield from _needs(value, layer)


def _verdict(node: dict[str, Any], kind: str, layer: str) -> Iterator[Need]:
    module, inner = node.get("module"), node.get("config")
    if kind in ("Lambda", "__lambda__"):
        yield Need(layer, "a Lambda's code")
    elif kind == "function":
        name = str(inner)
        if not (module in ("builtins", None) or _is_keras(str(module))) or not _is_function(name):
            yield Need(layer, f"the function {name!r}", "" if module in ("builtins", None) else str(module), name)
    elif kind == "__typespec__" or _is_custom(node, kind, module):
        where = "" if module is None else str(module)
        yield Need(layer, f"the class {kind!r}" + (f" of {where}" if where else ""), where, kind)


def _is_custom(node: dict[str, Any], kind: str, module: Any) -> bool:
    import keras

    registered = node.get("registered_name")
    if isinstance(registered, str) and keras.saving.get_registered_object(registered) is not None:
        return False  # the caller's own program knows it
    if module is None:
        known = kind in CONTAINERS or kind in ALIASES or kind in TF_OPS or kind in _POLICIES
        return not (known or class_of(kind) or operation_module(node) or kind.startswith("__"))
    return not _is_keras(str(module))


def _is_keras(module: str) -> bool:
    root, *rest = module.split(".")
    rest = rest[1:] if rest[:1] == ["src"] else rest
    return root in _ROOTS and (not rest or rest[0] in _PARTS)


def _is_activation(name: str) -> bool:
    import keras

    return callable(getattr(keras.activations, name, None))


def _is_function(name: str) -> bool:
    import keras

    return _is_activation(name) or callable(getattr(keras.ops, name, None)) or name in vars(keras.losses)
