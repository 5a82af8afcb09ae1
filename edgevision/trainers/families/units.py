"""Parts that several families are built of: convolutions that fold into one integer kernel each.

With a ``name`` the layers are called NAME_conv, NAME_norm and NAME_relu, without one Keras numbers them.
"""

from __future__ import annotations

from typing import Any

from edgevision.runtime.errors import InputError
from edgevision.trainers.engine import import_keras

#: Of batch norms whose statistics follow within tens of steps: small data has few.
MOMENTUM = 0.9
#: Within dozens of steps, of batches of few images, whose own statistics are noisy.
STEADY = 0.95
#: Keras' own, for those that have hundreds.
SLOW = 0.99


def conv_unit(
    tensor: Any,
    filters: int,
    size: int = 3,
    strides: int = 1,
    dilation: int = 1,
    *,
    name: str = "",
    momentum: float = MOMENTUM,
) -> Any:
    """Convolution, batch normalisation, ReLU; zeros around the edge."""
    tensor = _convolved(tensor, filters, size, strides, dilation, name)
    return rectified(tensor, name=name, momentum=momentum)


def linear_unit(tensor: Any, filters: int, size: int = 3, strides: int = 1) -> Any:
    """Convolution and batch normalisation: what is added to something before its ReLU."""
    return normalized(_convolved(tensor, filters, size, strides))


def separable_unit(
    tensor: Any, filters: int, strides: int = 1, dilation: int = 1, *, name: str = "", momentum: float = MOMENTUM
) -> Any:
    """Depthwise and pointwise convolution, each with batch normalisation and ReLU (Howard et al. 2017).

    The depthwise one's layers are called NAME_depth, NAME_depth_norm and NAME_depth_relu.
    """
    layers, depth = import_keras().layers, _part(name, "depth")
    kernel = {"padding": "same", "use_bias": False, "depthwise_initializer": "he_normal"}
    tensor = layers.DepthwiseConv2D(3, strides=strides, dilation_rate=dilation, name=depth, **kernel)(tensor)
    tensor = rectified(tensor, name=depth or "", momentum=momentum)
    return conv_unit(tensor, filters, 1, name=name, momentum=momentum)


def shortcut(tensor: Any, filters: int, strides: int) -> Any:
    """The way around a residual block: a 1x1 convolution where the shape changes (He et al. 2016, option B)."""
    if strides == 1 and tensor.shape[-1] == filters:
        return tensor
    return linear_unit(tensor, filters, 1, strides)


def rectified(tensor: Any, *, name: str = "", momentum: float = MOMENTUM) -> Any:
    """Batch normalisation, ReLU."""
    tensor = normalized(tensor, name=name, momentum=momentum)
    return import_keras().layers.ReLU(name=_part(name, "relu"))(tensor)


def normalized(tensor: Any, *, name: str = "", momentum: float = MOMENTUM) -> Any:
    """Batch normalisation."""
    return import_keras().layers.BatchNormalization(momentum=momentum, name=_part(name, "norm"))(tensor)


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


def _convolved(tensor: Any, filters: int, size: int, strides: int, dilation: int = 1, name: str = "") -> Any:
    kernel = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal", "name": _part(name, "conv")}
    return import_keras().layers.Conv2D(filters, size, strides=strides, dilation_rate=dilation, **kernel)(tensor)


def _part(name: str, part: str) -> str | None:
    return f"{name}_{part}" if name else None
