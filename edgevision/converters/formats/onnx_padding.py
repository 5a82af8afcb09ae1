"""Zeros around a map, added by the convolution that reads it instead of by an operator of their own.

ONNX Runtime has no integer kernel for Pad between 8-bit values: it goes to float and back. Of MobileNetV2 at 224 pixels
four of them took a quarter of the time. A convolution's own padding is the real zero, too: answers stay what they are,
bit for bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.formats.onnx_graph import OnnxGraph


def merge_padding(graph: OnnxGraph) -> None:
    """DequantizeLinear, Pad, QuantizeLinear, DequantizeLinear, Conv   becomes   DequantizeLinear, Conv."""
    for pad in [node for node in graph.nodes if node.op_type == "Pad"]:
        chain = [pad, *_followers(graph, pad)]
        source, sides = graph.producer(pad.input[0]), _sides(graph, pad)
        if [node.op_type for node in chain[1:]] != ["QuantizeLinear", "DequantizeLinear", "Conv"] or sides is None:
            continue
        _, quantize, dequantize, conv = chain
        if conv.input[0] != dequantize.output[0] or not _same_grid(graph, source, quantize, dequantize):
            continue
        if _add_pads(conv, sides):
            conv.input[0] = pad.input[0]
            for node in chain[:3]:
                graph.nodes.remove(node)


def _followers(graph: OnnxGraph, node: Any) -> list[Any]:
    """Up to three nodes of which each is the only reader of the one before."""
    found: list[Any] = []
    while len(found) < 3:
        readers = graph.consumers(node.output[0])
        if len(readers) != 1 or any(node.output[0] == item.name for item in graph.model.graph.output):
            break
        (node,) = readers
        found.append(node)
    return found


def _sides(graph: OnnxGraph, pad: Any) -> NDArray[np.int64] | None:
    """How much each side grows, first sides of all axes before last ones; None if not by zeros in the map alone."""
    mode = next((item.s.decode() for item in pad.attribute if item.name == "mode"), "constant")
    sides = graph.constant(pad.input[1])
    value = graph.constant(pad.input[2]) if len(pad.input) > 2 and pad.input[2] else np.zeros(())
    if mode != "constant" or sides is None or value is None or value.any() or len(pad.input) > 3:
        return None
    ends = sides.reshape(2, -1)
    return None if ends[:, :2].any() or (ends < 0).any() else ends[:, 2:].ravel()


def _same_grid(graph: OnnxGraph, source: Any, *others: Any) -> bool:
    """Whether what is padded comes from the grid on which it is written and read again."""
    if source is None or source.op_type != "DequantizeLinear":
        return False
    grids = [[graph.constant(name) for name in node.input[1:]] for node in (source, *others)]
    return all(
        len(grid) == 2 and all(a is not None and b is not None and np.array_equal(a, b) for a, b in zip(grid, grids[0]))
        for grid in grids
    )


def _add_pads(conv: Any, sides: NDArray[np.int64]) -> bool:
    """Lets a convolution pad more; False if it pads by a rule."""
    from onnx import helper

    attributes = {item.name: item for item in conv.attribute}
    rule = attributes.get("auto_pad")
    if rule is not None and rule.s not in (b"NOTSET", b"VALID"):
        return False
    own = np.array(attributes["pads"].ints if "pads" in attributes else np.zeros(len(sides)), np.int64)
    for name in {"pads", "auto_pad"} & attributes.keys():
        conv.attribute.remove(attributes[name])
    conv.attribute.append(helper.make_attribute("pads", (own + sides).tolist()))
    return True
