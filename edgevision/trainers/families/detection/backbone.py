"""The small MobileNet below the detectors' heads, and the neck that joins its scales."""

from __future__ import annotations

from typing import Any

from edgevision.runtime.errors import InputError
from edgevision.trainers.engine import import_keras

#: Pixels of the input per cell of each level.
STRIDES = (8, 16, 32)
#: Logit of the share of places that have an object at first, a hundredth (Lin et al. 2017, section 4.1).
RARE = -4.6
#: What all detectors want of the recipe.
DEFAULTS: dict[str, Any] = {
    "input_size": (256, 256),
    "epochs": 60,
    "batch_size": 8,
    "learning_rate": 2e-3,
    "optimizer": "adamw",
    "weight_decay": 1e-4,
    "gradient_clip": 10.0,
    "warmup": 2.0,
    "augment": ("flip",),
}
#: (channels, stride) of the separable convolutions behind the first one, at width 1.
_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 2), (512, 1))
_STEM = 32
#: Statistics follow within an epoch of a few dozen steps.
_MOMENTUM = 0.95


def scales(image: Any, width: float) -> list[Any]:
    """Maps of ``STRIDES``, (batch, H / stride, W / stride, channels), finest first.

    MobileNet (Howard et al. 2017) with two of its blocks at each scale.

    Args:
        image: keras tensor (batch, H, W, C).
        width: Factor of the channels.
    """
    counts = [max(8, round(count * width / 8) * 8) for count in (_STEM, *(count for count, _ in _BLOCKS))]
    tensor = convolved(image, counts[0], "stem", kernel=3, strides=2)
    found = []
    for number, (count, (_, stride)) in enumerate(zip(counts[1:], _BLOCKS), 1):
        tensor = separable(tensor, count, f"block{number}", strides=stride)
        if number in (5, 7, 9):
            found.append(tensor)
    return found


def pyramid(image: Any, width: float, channels: int) -> list[Any]:
    """``scales`` joined from coarse to fine, (batch, H / stride, W / stride, channels) each.

    Lin et al. 2017, "Feature Pyramid Networks for Object Detection".
    """
    layers = import_keras().layers
    maps = zip(STRIDES, scales(image, width))
    found = [convolved(tensor, channels, f"lateral{stride}") for stride, tensor in maps]
    for index in (1, 0):
        wider = layers.UpSampling2D(name=f"up{STRIDES[index]}")(found[index + 1])
        joined = layers.Add(name=f"join{STRIDES[index]}")([found[index], wider])
        found[index] = separable(joined, channels, f"neck{STRIDES[index]}")
    return found


def separable(tensor: Any, channels: int, name: str, *, strides: int = 1) -> Any:
    """A 3x3 convolution of each channel and a 1x1 one across them, each normalised, with ReLU."""
    layers = import_keras().layers
    depth = layers.DepthwiseConv2D(
        3, strides=strides, padding="same", use_bias=False, depthwise_initializer="he_normal", name=f"{name}_depth"
    )(tensor)
    return convolved(_normalized(depth, f"{name}_depth"), channels, name)


def convolved(tensor: Any, channels: int, name: str, *, kernel: int = 1, strides: int = 1) -> Any:
    """A convolution, normalised, with ReLU."""
    layers = import_keras().layers
    made = layers.Conv2D(
        channels, kernel, strides, "same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(tensor)
    return _normalized(made, name)


def outputs(tensor: Any, channels: int, name: str, bias: float = 0.0) -> Any:
    """A 1x1 convolution without an activation; its weights begin so small that all places begin alike."""
    keras = import_keras()
    return keras.layers.Conv2D(
        channels,
        1,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        bias_initializer=keras.initializers.Constant(bias),
        name=name,
    )(tensor)


def check_size(shape: tuple[int, ...], name: str) -> None:
    """Whether each level has twice as many rows and columns as the next.

    Raises:
        InputError: The input's sides are no multiples of the coarsest stride.
    """
    if shape[0] % STRIDES[-1] or shape[1] % STRIDES[-1]:
        sizes = f"multiples of {STRIDES[-1]}"
        raise InputError(f"the input does not suit {name}", expected=sizes, got=f"{shape[0]}x{shape[1]}")


def _normalized(tensor: Any, name: str) -> Any:
    layers = import_keras().layers
    normal = layers.BatchNormalization(momentum=_MOMENTUM, name=f"{name}_norm")(tensor)
    return layers.ReLU(name=f"{name}_relu")(normal)
