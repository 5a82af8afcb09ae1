"""Which channels of a graph's values go together: where one is scaled, the others have to be."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.quantize.graph import Graph, Op

#: Kernels whose outputs or inputs can be scaled per channel.
_KERNELS = ("Conv2D", "DepthwiseConv2D", "Dense")
#: Operations that a channel's scale passes, besides a ReLU.
_HOMOGENEOUS = (
    "LeakyReLU",
    "MaxPooling2D",
    "AveragePooling2D",
    "GlobalAveragePooling2D",
    "ZeroPadding2D",
    "UpSampling2D",
)

Numbers = NDArray[np.int64]


class Channels:
    """Channels numbered so that those have one number which hold the same value but for what is homogeneous.

    A kernel makes new ones; pooling, a plain ReLU and the like hand them on, concatenation puts them beside each other,
    and those that are added to each other become one.

    Attributes:
        numbers: Of the channels behind each operation.
        free: bool by number: every reader on the way is a kernel, which can take a scale back out.
        kernels: Whose outputs can be divided and whose inputs can be multiplied.
        sums: Additions, whose values have ranges of their own.
        together: By number, of which set: channels of one tensor are in one, as they share its grid.
    """

    def __init__(self, graph: Graph) -> None:
        self._same, self._fixed = _Sets(), list[int]()
        self._found: dict[str, Numbers] = {}
        self.kernels: list[Op] = []
        self.sums: list[Op] = []
        for op in graph:
            self._found[op.name] = self._behind(graph, op)
        for name in graph.outputs.values():
            self._fix(self._found[name])
        roots = self._same.roots()
        self.numbers = {name: roots[found] for name, found in self._found.items()}
        self.free = np.ones(len(roots), bool)
        self.free[roots[self._fixed]] = False
        beside = _Sets(len(roots))
        for each in self.numbers.values():
            beside.join(each[:-1], each[1:])
        self.together = beside.roots()

    def _behind(self, graph: Graph, op: Op) -> Numbers:
        taken = [self._found[name] for name in op.inputs]
        if op.kind in _KERNELS and op.weights[0].shape[-2] == len(taken[0]):  # else it has groups
            self.kernels.append(op)
            return self._new(op)
        if len(taken) == 1 and _passes(op, len(taken[0])):
            return taken[0]
        if op.kind == "Concatenate" and op.config.get("axis", -1) in (-1, len(op.shape)):
            return np.concatenate(taken)
        if op.kind == "Add" and all(graph.ops[name].shape == op.shape for name in op.inputs):
            for each in taken[1:]:
                self._same.join(taken[0], each)
            self.sums.append(op)
            return taken[0]
        for each in taken:
            self._fix(each)
        made = self._new(op)
        self._fix(made)
        return made

    def _new(self, op: Op) -> Numbers:
        return self._same.more(op.shape[-1] if op.shape else 1)

    def _fix(self, numbers: Numbers) -> None:
        self._fixed += numbers.tolist()


def _passes(op: Op, channels: int) -> bool:
    """Whether a positive scale per channel comes out of ``op`` as it went in."""
    if op.kind == "ReLU":  # a bound would have to move with the scale, and is one for all channels
        return op.config.get("max_value") is None and not op.config.get("threshold")
    if op.kind == "Reshape":  # of one position: the channels stay where they are
        return int(np.prod(op.shape)) == channels == op.shape[-1]
    return op.kind in _HOMOGENEOUS


class _Sets:
    """Disjoint sets of 0, 1, 2 ... (union by the smaller number)."""

    def __init__(self, count: int = 0) -> None:
        self._above = list(range(count))

    def more(self, count: int) -> Numbers:
        """So many new sets of one each."""
        first = len(self._above)
        self._above += range(first, first + count)
        return np.arange(first, first + count)

    def join(self, some: Iterable[int], others: Iterable[int]) -> None:
        """Each of ``some`` with its counterpart."""
        for one, other in zip(some, others):
            low, high = sorted((self._root(int(one)), self._root(int(other))))
            self._above[high] = low

    def roots(self) -> Numbers:
        """Of every number the least of its set."""
        return np.array([self._root(number) for number in range(len(self._above))], np.int64)

    def _root(self, number: int) -> int:
        while self._above[number] != number:
            self._above[number] = self._above[self._above[number]]
            number = self._above[number]
        return number
