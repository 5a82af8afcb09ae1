"""Where Keras 3 has the models, layers and operations that a configuration names."""

from __future__ import annotations

import functools
import importlib
from typing import Any

#: Models inside a configuration, and where Keras 3 looks for them.
CONTAINERS = {
    "Functional": ("keras.src.models.functional", "Functional"),
    "Model": ("keras.src.models.functional", "Functional"),
    "Sequential": ("keras", "Sequential"),
}
#: Layers that have another name now.
ALIASES = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "ThresholdedReLU": "ReLU",
    "LSTMV1": "LSTM",
    "LSTMV2": "LSTM",
    "GRUV1": "GRU",
    "GRUV2": "GRU",
}
#: Layers of Keras that it does not list among its layers.
ELSEWHERE = {
    **dict.fromkeys(("LayerScale", "StochasticDepth"), "keras.src.applications.convnext"),
    "CustomScaleLayer": "keras.src.applications.inception_resnet_v2",
}
#: Modules of Keras' operations.
_OPERATIONS = ("numpy", "nn", "math", "core", "image", "linalg")


def operation_module(node: dict[str, Any]) -> str | None:
    """Where Keras 3 has the operation, such as that of keras.ops.mean, which it wrote to an .h5 file without a module.

    A layer may have the same name. What tells them apart is that every layer's configuration says "trainable".
    """
    config, calls = node.get("config"), node.get("inbound_nodes")
    if "module" in node or not calls or not isinstance(config, dict) or "trainable" in config:
        return None
    if not all(isinstance(call, dict) for call in calls):
        return None
    modules = (f"keras.src.ops.{name}" for name in _OPERATIONS)
    kind = str(node.get("class_name"))
    return next((name for name in modules if isinstance(getattr(_module(name), kind, None), type)), None)


def _module(name: str) -> Any:
    return importlib.import_module(name)


@functools.cache
def class_of(kind: str) -> type | None:
    """Keras' own layer class of that name."""
    found = getattr(_module(ELSEWHERE.get(kind, "keras.layers")), kind, None)
    return found if isinstance(found, type) else None
