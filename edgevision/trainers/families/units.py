"""Parts that several families are built of: convolutions that fold into one integer kernel each."""

from __future__ import annotations

from typing import Any

from edgevision.runtime.errors import InputError
from edgevision.trainers.engine import import_keras


def conv_unit(tensor: Any, filters: int, size: int = 3, strides: int = 1, dilation: int = 1) -> Any:
    """Convolution, batch normalisation, ReLU."""
    layers = import_keras().layers
    kernel = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
    tensor = layers.Conv2D(filters, size, strides=strides, dilation_rate=dilation, **kernel)(tensor)
    return layers.ReLU()(normalized(tensor))


def separable_unit(tensor: Any, filters: int, strides: int = 1, dilation: int = 1) -> Any:
    """Depthwise and pointwise convolution, each with batch normalisation and ReLU (Howard et al. 2017)."""
    layers = import_keras().layers
    kernel = {"padding": "same", "use_bias": False, "depthwise_initializer": "he_normal"}
    tensor = layers.DepthwiseConv2D(3, strides=strides, dilation_rate=dilation, **kernel)(tensor)
    return conv_unit(layers.ReLU()(normalized(tensor)), filters, 1)


def normalized(tensor: Any) -> Any:
    """Batch normalisation whose statistics follow within tens of steps: small data has few."""
    return import_keras().layers.BatchNormalization(momentum=0.9)(tensor)


def check_divisible(name: str, shape: tuple[int, ...], step: int) -> None:
    """Whether height and width come out even where the network halves them.

    Raises:
        InputError: One does not.
    """
    height, width = shape[:2]
    if height % step or width % step:
        near = "x".join(str(max(1, round(side / step)) * step) for side in (height, width))
        expected, cure = f"multiples of {step}", f"choose --input-size {near}"
        raise InputError(f"the input does not suit {name}", expected=expected, got=f"{height}x{width}", cure=cure)
