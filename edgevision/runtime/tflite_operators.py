"""Which operators of a TFLite graph a delegate runs.

The interpreter lists the model's operators first and the delegates' own after them, each with the tensors at its ends.
What lies between those tensors is what the delegate took over: the graph is walked from its outputs back to its inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def delegated(operators: Sequence[dict[str, Any]]) -> float:
    """Share of the model's operators inside delegates, 0..1.

    Args:
        operators: What the interpreter lists: per operator ``op_name``, ``inputs`` and ``outputs`` (tensor indices).
    """
    delegates = [item for item in operators if _is_delegate(item)]
    own = [item for item in operators if not _is_delegate(item)]
    writer = {int(tensor): i for i, item in enumerate(own) for tensor in item["outputs"]}
    taken = {i for item in delegates for i in _behind(item, own, writer)}
    return round(len(taken) / max(len(own), 1), 4)


def _is_delegate(operator: dict[str, Any]) -> bool:
    """XNNPACK's is called DELEGATE, a Coral's EdgeTpuDelegateForCustomOp; no operator of a model has such a name."""
    return "delegate" in str(operator["op_name"]).lower()


def _behind(delegate: dict[str, Any], own: Sequence[dict[str, Any]], writer: dict[int, int]) -> set[int]:
    ends = {int(tensor) for tensor in delegate["inputs"]}
    found: set[int] = set()
    waiting = [int(tensor) for tensor in delegate["outputs"]]
    while waiting:
        tensor = waiting.pop()
        index = writer.get(tensor)
        if tensor in ends or index is None or index in found:
            continue
        found.add(index)
        waiting += [int(each) for each in own[index]["inputs"]]
    return found
