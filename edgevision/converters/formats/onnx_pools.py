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
        after = graph.consumers(node.output[0])
        if [item.op_type for item in after] != ["QuantizeLinear"]:
            continue
        _, scale, zero_point = after[0].input
        step, offset = graph.constant(scale), graph.constant(zero_point)
        if step is None or offset is None or offset.dtype != np.uint8 or graph.input_scale(node.input[0]) != step:
            continue
        base = graph.fresh_name()
        larger = graph.add_constant(f"{base}_scale", np.asarray(step * AWAY, np.float32))
        middle = graph.add_constant(f"{base}_zero_point", _MIDDLE)
        stored = _stored(graph, node, scale, zero_point)
        node.input[0] = f"{base}_real"
        made = helper.make_node("DequantizeLinear", [stored, larger, middle], [node.input[0]], name=node.input[0])
        graph.insert_before(node, made)
        after[0].input[2] = middle


def _stored(graph: OnnxGraph, pool: Any, scale: str, zero_point: str) -> str:
    """The integers that a pool averages; behind a MaxPool they are stored anew."""
    from onnx import helper

    (value,) = pool.input
    before = graph.producer(value)
    if before is not None and before.op_type == "DequantizeLinear":
        return str(before.input[0])
    name = f"{value}_stored"
    if graph.producer(name) is None:
        graph.insert_before(pool, helper.make_node("QuantizeLinear", [value, scale, zero_point], [name], name=name))
    return name
