"""What tensors look like and how pixels become one: frozen values, checked at birth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from edgevision.runtime.errors import InputError

ColorOrder = Literal["rgb", "bgr", "gray"]
ResizePolicy = Literal["stretch", "crop", "letterbox"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]

_DTYPES = ("float32", "float16", "uint8", "int8", "int16", "int32", "int64", "bool")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"{name} is unknown", expected=" or ".join(choices), got=repr(value))


@dataclass(frozen=True)
class QuantParams:
    """Affine quantisation of one tensor: real = scale * (stored - zero_point).

    Attributes:
        scale: Positive, finite.
        zero_point: The stored value that means 0.0.
    """

    scale: float
    zero_point: int

    def __post_init__(self) -> None:
        if not (self.scale > 0 and math.isfinite(self.scale)):
            raise InputError("quantisation scale is not usable", expected="a finite number > 0", got=str(self.scale))


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model.

    Attributes:
        name: The name that feeds and results carry.
        shape: All dimensions, batch included, e.g. (1, 224, 224, 3).
        dtype: numpy name of the element type, e.g. "uint8".
        quant: How stored integers map to real values; None when the values are the real ones.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    quant: QuantParams | None = None

    def __post_init__(self) -> None:
        _check_choice(f"dtype of tensor {self.name!r}", self.dtype, _DTYPES)
        if any(size < 1 for size in self.shape):
            raise InputError(
                f"shape of tensor {self.name!r} is not fixed", expected="dimensions >= 1", got=str(self.shape)
            )


@dataclass(frozen=True)
class Preprocessing:
    """From a decoded image, uint8 (H, W, 3) RGB, to what the model was trained on.

    Geometry is done on uint8 pixels; the model's numbers are ``(pixel - mean) * scale`` per channel.
    Artifacts that take uint8 do that arithmetic inside the graph, so the device does none of it.

    Attributes:
        height: Rows of the model's input, pixels.
        width: Columns of the model's input, pixels.
        color: Channel order of the input; "gray" has one channel (ITU-R 601-2 luma), the others three.
        resize: "stretch" to the input size; "crop" keeps the aspect ratio and cuts the centre;
            "letterbox" keeps the aspect ratio and pads with ``fill``.
        interpolation: Kernel of the resize.
        antialias: Widen the kernel when shrinking (what Pillow does); False samples the plain kernel
            (what ``tf.image.resize`` does by default).
        fill: Grey level of the letterbox border, 0..255.
        mean: Subtracted per channel, in pixel units 0..255, in the order of ``color``.
        scale: Multiplied per channel, in the order of ``color``.
    """

    height: int
    width: int
    color: ColorOrder = "rgb"
    resize: ResizePolicy = "stretch"
    interpolation: Interpolation = "bilinear"
    antialias: bool = True
    fill: int = 0
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        _check_choice("color", self.color, get_args(ColorOrder))
        _check_choice("resize", self.resize, get_args(ResizePolicy))
        _check_choice("interpolation", self.interpolation, get_args(Interpolation))
        if self.height < 1 or self.width < 1:
            raise InputError("input size is not usable", expected="at least 1x1", got=f"{self.height}x{self.width}")
        if not 0 <= self.fill <= 255:
            raise InputError("letterbox fill is not a grey level", expected="0..255", got=str(self.fill))
        for name, values in (("mean", self.mean), ("scale", self.scale)):
            if len(values) != self.channels or not all(math.isfinite(value) for value in values):
                raise InputError(f"{name} is not usable", expected=f"{self.channels} finite numbers", got=str(values))

    @property
    def channels(self) -> int:
        """Channels of the model's input: 1 for "gray", else 3."""
        return 1 if self.color == "gray" else 3

    @property
    def is_raw(self) -> bool:
        """Whether the model takes pixel values 0..255 as they are."""
        return not any(self.mean) and all(value == 1.0 for value in self.scale)


#: The usual conventions of the field: name -> (color, mean, scale), as in keras.applications'
#: ``preprocess_input`` modes ("tf", "torch", "caffe") plus raw pixels and pixels / 255.
NORMALIZATIONS: dict[str, tuple[ColorOrder, tuple[float, ...], tuple[float, ...]]] = {
    "raw": ("rgb", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "unit": ("rgb", (0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
    "tf": ("rgb", (127.5, 127.5, 127.5), (1 / 127.5, 1 / 127.5, 1 / 127.5)),
    "torch": ("rgb", (123.675, 116.28, 103.53), (1 / 58.395, 1 / 57.12, 1 / 57.375)),
    "caffe": ("bgr", (103.939, 116.779, 123.68), (1.0, 1.0, 1.0)),
}


def named_preprocessing(
    name: str,
    height: int,
    width: int,
    channels: int = 3,
    *,
    resize: ResizePolicy = "stretch",
    interpolation: Interpolation = "bilinear",
    antialias: bool = True,
    fill: int = 0,
) -> Preprocessing:
    """A usual convention by name, for an input of the given size; one-channel inputs get the first channel's numbers.

    Raises:
        InputError: The name is not one of ``NORMALIZATIONS``, or a colour convention meets a grey input.
    """
    _check_choice("preprocess", name, tuple(NORMALIZATIONS))
    color, mean, scale = NORMALIZATIONS[name]
    if channels == 1:
        if name in ("torch", "caffe"):
            raise InputError(
                f"preprocess {name!r} is for colour images", expected="3 channels", got="1", cure="use raw, unit or tf"
            )
        color, mean, scale = "gray", mean[:1], scale[:1]
    elif channels != 3:
        raise InputError("the model's input is not an image", expected="1 or 3 channels", got=str(channels))
    return Preprocessing(height, width, color, resize, interpolation, antialias, fill, mean, scale)
