"""Steps of activations that keep results off halves (``halves``) where there is no kernel whose scales could.

What is added is counted in one unit, odd numbers of it, so that the step of every sum divides by an odd number. What is
concatenated, multiplied or averaged has one factor, for which there is a fraction nearby.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable

import numpy as np

from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Graph, Op
from edgevision.converters.quantize.halves import off_halves
from edgevision.converters.quantize.points import GRID_OF_INPUT, rounded_by, value_grids

Grids = dict[str, Range]

#: The finest step among those that are added, in the unit that all are counted in. TFLite adds with factors of 20 bits,
#: so that units must be coarse: this one moves a step by 0.4 % at most.
_FINEST = 511
#: TFLite brings what is joined to the grid of the whole with factors of 8 bits. Odd ones meet halves at 128 only, which
#: it rounds up; by a little more or less all engines do.
_JOINED, _MORE = 256, 1 / 1024
_PRODUCTS = ("Multiply", "MatMul", "GlobalAveragePooling2D")


def with_steps(graph: Graph, measured: Grids) -> Grids:
    """``measured``, a grid for each of ``points.measured_points``, its steps moved a little for what has no kernel.

    Kernels need no such steps: their weights have some for each channel (``weights.round_biases``).
    """
    grids = value_grids(graph, measured)
    found, groups = dict(measured), _groups(graph, measured, grids)
    for group in {id(group): group for group in groups.values()}.values():
        found.update(_in_proportion(graph, group, measured, grids))
    _fit_parts(graph, groups, found)
    _fit_products(graph, groups, found)
    return found


def _fit_products(graph: Graph, groups: Iterable[str], found: Grids) -> None:
    """Move, in place, grids of products and means but for those in ``groups``."""
    grids = value_grids(graph, found)
    for op in graph:
        if op.kind in GRID_OF_INPUT and op.name in grids:
            grids[op.name] = grids[op.inputs[0]]
        if op.kind in _PRODUCTS and op.name in found.keys() - groups and all(name in grids for name in op.inputs):
            step = math.prod(grids[name].scale for name in op.inputs) / _values_per_sum(graph, op)
            factor = off_halves(np.array(step / found[op.name].scale))
            found[op.name] = grids[op.name] = dataclasses.replace(found[op.name], scale=step / float(factor))


def _values_per_sum(graph: Graph, op: Op) -> int:
    """How many values are averaged."""
    return math.prod(graph.ops[op.inputs[0]].shape[:-1]) if op.kind == "GlobalAveragePooling2D" else 1


def _groups(graph: Graph, measured: Grids, grids: Grids) -> dict[str, set[str]]:
    """Grids that meet in sums, directly or through others, by the name of each: their proportion matters."""
    found: dict[str, set[str]] = {}
    for op in graph:
        writer = rounded_by(graph, op)
        if op.kind not in ("Add", "ReLU", "Concatenate") or writer not in measured or not set(op.inputs) <= set(grids):
            continue
        inputs = [name for name in op.inputs if op.kind != "Concatenate" or grids[name] == measured[writer]]
        names = {writer, *(_writer(graph, name) for name in inputs)}
        joined = set[str]().union(*(found.get(name, {name}) for name in names))
        if len(joined) > 1:
            found.update(dict.fromkeys(joined, joined))
    return found


def _fit_parts(graph: Graph, groups: dict[str, set[str]], found: Grids) -> None:
    """Move, in place, grids of what is concatenated, and with each those that it meets in sums."""
    fixed = set[str]()
    for op in reversed(list(graph)):
        if op.kind == "Concatenate" and op.name in found:
            fixed |= groups.get(op.name, {op.name})
            for name in (_writer(graph, part) for part in op.inputs):
                group = groups.get(name, {name})
                if group <= found.keys() and not group & fixed:
                    is_bounded = any(_is_bounded(graph.ops[each]) for each in group)
                    factor = _share(found[name], found[op.name], is_bounded) / found[name].scale
                    found.update(
                        {each: dataclasses.replace(found[each], scale=found[each].scale * factor) for each in group}
                    )
                    fixed |= group


def _share(part: Range, whole: Range, is_bounded: bool) -> float:
    """The step of a part that TFLite's factor is exact for."""
    odd = _odd(_JOINED * part.scale / whole.scale, math.floor if is_bounded else math.ceil)
    more = _MORE if part.zero_point < 128 else -_MORE  # 128 is among its values, or -128, never both
    return (odd + more) / _JOINED * whole.scale


def _is_bounded(op: Op) -> bool:
    """Whether its grid ends at a bound, as nothing else cuts there."""
    return op.config.get("max_value") is not None


def _writer(graph: Graph, name: str) -> str:
    """Whose grid the values of ``name`` lie on."""
    op = graph.ops[name]
    return _writer(graph, op.inputs[0]) if op.kind in GRID_OF_INPUT else name


def _in_proportion(graph: Graph, group: set[str], measured: Grids, grids: Grids) -> Grids:
    """Grids whose steps are odd multiples of one unit, so that the step of each divides by an odd number.

    Steps grow, so that nothing is cut; but not where a grid ends at the bound of a ReLU. If one is given, as that of a
    sigmoid is, the unit is a part of it; two such are left as they are.
    """
    given = {grids[name].scale for name in group if name not in measured}
    if len(given) > 1:
        return {}
    unit = min(measured[name].scale for name in group if name in measured) / _FINEST
    for scale in given:
        unit = scale / _odd(scale / unit, math.ceil)
    found = {}
    for name in group & measured.keys():
        count = _odd(measured[name].scale / unit, math.floor if _is_bounded(graph.ops[name]) else math.ceil)
        found[name] = dataclasses.replace(measured[name], scale=count * unit)
    return found


def _odd(value: float, rounding: Callable[[float], int]) -> int:
    """The next odd number up or down; one that it is already, but for float64, stays."""
    nearest = 2 * round((value - 1) / 2) + 1
    return nearest if math.isclose(value, nearest) else 2 * rounding((value - 1) / 2) + 1
