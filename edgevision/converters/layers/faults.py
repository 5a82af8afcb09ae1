"""Whether each layer of an int8 file computes what the quantised Keras model does, on what the file's own takes in.

At its end a deep network shows what it has made of every rounding on the way. Here each layer starts anew, so that what
is left is its own.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from edgevision.converters.layers.opened import OpenedFile, compiled
from edgevision.converters.layers.sums import Signal, Values
from edgevision.converters.parity import LIMITS_DB
from edgevision.converters.quantize.build import build_model, build_pieces
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.observe import Batch
from edgevision.converters.quantize.quantize import Quantized
from edgevision.runtime.manifest import Artifact

#: What a layer may differ by, root mean square, steps of its grid. Those of right files stay below 0.1, and below 0.6
#: where many values lie half way between two steps; without one of its 96 channels, a layer is off by 4.
MOST_STEPS = 1.0
#: Of an output in float such a share of what tells samples apart stands for a step: TFLite rounds logits.
_FLOAT_STEP = 1 / 8


def looked_into(artifact: Artifact, quantized: Quantized, folder: Path, batch: Batch) -> Artifact:
    """A checked artifact; if it passed for its noise alone, with the verdict on its layers.

    Args:
        artifact: With its ``parity``.
        quantized: What it was made from.
        folder: Where its files are.
        batch: A few samples, (n, ...) per input, images as raw pixels.
    """
    parity = artifact.parity
    if parity is None or not parity.passed or parity.sqnr_db >= LIMITS_DB[artifact.precision]:
        return artifact
    fault = first_fault(quantized, artifact, folder, batch)
    return dataclasses.replace(artifact, parity=dataclasses.replace(parity, passed=fault is None, fault=fault))


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
    squares, units = dict.fromkeys(names, 0.0), {name: _Unit(ranges.get(name)) for name in names}
    for index in range(min(len(array) for array in batch.values())):
        sample = {name: array[index : index + 1] for name, array in batch.items()}
        sources = [sample[op.name].astype("int32" if op.dtype == "int32" else "float32") for op in graph.inputs]
        found = file.values(sample, whole(sources))
        alone = pieces([*sources, *(found[name] for name in names)])
        for name in names:
            squares[name] += float(np.square(found[name] - alone[name], dtype=np.float64).sum())
            units[name].see(alone[name])
    steps = {name: (squares[name] / units[name].squares) ** 0.5 for name in names}
    return next((f"{name} by {value:.1f} steps" for name, value in steps.items() if value > MOST_STEPS), None)


class _Unit:
    """Sum of squares of one step over all values of a layer."""

    def __init__(self, grid: Range | None) -> None:
        self._grid, self._count, self._signal = grid, 0, Signal()

    def see(self, values: Values) -> None:
        self._count += values.size
        self._signal.see(values)

    @property
    def squares(self) -> float:
        if self._grid is not None:
            return self._count * self._grid.scale**2
        return max(_FLOAT_STEP**2 * self._signal.power, 1e-18)
