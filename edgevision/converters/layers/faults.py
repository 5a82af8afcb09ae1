"""Whether each layer of an int8 file computes what the quantised Keras model does, on what the file's own takes in.

At its end a deep network shows what it has made of every rounding on the way. Here each layer starts anew, so that what
is left is its own.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.converters.layers.opened import OpenedFile, compiled
from edgevision.converters.layers.sums import Signal, Values
from edgevision.converters.quantize.build import build_model, build_pieces
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.observe import Batch
from edgevision.converters.quantize.quantize import Quantized
from edgevision.runtime.manifest import Artifact

#: What a channel of a layer may differ by, root mean square, steps of its grid. In right files single values differ,
#: by one.
MOST_STEPS = 1.0
#: Of an output in float such a share of what tells samples apart stands for a step: TFLite rounds logits.
_FLOAT_STEP = 1 / 8


def looked_into(artifact: Artifact, quantized: Quantized, folder: Path, batch: Batch) -> Artifact:
    """A checked artifact; one in int8 that misses parity with its first wrong layer, if there is one.

    Args:
        artifact: With its ``parity``.
        quantized: What it was made from.
        folder: Where its files are.
        batch: A few samples, (n, ...) per input, images as raw pixels.
    """
    parity = artifact.parity
    if parity is None or parity.passed or artifact.precision != "int8":
        return artifact
    fault = first_fault(quantized, artifact, folder, batch)
    return dataclasses.replace(artifact, parity=dataclasses.replace(parity, fault=fault))


def first_fault(quantized: Quantized, artifact: Artifact, folder: Path, batch: Batch) -> str | None:
    """The first layer that computes something else, as "NAME by 4.2 steps".

    Args:
        quantized: What the file was made from.
        artifact: In int8.
        folder: Where its files are.
        batch: A few samples, (n, ...) per input, images as raw pixels.
    """
    file, graph, ranges = OpenedFile(artifact, folder, quantized, is_one_run=True), quantized.graph, quantized.ranges
    names = [op.name for op in graph if op.name in file.names]
    whole = compiled(build_model(graph, ranges, outputs=names, whole=True))
    pieces = compiled(build_pieces(graph, names, ranges))
    errors = {name: _Error(ranges.get(name)) for name in names}
    for index in range(min(len(array) for array in batch.values())):
        sample = {name: array[index : index + 1] for name, array in batch.items()}
        sources = [sample[op.name].astype("int32" if op.dtype == "int32" else "float32") for op in graph.inputs]
        found = file.values(sample, whole(sources))
        alone = pieces([*sources, *(found[name] for name in names)])
        for name in names:
            errors[name].see(alone[name], found[name])
    steps = {name: error.steps for name, error in errors.items()}
    return next((f"{name} by {value:.1f} steps" for name, value in steps.items() if value > MOST_STEPS), None)


class _Error:
    """What a layer differs by, channel by channel."""

    def __init__(self, grid: Range | None) -> None:
        self._grid, self._count, self._signal = grid, 0, Signal()
        self._squares: Any = 0.0

    def see(self, expected: Values, found: Values) -> None:
        """Values (1, ..., channels)."""
        self._signal.see(expected)
        self._count += expected.size
        self._squares += np.square(found - expected, dtype=np.float64).reshape(-1, expected.shape[-1]).sum(0)

    @property
    def steps(self) -> float:
        """Of the worst channel, root mean square."""
        step = _FLOAT_STEP**2 * self._signal.power / self._count if self._grid is None else self._grid.scale**2
        mean = self._squares.max() * self._squares.size / self._count
        return float((mean / max(step, 1e-18)) ** 0.5)
