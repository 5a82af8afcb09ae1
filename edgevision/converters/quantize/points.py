"""Where integer kernels write 8-bit values: the tensors that need a grid of their own."""

from __future__ import annotations

from collections.abc import Iterator

from edgevision.converters.quantize.fake_quant import FIXED_RANGES, PIXELS, Range
from edgevision.converters.quantize.graph import KERNEL_KINDS, Graph, Op

#: Kernels that compute in wide integers and requantise, with a ReLU behind them for free.
_REQUANTISING = (*KERNEL_KINDS, "Add")
#: Values come out as they went in: they are on the grid already, if they were on one.
ON_GRID = ("MaxPooling2D", "Reshape", "Moved")
#: These as well, but what they write is rounded or padded anew: TFLite's average pool cannot requantise, and a
#: leaky ReLU with a grid of its own rounds a second time what it lets pass, in TFLite by a factor of 8 bits (48 dB).
#: "Beside" changes nothing, but exporters know a concatenation only with a grid behind it.
GRID_OF_INPUT = (*ON_GRID, "AveragePooling2D", "ZeroPadding2D", "UpSampling2D", "LeakyReLU", "Beside")
#: In float, computed or given: what they write is rounded only where an integer kernel reads it.
_FLOAT = ("Kept", "Pick", "Input")


def is_fused(graph: Graph, op: Op) -> bool:
    """Whether ``op`` computes and a ReLU behind it is part of the same kernel, so nothing is rounded in between."""
    behind = graph.sole_consumer(op.name)
    return op.kind in _REQUANTISING and behind is not None and behind.kind == "ReLU"


def rounded_by(graph: Graph, op: Op) -> str:
    """The operation whose grid the result of ``op`` is rounded to: its own, or that of a ReLU in the same kernel."""
    return graph.consumers(op.name)[0].name if is_fused(graph, op) else op.name


def has_form(op: Op) -> bool:
    """Whether ``op`` computes, and has an 8-bit form."""
    return op.kind not in ("Input", *GRID_OF_INPUT, *_FLOAT)


def is_float(op: Op) -> bool:
    """Whether ``op`` computes in float: what it writes is rounded only where an integer kernel reads it."""
    return op.kind in _FLOAT or bool(op.float_reason)


def is_float_tail(graph: Graph, op: Op) -> bool:
    """Whether ``op`` is a closing softmax, sigmoid or tanh: left in float, so that scores are not rounded to 1/256.

    It is a handful of values behind the last multiply-accumulate; the artifact's output is float32 in any case.
    """
    return op.kind == "Activation" and op.name in graph.outputs.values() and not graph.consumers(op.name)


def writes_grid(graph: Graph, op: Op) -> bool:
    """Whether a range belongs to the output of ``op`` itself: seen on images, or given."""
    if op.kind in GRID_OF_INPUT or is_fused(graph, op) or is_float_tail(graph, op):
        return False
    return not is_float(op) or _is_pixels(op) or any(integer_readers(graph, op.name))


def _is_pixels(op: Op) -> bool:
    return op.kind == "Input" and op.dtype == "uint8"


def integer_readers(graph: Graph, name: str) -> Iterator[Op]:
    """The integer kernels that take ``name``, directly or through operations that only move values."""
    for reader in graph.consumers(name):
        if reader.kind in GRID_OF_INPUT:
            yield from integer_readers(graph, reader.name)
        elif not is_float(reader) and not is_float_tail(graph, reader):
            yield reader


def logits_point(graph: Graph) -> str | None:
    """The operation that writes a classifier's logits: the output, or what a closing softmax or sigmoid takes."""
    last = graph.ops[graph.output]
    if is_float_tail(graph, last):
        last = graph.ops[last.inputs[0]]
    return last.name if last.has_kernel else None


def measured_points(graph: Graph) -> list[str]:
    """Operations whose output range has to be seen on calibration images."""
    return [op.name for op in graph if writes_grid(graph, op) and _given(op) is None]


def value_grids(graph: Graph, measured: dict[str, Range]) -> dict[str, Range]:
    """The grid that the output values of each operation lie on; operations that write wide or float values are absent.

    Args:
        graph: The graph.
        measured: A grid for each of ``measured_points``.
    """
    grids: dict[str, Range] = {}
    for op in graph:
        if op.kind in GRID_OF_INPUT:
            grid = grids.get(op.inputs[0])
        else:
            grid = (_given(op) or measured.get(op.name)) if writes_grid(graph, op) else None
        if grid is not None:
            grids[op.name] = grid
    return grids


def rounded_outputs(graph: Graph, grids: dict[str, Range]) -> dict[str, Range]:
    """Of ``value_grids``, those that a fake-quantise has to enforce: the rest is on its grid already."""
    return {op.name: grids[op.name] for op in graph if op.name in grids and op.kind not in ON_GRID}


def _given(op: Op) -> Range | None:
    """The grid that is known without looking."""
    if _is_pixels(op):
        return PIXELS
    return FIXED_RANGES.get(op.config["activation"]) if op.kind == "Activation" else None
