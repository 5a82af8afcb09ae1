"""Grids that fit each other, so that values are not rounded twice on their way from kernel to kernel."""

from __future__ import annotations

from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Graph, Op
from edgevision.converters.quantize.points import GRID_OF_INPUT, ON_GRID, value_grids


def matched(graph: Graph, measured: dict[str, Range]) -> dict[str, Range]:
    """``measured``, a grid for each of ``points.measured_points``, so changed that less is rounded twice."""
    return _of_relus(graph, measured, _shared(graph, measured))


def _shared(graph: Graph, measured: dict[str, Range]) -> dict[str, Range]:
    """``measured`` with the grid of each concatenation for what is concatenated as well, where that costs little.

    Else each part is rounded a second time on its way into the whole, which a chain of concatenations repeats for every
    link, and for which TFLite needs a kernel where others read the part (``formats.tflite_parts``). What nothing else
    reads is better rounded once, and cut at once to the whole's range; what others read takes the grid of the whole
    where that holds its values and is at most twice as coarse as its own.
    """
    found = dict(measured)
    for op in reversed(list(graph)):
        if op.kind == "Concatenate" and op.name in found:
            for part in op.inputs:
                writer, is_read_by_others, is_direct = _writer(graph, part)
                own, whole = measured.get(writer.name), found[op.name]
                if own is None or not _ends_at_bound(writer, whole):
                    continue
                is_cheap = _holds(own, whole) and 2 * own.scale >= whole.scale
                if is_cheap or (not is_read_by_others and (is_direct or _holds(own, whole))):
                    found[writer.name] = whole
    return found


def _writer(graph: Graph, name: str) -> tuple[Op, bool, bool]:
    """Whose grid the values of ``name`` lie on, whether anything reads them on another way, whether they only moved."""
    op, others, is_direct = graph.ops[name], graph.sole_consumer(name) is None, True
    while op.kind in GRID_OF_INPUT:
        is_direct &= op.kind in ON_GRID
        op = graph.ops[op.inputs[0]]
        others |= graph.sole_consumer(op.name) is None
    return op, others, is_direct


def _holds(own: Range, grid: Range) -> bool:
    """Whether a grid reaches as far as another: pooling behind its writer may have made values smaller."""
    return grid.low <= own.low + grid.scale and grid.high >= own.high - grid.scale


def _ends_at_bound(op: Op, grid: Range) -> bool:
    """A bounded ReLU's grid has to end at the bound or before, as nothing else cuts there."""
    bound = op.config.get("max_value") if op.kind == "ReLU" else None
    return bound is None or grid.high <= bound


def _of_relus(graph: Graph, measured: dict[str, Range], shared: dict[str, Range]) -> dict[str, Range]:
    """``shared`` with the steps of its input for each ReLU that reads values on a grid.

    What is on a grid gains nothing from finer steps, and engines round halves on the way to them each in its own way.
    A bounded ReLU's grid has to end at the bound, as nothing else cuts there.
    """
    grids, found = value_grids(graph, shared), dict(shared)
    for op in graph:
        reads = grids.get(op.inputs[0]) if op.kind == "ReLU" and op.config.get("max_value") is None else None
        if reads is not None and op.name in shared and shared[op.name] == measured[op.name]:
            found[op.name] = Range(reads.scale, 0)
    return found
