"""A Keras model's inputs and outputs: do they make a classifier, and with which names and shapes is it converted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevision.converters.formats.exported import INPUT, OUTPUT
from edgevision.converters.quantize.graph import Op
from edgevision.converters.tensor_arrays import Open, read_arrays
from edgevision.runtime.errors import InputError, ModelError
from edgevision.runtime.heads import Head
from edgevision.runtime.heads.classes import SequenceHead


@dataclass(frozen=True)
class Ends:
    """Where values go into a model and come out.

    Attributes:
        is_classifier: Whether it is one image in, (batch, classes) out, or a window of frames that is one class.
        inputs: An "Input" per input, in the model's order.
        outputs: A name per output, in the model's order.
        image: (H, W, C) when the only input is an image, or frames of that; it is then raw pixels, uint8.
    """

    is_classifier: bool
    inputs: tuple[Op, ...]
    outputs: tuple[str, ...]
    image: tuple[int, int, int] | None


def settle_ends(
    model: Any,
    name: str,
    input_size: Sequence[int] | None = None,
    calibration: str | Path | None = None,
    *,
    head: Head | None = None,
) -> Ends:
    """Inputs and outputs with all sizes known.

    Args:
        model: keras.Model.
        name: What to call it in errors.
        input_size: (height, width), pixels, for an image input that leaves them open.
        calibration: The .npz whose arrays fix what other inputs leave open.
        head: What the outputs are, where they are known to be something else than the scores of one class of an image.

    Raises:
        ModelError: The model is neither functional nor sequential, or takes what cannot be fed.
        InputError: A size is missing or contradicts the model.
        DatasetError: The calibration arrays are not the model's inputs.
    """
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    if not inputs or not outputs:
        got = f"{len(inputs)} inputs and {len(outputs)} outputs"
        raise ModelError(f"{name} does not say what it takes", expected="a functional or sequential model", got=got)
    shape = tuple(inputs[0].shape)
    is_image = len(inputs) == 1 and len(shape) == 4 and shape[3] in (1, 3)
    if is_image and len(outputs) == 1 and len(outputs[0].shape) == 2 and head is None:
        image = image_shape(shape, name, input_size)
        return Ends(True, (Op(INPUT, "Input", [], image, dtype="uint8"),), (OUTPUT,), image)
    names = _valid([_input_name(tensor) for tensor in inputs] + _output_names(model))
    taken, given = names[: len(inputs)], tuple(names[len(inputs) :])
    if is_image:
        image = image_shape(shape, name, input_size)
        return Ends(False, (Op(taken[0], "Input", [], image, dtype="uint8"),), given, image)
    if isinstance(head, SequenceHead) and len(inputs) == 1 and len(shape) == 5 and shape[4] in (1, 3):
        frames, image = _frames(shape, name), image_shape((None, *shape[2:]), name, input_size)
        return Ends(True, (Op(taken[0], "Input", [], (frames, *image), dtype="uint8"),), given, image)
    found = [_open(tensor, key, name) for tensor, key in zip(inputs, taken)]
    return Ends(False, tuple(_fixed(found, name, calibration)), given, None)


def refuse_image_options(name: str, preprocess: str | None, input_size: Sequence[int] | None) -> None:
    """Options that say something about pixels, for a model that takes none.

    Raises:
        InputError: One is given.
    """
    for option, value in (("--preprocess", preprocess), ("--input-size", input_size)):
        if value is not None:
            raise InputError(
                f"{option} is for images, and {name} takes other arrays",
                got=str(value),
                cure=f"leave {option} out: the arrays of --calibration are in the model's own units",
            )


def image_shape(shape: tuple[Any, ...], name: str, input_size: Sequence[int] | None) -> tuple[int, int, int]:
    """(H, W, C), pixels, of an image input.

    Args:
        shape: (batch, H, W, C); None where the model leaves it open.
        name: What to call the model in errors.
        input_size: (height, width), pixels, if given.

    Raises:
        InputError: A size is missing, not usable, or contradicts the model.
    """
    fixed = shape[1:3]
    if input_size is not None and any(size not in (None, asked) for size, asked in zip(fixed, input_size)):
        raise InputError(
            "--input-size contradicts the model",
            expected=f"{fixed[0]}x{fixed[1]}",
            got=f"{input_size[0]}x{input_size[1]}",
        )
    if input_size is not None and min(input_size) < 1:
        raise InputError("--input-size is not usable", expected="at least 1x1", got=f"{input_size[0]}x{input_size[1]}")
    height, width = input_size or fixed
    if height is None or width is None:
        raise InputError(
            f"{name} leaves its input size open", expected="a size", got=str(shape), cure="give --input-size HxW"
        )
    return int(height), int(width), int(shape[3])


def _frames(shape: tuple[Any, ...], name: str) -> int:
    if shape[1] is None:
        cure = "build it with keras.Input((frames, height, width, channels))"
        raise InputError(f"{name} leaves its number of frames open", expected="a number", got=str(shape), cure=cure)
    return int(shape[1])


def _input_name(tensor: Any) -> str:
    """The input layer's name: a tensor's own is counted up wherever nobody gave one."""
    history = getattr(tensor, "_keras_history", None)
    return str(getattr(getattr(history, "operation", None), "name", tensor.name))


def _output_names(model: Any) -> list[str]:
    """The keys of a dict of outputs, else the layers that make them."""
    import keras

    made = getattr(model, "_outputs_struct", None)
    if isinstance(made, dict) and len(made) == len(model.outputs):
        by_tensor = {id(tensor): key for key, tensor in made.items()}
        if all(id(tensor) in by_tensor for tensor in model.outputs):
            return [by_tensor[id(tensor)] for tensor in model.outputs]
    names: list[str] = keras.Model(model.inputs, model.outputs).output_names
    return names


def _valid(names: Sequence[str]) -> list[str]:
    """The names with nothing in them that a format refuses, each once."""
    found: list[str] = []
    for name in names:
        base = re.sub(r"[^0-9A-Za-z_]", "_", name)
        base = base if base[:1].isalpha() else f"tensor_{base}"
        unique, number = base, 1
        while unique in found:
            unique, number = f"{base}_{number}", number + 1
        found.append(unique)
    return found


def _open(tensor: Any, key: str, name: str) -> Open:
    dtype = str(tensor.dtype)
    kind = "float32" if "float" in dtype else "int32" if dtype in ("int32", "int64", "uint8", "int8", "int16") else None
    if kind is None:
        raise ModelError(f"input {key!r} of {name} cannot be fed", expected="float or integer values", got=dtype)
    return Open(key, tuple(tensor.shape[1:]), kind)


def _fixed(inputs: Sequence[Open], name: str, calibration: str | Path | None) -> list[Op]:
    shapes: dict[str, tuple[int, ...]] = {each.name: tuple(size or 0 for size in each.shape) for each in inputs}
    if any(None in each.shape for each in inputs):
        if calibration is None:
            raise InputError(
                f"{name} leaves a size of its inputs open",
                expected="calibration arrays, which fix it",
                got=", ".join(map(str, inputs)),
            )
        shapes = {key: array.shape[1:] for key, array in read_arrays(calibration, inputs).items()}
    return [Op(each.name, "Input", [], shapes[each.name], dtype=each.dtype) for each in inputs]
