"""References between the layers of a Keras 2 functional model, as Keras 3 counts calls."""

from __future__ import annotations

from typing import Any


def renumber(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a functional model with references as Keras 3 takes them; one of Keras 3 as it is.

    Keras 2 counts the making of an inner model as its first call, Keras 3 does not; and where Keras 2 wrote a list of
    one input or output, Keras 3 takes a list to mean that the model's caller has to pass or gets a list.
    """
    layers = [layer for layer in config.get("layers", []) if isinstance(layer, dict)]
    if not any(isinstance(node, list) for layer in layers for node in layer.get("inbound_nodes", [])):
        return config
    inner = {layer.get("name"): layer["class_name"] for layer in layers if _is_model(layer)}
    config = dict(config)
    config["layers"] = [
        {
            **layer,
            "name": valid_name(layer.get("name")),
            "inbound_nodes": _earlier(layer.get("inbound_nodes", []), set(inner)),
        }
        for layer in layers
    ]
    # Keras 3 itself counts down where an output refers to a functional model.
    sequential = {name for name, kind in inner.items() if kind == "Sequential"}
    config["output_layers"] = _single(_earlier(config["output_layers"], sequential))
    if "input_layers" in config:
        config["input_layers"] = _single(_earlier(config["input_layers"], set()))
    return config


def valid_name(name: Any) -> Any:
    """A layer's name without the slashes that Keras 2 allowed."""
    return name.replace("/", "_") if isinstance(name, str) else name


def _is_model(layer: dict[str, Any]) -> bool:
    config = layer.get("config")
    return isinstance(config, list) or (isinstance(config, dict) and "layers" in config)


def _earlier(node: Any, names: set[Any]) -> Any:
    """References to ``names`` with their call counted one lower."""
    if isinstance(node, dict):
        return {key: _earlier(value, names) for key, value in node.items()}
    if not isinstance(node, list):
        return node
    if len(node) >= 3 and isinstance(node[0], str) and isinstance(node[1], int):
        call = node[1] - 1 if node[0] in names and node[1] > 0 else node[1]
        return [valid_name(node[0]), call, *(_earlier(item, names) for item in node[2:])]
    return [_earlier(item, names) for item in node]


def _single(references: Any) -> Any:
    is_one = isinstance(references, list) and len(references) == 1 and isinstance(references[0], list)
    return references[0] if is_one else references
