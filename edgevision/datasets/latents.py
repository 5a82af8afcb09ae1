"""Inputs of generators: random latents by number, or stored ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets.arrays import load_arrays
from edgevision.runtime.errors import DatasetError

_CURE = "give a number of latents to draw, or write numpy.savez(path, INPUT=...)"


@dataclass(frozen=True, eq=False)
class LatentDataset:
    """Latents of a generator.

    Attributes:
        count: How many.
        arrays: By the input's name, samples first; None where each is drawn from the seed that is its index.
    """

    count: int
    arrays: Mapping[str, NDArray[Any]] | None = None

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> int | dict[str, NDArray[Any]]:
        if self.arrays is None:
            return index
        return {name: array[index : index + 1] for name, array in self.arrays.items()}


def drawn(shape: Sequence[int], seeds: Iterable[int]) -> NDArray[np.float32]:
    """What a predictor draws from each seed for its only input, float32 (seeds, *shape)."""
    return np.concatenate([np.random.default_rng(seed).standard_normal((1, *shape), np.float32) for seed in seeds])


def open_latents(data: str | Path) -> LatentDataset:
    """Latents to make images from.

    Args:
        data: A whole number: so many, drawn from the seeds 0, 1, ...; or an .npz of arrays by input, samples first.

    Raises:
        DatasetError: It is neither.
    """
    text = str(data)
    if text.isdecimal() and int(text) > 0:
        return LatentDataset(int(text))
    path = Path(data)
    if not path.is_file():
        got = "nothing at that path" if not path.exists() else "a folder"
        raise DatasetError(f"{data} holds no latents", expected="a whole number or an .npz", got=got, cure=_CURE)
    arrays = load_arrays(path, _CURE)
    counts = {array.shape[0] if array.ndim else 0 for array in arrays.values()}
    if len(counts) != 1 or 0 in counts:
        got = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "no arrays"
        expected = "arrays with as many samples each, one or more"
        raise DatasetError(f"{data} holds no latents", expected=expected, got=got, cure=_CURE)
    return LatentDataset(counts.pop(), arrays)
