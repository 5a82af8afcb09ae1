"""Named arrays out of an .npz, as a model takes them that takes no images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets.arrays import load_arrays
from edgevision.runtime.errors import DatasetError

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Open:
    """What an input takes.

    Attributes:
        name: Its name, and that of its array.
        shape: Without the samples; None where the model takes any size.
        dtype: "float32" or "int32".
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str

    def __str__(self) -> str:
        sizes = ", ".join("any" if size is None else str(size) for size in self.shape)
        return f"{self.name} {self.dtype} (samples{', ' if sizes else ''}{sizes})"


def read_arrays(data: str | Path, inputs: Sequence[Open]) -> Arrays:
    """An array (samples, ...) for each input, in the inputs' order and dtypes.

    Integers become float32 where that is what the model takes, and float64 is rounded to it; nothing else is cast.

    Args:
        data: An .npz whose arrays bear the inputs' names; the first axis of each is the samples.
        inputs: What the model takes.

    Raises:
        DatasetError: The file is no .npz; a name is missing or one too many; a shape or dtype is not the input's; there
            is no sample, or not the same number in each; a value is not finite or does not fit into 32 bits.
    """
    path, expected = Path(data), "; ".join(map(str, inputs))
    names = ", ".join(f"{each.name}=..." for each in inputs)
    cure = f"write it with numpy.savez_compressed(path, {names}): one array per input, in the model's own units"
    if not path.is_file() or path.suffix.lower() != ".npz":
        raise DatasetError(
            f"{data} is no .npz, and the model takes no images",
            expected=f"an .npz of {expected}",
            got="a folder" if path.is_dir() else path.suffix or "nothing there",
            cure=cure,
        )
    arrays = load_arrays(path, cure)
    wrong = [name for name in arrays if name not in {each.name for each in inputs}]
    missing = [each.name for each in inputs if each.name not in arrays]
    if missing or wrong:
        problem = f"has no array {missing[0]!r}" if missing else f"has an array {wrong[0]!r}, which is no input"
        raise DatasetError(f"{path} {problem}", expected=expected, got=", ".join(arrays) or "no arrays", cure=cure)
    found = {each.name: _checked(path, each, arrays[each.name]) for each in inputs}
    counts = {name: len(array) for name, array in found.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        got = ", ".join(f"{name} {count}" for name, count in counts.items())
        expected = "the same number of samples, at least one, in each array"
        raise DatasetError(f"{path} has no samples that match", expected=expected, got=got)
    return found


def _checked(path: Path, given: Open, array: NDArray[Any]) -> NDArray[Any]:
    fits = array.ndim == 1 + len(given.shape) and all(a in (None, b) for a, b in zip(given.shape, array.shape[1:]))
    kinds = "iu" if given.dtype == "int32" else "iuf"
    if not fits or array.dtype.kind not in kinds or 0 in array.shape[1:]:
        raise DatasetError(
            f"array {given.name!r} of {path} is not what the model takes",
            expected=str(given),
            got=f"{array.dtype} {array.shape}",
            cure="give what the model was trained on, in its own units",
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(np.argwhere(~np.isfinite(array))[0][0])
        raise DatasetError(
            f"array {given.name!r} of {path} has values that are not finite",
            expected="no NaN and no infinity",
            got=f"one in sample {bad}",
        )
    with np.errstate(over="ignore"):  # what does not fit is told below
        cast = array.astype(given.dtype)
    if given.dtype == "int32" and not np.array_equal(cast, array):
        raise DatasetError(f"array {given.name!r} of {path} does not fit into 32 bits", got=f"up to {array.max()}")
    if given.dtype == "float32" and not np.isfinite(cast).all():
        raise DatasetError(f"array {given.name!r} of {path} does not fit into float32", got=f"up to {array.max()}")
    return cast
