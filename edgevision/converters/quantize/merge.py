"""Operations that compute the same from the same, done once.

Cells of NASNet each take the same map through a ReLU of their own. TFLite's converter makes one of such twins and fuses
it into the convolution they read, so that values are cut and rounded where the quantised model's are not: it has to
know them as one as well.
"""

from __future__ import annotations

from edgevision.converters.quantize.graph import Graph, Op

#: What repeats cannot be told of by configuration: they hold layers, or are given.
_OWN = ("Input", "Kept", "Moved", "Pick")


def merge(graph: Graph) -> None:
    """Leave one of several operations without weights that do the same; outputs stay as they are."""
    known: dict[tuple[object, ...], str] = {}
    outputs = set(graph.outputs.values())
    for op in list(graph):
        if op.weights or op.kind in _OWN or op.name in outputs:
            continue
        first = known.setdefault(_what(op), op.name)
        if first != op.name:
            _replace(graph, op, first)


def _what(op: Op) -> tuple[object, ...]:
    return (op.kind, repr(sorted(op.config.items())), op.dtype, op.frames, op.shape, op.float_reason, *op.inputs)


def _replace(graph: Graph, op: Op, first: str) -> None:
    del graph.ops[op.name]
    for reader in graph.consumers(op.name):
        reader.inputs = [first if name == op.name else name for name in reader.inputs]
