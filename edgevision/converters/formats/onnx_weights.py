"""Weights in 8 or 16 bits in ONNX files whose activations are float.

"dynamic-int8": dense layers multiply integers, with activations rounded anew for each image. Convolutions only hold
their weights in int8: ONNX Runtime's integer convolution without fixed grids took 8 times as long as the float one on a
small depthwise-separable network. Their scale is a Mul rather than a DequantizeLinear, which ONNX Runtime would leave
in place and compute for every image; a Cast and a Mul of constants it computes once, when it loads the file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.formats.onnx_graph import OnnxGraph
from edgevision.converters.quantize.weights import to_grid

_BETWEEN = ("DequantizeLinear", "Cast", "Mul")


def to_float16(graph: OnnxGraph) -> OnnxGraph:
    """The same graph computing in float16; inputs and outputs keep their types."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    halved = OnnxGraph(convert_float_to_float16(graph.model, keep_io_types=True))
    for node in [node for node in halved.nodes if node.op_type == "Cast"]:
        if node.input[0] in {item.name for item in halved.model.graph.input}:  # put behind what reads it
            halved.nodes.remove(node)
            halved.nodes.insert(0, node)
    return halved


def store_in_int8(graph: OnnxGraph, node: Any) -> None:
    """Store a kernel that lies on its int8 grid as int8; a dense one multiplies integers then.

    Args:
        graph: Edited in place.
        node: A Conv, ConvTranspose, Gemm or MatMul; one that multiplies two activations is left alone.
    """
    kernel = graph.constant(node.input[1])
    if kernel is None:
        return
    axis = graph.output_axis(node)
    stored, scale = to_grid(kernel, (axis,))
    if node.op_type in ("Conv", "ConvTranspose"):
        node.input[1] = _scaled(graph, node, stored, scale)
    else:
        is_transposed = axis == 0
        _multiply_integers(graph, node, stored.T if is_transposed else stored, scale.ravel())


def stored_constant(graph: OnnxGraph, name: str) -> NDArray[Any] | None:
    """The constant that an operand comes from, through its scale; None for a computed one."""
    node = graph.producer(name)
    while node is not None and node.op_type in _BETWEEN:
        name = node.input[0]
        node = graph.producer(name)
    return graph.constant(name)


def _scaled(graph: OnnxGraph, node: Any, stored: NDArray[Any], scale: NDArray[Any]) -> str:
    import onnx
    from onnx import helper

    base = graph.fresh_name()
    names = [graph.add_constant(f"{base}_stored", stored), graph.add_constant(f"{base}_scale", scale)]
    cast = helper.make_node("Cast", names[:1], [f"{base}_wide"], name=f"{base}_cast", to=onnx.TensorProto.FLOAT)
    graph.insert_before(
        node, cast, helper.make_node("Mul", [f"{base}_wide", names[1]], [f"{base}_real"], f"{base}_mul")
    )
    return f"{base}_real"


def _multiply_integers(graph: OnnxGraph, node: Any, stored: NDArray[Any], scale: NDArray[Any]) -> None:
    """Gemm or MatMul   becomes   DynamicQuantizeLinear, MatMulInteger, Cast, Mul by both scales, Add of the bias.

    That is the form that ONNX Runtime joins to one kernel.
    """
    import onnx
    from onnx import helper

    base, make = graph.fresh_name(), helper.make_node
    kernel = graph.add_constant(f"{base}_stored", np.ascontiguousarray(stored))
    scales = graph.add_constant(f"{base}_scale", scale)
    zero = graph.add_constant(f"{base}_zero_point", np.zeros(scale.shape, stored.dtype))
    values = [f"{base}_values", f"{base}_values_scale", f"{base}_values_zero_point"]
    bias = list(node.input[2:])
    product = f"{base}_product" if bias else node.output[0]
    graph.insert_before(
        node,
        make("DynamicQuantizeLinear", [node.input[0]], values, f"{base}_quantize"),
        make("MatMulInteger", [values[0], kernel, values[2], zero], [f"{base}_sums"], node.name),
        make("Mul", [values[1], scales], [f"{base}_steps"], f"{base}_steps"),
        make("Cast", [f"{base}_sums"], [f"{base}_wide"], f"{base}_cast", to=onnx.TensorProto.FLOAT),
        make("Mul", [f"{base}_wide", f"{base}_steps"], [product], f"{base}_scale"),
        *([make("Add", [product, *bias], [node.output[0]], f"{base}_bias")] if bias else []),
    )
    graph.nodes.remove(node)
