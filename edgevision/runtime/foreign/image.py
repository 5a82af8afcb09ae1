"""The image input of a model that edgevision did not make: its size, its layout, and what its values mean."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from edgevision.runtime.encoding import PixelEncoding, range_of
from edgevision.runtime.errors import InputError
from edgevision.runtime.preprocess import real_table
from edgevision.runtime.spec import NORMALIZATIONS, Preprocessing, named_preprocessing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgevision.runtime.foreign import Said
    from edgevision.runtime.spec import ColorOrder, TensorSpec

#: Of two ranges, the least share of what either covers that both cover. Calibration images rarely reach the ends
#: of a range; other conventions share a half or less with each other.
_ALIKE = 0.75
_CURE = f"say what it was trained on: preprocess={', '.join(NORMALIZATIONS)}, or a Preprocessing"


def image_input(spec: TensorSpec, said: Said, leading: int, guessed: list[str], *, planar_first: bool) -> Preprocessing:
    """How images become this input.

    Args:
        spec: The input.
        said: What the user says.
        leading: Dimensions before those of one image: the batch, and of a window the frames.
        guessed: What had to be guessed is added here.
        planar_first: Which layout is meant where the shape fits both.

    Raises:
        InputError: The input is no image, what is said contradicts the model, or nothing is known of its values.
        BundleError: The input's dtype cannot hold images.
    """
    height, width, channels = _size(spec, leading, guessed, planar_first)
    if isinstance(said.preprocess, Preprocessing):
        p = said.preprocess
        if said.changes or said.color not in (None, p.color):
            got = f"color={said.color!r}, {dict(said.changes)}"
            raise InputError("preprocess holds all of it", expected="no other options", got=got)
        if (p.height, p.width, p.channels) != (height, width, channels):
            expected = f"{height}x{width} with {channels} channels"
            got = f"{p.height}x{p.width} with {p.channels} channels"
            raise InputError("preprocess contradicts the model's input", expected=expected, got=got)
    else:
        name = said.preprocess or _told_by_values(spec, said, guessed)
        p = _colored(named_preprocessing(name, height, width, channels), said.color)
        p = dataclasses.replace(p, **_widened(said.changes, channels))
        if said.color is None and name != "caffe" and channels == 3:
            guessed.append("colour order rgb: the model does not say")
        if "resize" not in said.changes:
            guessed.append("images are stretched to the input's size: the model does not say")
    PixelEncoding(spec, p, leading)
    _check_values(spec, p, guessed)
    return p


def _size(spec: TensorSpec, leading: int, guessed: list[str], planar_first: bool) -> tuple[int, int, int]:
    """Height, width and channels."""
    shape = spec.shape[leading:]
    last = len(shape) == 3 and shape[2] in (1, 3)
    first = len(shape) == 3 and shape[0] in (1, 3)
    if spec.shape[:1] == (1,) and len(shape) == 2:
        return shape[0], shape[1], 1
    if spec.shape[:1] != (1,) or not (last or first):
        expected = "(1, height, width, channels) or (1, channels, height, width) with 1 or 3 channels"
        got = f"{spec.name!r} {spec.dtype} {spec.shape}"
        raise InputError(
            "the model's input is no image", expected=expected, got=got, cure="load it with task='tensors'"
        )
    is_planar = first and (planar_first or not last)
    if first and last:
        guessed.append(f"layout {'channels first' if is_planar else 'channels last'} of {spec.shape}: both would fit")
    return (shape[1], shape[2], shape[0]) if is_planar else (shape[0], shape[1], shape[2])


def _told_by_values(spec: TensorSpec, said: Said, guessed: list[str]) -> str:
    """The convention that the input's type and quantisation tell of, where the user names none."""
    if "mean" in said.changes:
        return "raw"
    known = range_of(spec)
    if known is None and spec.dtype == "uint8":
        guessed.append("preprocess raw: the input is uint8 without quantisation")
        return "raw"
    if known is not None and spec.quant is not None:
        for name in ("raw", "unit", "tf"):
            table = real_table(named_preprocessing(name, 1, 1))
            if all(abs(a - b) <= spec.quant.scale for a, b in zip(known, (table.min(), table.max()))):
                guessed.append(f"preprocess {name}: the input's quantisation holds {_words(known)}")
                return name
    got = f"{spec.dtype} {spec.shape}" + (f" for values {_words(known)}" if known else "")
    raise InputError("what the model's pixels were scaled to is not known", expected="preprocess", got=got, cure=_CURE)


def _widened(changes: Mapping[str, Any], channels: int) -> dict[str, Any]:
    """The same, with one mean or scale for all channels as one for each."""
    return {
        name: value * channels if name in ("mean", "scale") and len(value) == 1 else value
        for name, value in changes.items()
    }


def _colored(p: Preprocessing, color: ColorOrder | None) -> Preprocessing:
    """In another channel order, its numbers with it."""
    if color is None or color == p.color:
        return p
    if "gray" in (color, p.color):
        raise InputError(
            "color contradicts the model's input", expected=f"{p.channels} channels", got=f"color={color!r}"
        )
    return dataclasses.replace(p, color=color, mean=p.mean[::-1], scale=p.scale[::-1])


def _check_values(spec: TensorSpec, p: Preprocessing, guessed: list[str]) -> None:
    """Refuses values that the input's quantisation was not made for; a difference within one step is none."""
    known, table = range_of(spec), real_table(p)
    if known is None or spec.quant is None:
        if spec.dtype == "uint8" and not p.is_raw:
            guessed.append("the graph normalises by itself: the input is uint8 without quantisation")
        elif spec.dtype.startswith(("uint", "int")) and not p.is_raw:
            got = f"{spec.dtype} without quantisation"
            raise InputError("preprocess contradicts the model's input", expected="preprocess='raw'", got=got)
        return
    made = (float(table.min()), float(table.max()))
    if all(abs(a - b) <= spec.quant.scale for a, b in zip(known, made)):
        return
    shared = min(known[1], made[1]) - max(known[0], made[0])
    if shared < _ALIKE * (max(known[1], made[1]) - min(known[0], made[0])):
        got = f"{_words(made)} from preprocessing"
        raise InputError(
            "preprocess contradicts the input's quantisation", expected=f"values {_words(known)}", got=got, cure=_CURE
        )
    guessed.append(f"preprocessing makes {_words(made)}, the input holds {_words(known)}: values beyond are cut")


def _words(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.4g}..{ends[1]:.4g}"
