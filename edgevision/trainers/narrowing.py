"""Pruning to a width: whole channels go, so that every engine computes less.

Channels of a convolution or dense layer go by the size of their weights (Li et al. 2017, "Pruning Filters for Efficient
ConvNets"), times what the batch norm behind them multiplies with. Channels that are added to others' (residual sums),
concatenated or answered stay: in residual blocks the inner convolutions become narrower.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.errors import InputError
from edgevision.trainers.engine import import_keras

Places = NDArray[np.int64]

#: Each channel of what comes in goes out as the same channel.
_PASSING = (
    "BatchNormalization",
    "Activation",
    "ReLU",
    "LeakyReLU",
    "Dropout",
    "SpatialDropout2D",
    "MaxPooling2D",
    "AveragePooling2D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "ZeroPadding2D",
    "UpSampling2D",
    "DepthwiseConv2D",
    "Flatten",
)
#: Axis of the kernel that counts what comes in.
_INPUT_AXES = {"Conv2D": 2, "Dense": 0, "Conv2DTranspose": 3}
#: Widths stay multiples of this, which integer kernels compute at once.
_MULTIPLE = 8


def narrowed(model: Any, keep: float) -> Any:
    """A narrower keras.Model with the weights that matter most.

    Args:
        model: A functional model of layers that are each used once.
        keep: Share of the channels that stay, 0 < keep <= 1, of each layer that can lose some; rounded up to a multiple
            of 8.

    Raises:
        InputError: No layer can lose channels.
    """
    keras = import_keras()
    kept: dict[str, Places] = {}  # channels that stay of what each layer writes
    readers: dict[str, Places] = {}  # and of what each layer with a kernel reads
    for layer in model.layers:
        if type(layer).__name__ in ("Conv2D", "Dense") and getattr(layer, "groups", 1) == 1:
            chosen = _chosen(layer, keep)
            found = None if len(chosen) == _width(layer) else _follow(model, layer, chosen)
            if found is not None:
                kept.update({layer.name: chosen, **found[0]})
                readers.update(found[1])
    if not readers:
        got = "channels that are added, concatenated or answered"
        raise InputError(f"{model.name} cannot become narrower", expected="layers in a row", got=got)

    def clone(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in kept and type(layer).__name__ in ("Conv2D", "Dense"):
            config["filters" if "filters" in config else "units"] = len(kept[layer.name])
        return type(layer).from_config(config)

    made = keras.models.clone_model(model, clone_function=clone)
    for layer in made.layers:
        if layer.weights:
            weights = model.get_layer(layer.name).get_weights()
            layer.set_weights([*_sliced(layer, weights, kept.get(layer.name), readers.get(layer.name))])
    return made


def _width(layer: Any) -> int:
    return int(layer.kernel.shape[-1])


def _chosen(layer: Any, keep: float) -> Places:
    width = _width(layer)
    count = min(width, max(1, -(-round(width * keep) // _MULTIPLE)) * _MULTIPLE)
    kernel = np.asarray(layer.kernel)
    worth = np.sqrt(np.square(kernel.reshape(-1, width)).sum(0))
    behind = _consumers(layer)
    if len(behind) == 1 and type(behind[0]).__name__ == "BatchNormalization" and behind[0].scale:
        norm = behind[0]
        worth = worth * np.abs(norm.gamma) / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
    return np.sort(np.argsort(-worth, kind="stable")[:count])


def _consumers(layer: Any) -> list[Any]:
    return [node.operation for node in layer._outbound_nodes]


def _follow(model: Any, layer: Any, chosen: Places) -> tuple[dict[str, Places], dict[str, Places]] | None:
    """Layers that pass the channels on, and those that read them; None where some other layer takes them."""
    passing: dict[str, Places] = {}
    reading: dict[str, Places] = {}
    ends = {tensor._keras_history.operation.name for tensor in model.outputs}
    todo = [(layer, chosen)]
    while todo:
        at, places = todo.pop()
        if at.name in ends or len(at._inbound_nodes) != 1:
            return None
        for behind in _consumers(at):
            kind = type(behind).__name__
            if kind in _INPUT_AXES and getattr(behind, "groups", 1) == 1:
                reading[behind.name] = places
            elif kind in _PASSING and getattr(behind, "depth_multiplier", 1) == 1:
                flat = _flattened(behind, places) if kind == "Flatten" else places
                passing[behind.name] = flat
                todo.append((behind, flat))
            else:
                return None
    return passing, reading


def _flattened(layer: Any, places: Places) -> Places:
    shape = layer.input.shape[1:]
    before: Places = np.arange(int(np.prod(shape[:-1])))[:, None] * shape[-1] + places
    return before.ravel()


def _sliced(layer: Any, weights: list[Any], kept: Places | None, read: Places | None) -> Iterator[Any]:
    kind = type(layer).__name__
    for weight in weights:
        if read is not None and weight.ndim > 1:
            weight = np.take(weight, read, axis=_INPUT_AXES[kind])
        if kept is not None:
            weight = np.take(weight, kept, axis=2 if kind == "DepthwiseConv2D" and weight.ndim == 4 else -1)
        yield weight
