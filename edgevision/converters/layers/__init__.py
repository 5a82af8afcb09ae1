"""How each layer of each int8 file does beside Keras: layers.json of the bundle.

tflite.py, onnx.py and openvino.py have the same two verbs: ``tensors(path)`` lists what flows in a file, and
``reader(path, names)`` runs the file in its engine and hands out tensors from inside it. Engines fuse, rename and
transpose, so ``match.py`` finds an operation's tensor by the 8-bit grid it lies on.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.quantize.fake_quant import Range

#: A sample, (1, ...) per input, to real values float32 per tensor name and per output name, each with its batch of one.
Values = dict[str, NDArray[np.float32]]
Reader = Callable[[Mapping[str, NDArray[Any]]], tuple[Values, Values]]


@dataclass(frozen=True)
class Tensor:
    """A tensor in a model file.

    Attributes:
        name: Unique in the file; of an input its name in every artifact.
        sources: Names of the tensors it is computed from; constants are left out.
        grid: The 8-bit grid that was put on it; None for float values and for values that were only moved.
        size: Number of values; None where the file does not tell.
    """

    name: str
    sources: tuple[str, ...]
    grid: Range | None = None
    size: int | None = None


class Inside(Protocol):
    """The verbs of one format."""

    def tensors(self, path: Path) -> list[Tensor]:
        """Every tensor that depends on an input, each after those it is computed from; the inputs come first."""

    def reader(self, path: Path, names: Sequence[str], *, is_one_run: bool = False) -> Reader:
        """What runs the file in its engine and returns these tensors in real values, and its outputs.

        Where reading inside changes how the engine rounds, outputs come from another run without it, but for
        ``is_one_run``.
        """


def inside(format_name: str) -> Inside:
    """The module of a format: "tflite", "onnx" or "openvino"."""
    return cast(Inside, importlib.import_module(f"edgevision.converters.layers.{format_name}"))


def real(stored: NDArray[Any], grid: Range) -> NDArray[np.float32]:
    """Real values of 8-bit integers; int8 is uint8 moved by 128."""
    shift = 128 if stored.dtype == np.int8 else 0
    values: NDArray[np.float32] = (stored.astype(np.int32) + (shift - grid.zero_point)).astype(np.float32)
    values *= np.float32(grid.scale)
    return values
