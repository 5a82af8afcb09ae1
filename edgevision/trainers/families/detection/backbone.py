"""The small MobileNet below the detectors' heads, and the neck that joins its scales."""

from __future__ import annotations

import functools
from typing import Any

from edgevision.trainers.engine import import_keras
from edgevision.trainers.families.units import STEADY, conv_unit, separable_unit

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
convolved = functools.partial(conv_unit, momentum=STEADY)
separable = functools.partial(separable_unit, momentum=STEADY)


def scales(image: Any, width: float) -> list[Any]:
    """Maps of ``STRIDES``, (batch, H / stride, W / stride, channels), finest first.

    MobileNet (Howard et al. 2017) with two of its blocks at each scale.

    Args:
        image: keras tensor (batch, H, W, C).
        width: Factor of the channels.
    """
    counts = [max(8, round(count * width / 8) * 8) for count in (_STEM, *(count for count, _ in _BLOCKS))]
    tensor = convolved(image, counts[0], strides=2, name="stem")
    found = []
    for number, (count, (_, stride)) in enumerate(zip(counts[1:], _BLOCKS), 1):
        tensor = separable(tensor, count, stride, name=f"block{number}")
        if number in (5, 7, 9):
            found.append(tensor)
    return found


def pyramid(image: Any, width: float, channels: int) -> list[Any]:
    """``scales`` joined from coarse to fine, (batch, H / stride, W / stride, channels) each.

    Lin et al. 2017, "Feature Pyramid Networks for Object Detection".
    """
    layers = import_keras().layers
    maps = zip(STRIDES, scales(image, width))
    found = [convolved(tensor, channels, 1, name=f"lateral{stride}") for stride, tensor in maps]
    for index in (1, 0):
        wider = layers.UpSampling2D(name=f"up{STRIDES[index]}")(found[index + 1])
        joined = layers.Add(name=f"join{STRIDES[index]}")([found[index], wider])
        found[index] = separable(joined, channels, name=f"neck{STRIDES[index]}")
    return found


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
