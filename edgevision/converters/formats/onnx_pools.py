"""Average pools that round halves as TFLite's do (``quantize.averages.AWAY``)."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgevision.converters.formats.onnx_graph import OnnxGraph
from edgevision.converters.quantize.averages import AWAY

#: Stored value of -128..127's zero.
_MIDDLE = np.array(128, np.uint8)


def round_away(graph: OnnxGraph) -> None:
    """DequantizeLinear -> AveragePool -> QuantizeLinear, each pool between two that count from 128, the first in larger
    steps. An average does not depend on where one counts from."""
    from onnx import helper

    for node in [node for node in graph.nodes if node.op_type == "AveragePool"]:
        before, after = graph.producer(node.input[0]), graph.consumers(node.output[0])
        if [item.op_type for item in (before, *after) if item is not None] != ["DequantizeLinear", "QuantizeLinear"]:
            continue
        stored, scale, zero_point = before.input
        step, offset = graph.constant(scale), graph.constant(zero_point)
        if step is None or offset is None or offset.dtype != np.uint8:
            continue
        base = graph.fresh_name()
        larger = graph.add_constant(f"{base}_scale", np.asarray(step * AWAY, np.float32))
        middle = graph.add_constant(f"{base}_zero_point", _MIDDLE)
        node.input[0] = f"{base}_real"
        made: Any = helper.make_node("DequantizeLinear", [stored, larger, middle], [node.input[0]], name=node.input[0])
        graph.insert_before(node, made)
        after[0].input[2] = middle
