"""Calibration arrays for models that take no images: the same three groups as ``calibration.CalibrationSet``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.calibration import overlap, split
from edgevision.converters.quantize.convergence import Convergence
from edgevision.converters.quantize.graph import Op
from edgevision.converters.quantize.observe import Batch
from edgevision.converters.tensor_arrays import Arrays, Open, read_arrays
from edgevision.datasets.latents import drawn

#: Share of evaluation values beyond everything calibrated with, which grids cut off, that is worth a warning.
_OUTSIDE = 0.01
#: Latents are drawn from other seeds than those that ``evaluate`` and users begin with.
_FIRST_SEED = 1_000_000


@dataclass(frozen=True)
class InputReport:
    """One input's calibration arrays: its name, shape without the samples, dtype, least and greatest value."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    least: float
    greatest: float


@dataclass(frozen=True)
class TensorReport:
    """The samples that set ranges and chose between candidates.

    Attributes:
        samples: How many.
        distinct: How many different ones.
        inputs: What each input was given.
        sha256: Content hash of all samples used, the judging ones included.
        convergence: How far the ranges settled; None when none had to be measured.
    """

    samples: int
    distinct: int
    inputs: tuple[InputReport, ...]
    sha256: str
    convergence: Convergence | None

    @property
    def words(self) -> str:
        """One line: count and the span of each input."""
        parts = [f"{self.samples} samples"]
        if self.distinct < self.samples:
            parts.append(f"{self.distinct} different")
        return ", ".join([*parts, *(f"{each.name} {each.least:.4g} to {each.greatest:.4g}" for each in self.inputs)])


class TensorRows:
    """Some samples of named arrays."""

    def __init__(self, arrays: Arrays, rows: NDArray[np.int64]) -> None:
        self._arrays, self._rows = arrays, rows

    def __len__(self) -> int:
        return len(self._rows)

    def batches(self, size: int = 32) -> Iterator[Batch]:
        """{input name: (n, ...)} with n = ``size`` but in the last one."""
        for start in range(0, len(self), size):
            yield self.head(size, start)

    def head(self, count: int, start: int = 0) -> Batch:
        """Up to ``count`` samples from ``start`` on, {input name: (n, ...)}."""
        rows = self._rows[start : start + count]
        return {name: array[rows] for name, array in self._arrays.items()}

    def first(self, count: int) -> TensorRows:
        """The first ``count`` samples."""
        return TensorRows(self._arrays, self._rows[:count])

    def with_more(self, others: TensorRows) -> TensorRows:
        """These samples and others of the same arrays."""
        return TensorRows(self._arrays, np.concatenate([self._rows, others._rows]))

    @property
    def names(self) -> tuple[str, ...]:
        """Which row of the arrays each sample is."""
        return tuple(f"row {row}" for row in self._rows)

    def digests(self) -> tuple[bytes, ...]:
        """sha256 of each sample, all inputs together."""
        return tuple(self._digest(row) for row in self._rows)

    def _digest(self, row: int) -> bytes:
        digest = hashlib.sha256()
        for name, array in sorted(self._arrays.items()):
            digest.update(f"{name} {array.dtype} {array.shape[1:]} ".encode())
            digest.update(np.ascontiguousarray(array[row]).tobytes())
        return digest.digest()


class TensorSet:
    """Samples in three groups: one sets ranges, one chooses between candidates, one judges the result.

    Attributes:
        ranges: At most 500 samples.
        choice: At most 200.
        judgement: At most 1,000; the gate uses them when there is no evaluation data.
        is_shared: Whether there were too few samples for three groups, so that each group is all of them.
        rest: What no group took; only fine-tuning looks at them.
        count: How many samples are used.
        sha256: Content hash of all of them.
    """

    def __init__(self, data: str | Path, inputs: Sequence[Op], *, seed: int = 0) -> None:
        arrays = check(data, inputs)
        groups, self.is_shared = split(len(next(iter(arrays.values()))), seed)
        self.ranges, self.choice, self.judgement = (TensorRows(arrays, rows) for rows in groups)
        self._inputs = inputs
        used = groups[0] if self.is_shared else np.concatenate(groups)
        self.rest = TensorRows(arrays, np.setdiff1d(np.arange(len(next(iter(arrays.values())))), used))
        self.count = len(used)
        self.sha256 = content_hash(TensorRows(arrays, used))

    def report(self, labels: Sequence[str] = (), convergence: Convergence | None = None) -> TensorReport:
        """What the samples that set ranges and chose are like; ``labels`` mean nothing here."""
        used = self._used()
        arrays = used.head(len(used))
        inputs = (
            InputReport(op.name, op.shape, op.dtype, float(arrays[op.name].min()), float(arrays[op.name].max()))
            for op in self._inputs
        )
        distinct = len(set(used.digests()))
        return TensorReport(len(used), distinct, tuple(inputs), self.sha256, convergence)

    def overlap(self, judged: TensorRows, more: Iterable[bytes] = ()) -> int:
        """How many samples that set ranges or chose, or that ``more`` digests are of, are among the judging ones."""
        return overlap(self._used().digests(), judged.digests(), more)

    def warnings(self, judged: TensorRows | None) -> tuple[str, ...]:
        """What is odd about these samples, alone and beside the judging ones; None: those come from the same data."""
        used = self._used()
        arrays, distinct = used.head(len(used)), len(set(used.digests()))
        found = (
            [f"only {distinct} of {len(used)} calibration samples are different"] if 2 * distinct < len(used) else []
        )
        for name, values in () if judged is None else judged.head(len(judged)).items():
            low, high = arrays[name].min(), arrays[name].max()
            outside = float(((values < low) | (values > high)).mean())
            if outside > _OUTSIDE:
                found.append(f"{outside:.0%} of the evaluation values of {name} lie outside of {low:.4g} to {high:.4g}")
        return tuple(found)

    def _used(self) -> TensorRows:
        return self.ranges if self.is_shared else self.ranges.with_more(self.choice)


def check(data: str | Path, inputs: Sequence[Op]) -> Arrays:
    """The arrays of an .npz, found to be what the inputs take; of a whole number so many latents.

    Raises:
        DatasetError: They are not; the message names the expected inputs with their shapes.
    """
    text = str(data)
    if text.isdecimal() and int(text) > 0 and len(inputs) == 1 and inputs[0].dtype == "float32":
        return {inputs[0].name: drawn(inputs[0].shape, range(_FIRST_SEED, _FIRST_SEED + int(text)))}
    return read_arrays(data, [Open(op.name, op.shape, op.dtype) for op in inputs])


def judged_rows(data: str | Path, inputs: Sequence[Op]) -> TensorRows:
    """All samples of evaluation arrays."""
    arrays = check(data, inputs)
    return TensorRows(arrays, np.arange(len(next(iter(arrays.values())))))


def content_hash(rows: TensorRows) -> str:
    """Hex digest of samples in their order."""
    return hashlib.sha256(b"".join(rows.digests())).hexdigest()
