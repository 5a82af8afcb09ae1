"""Keras model to ONNX, int8 in the QuantizeLinear/DequantizeLinear form.

tf2onnx turns the activations' grids into QuantizeLinear/DequantizeLinear pairs and leaves the kernels as float
constants. Those lie exactly on their int8 grid (``quantize.weights``), so they are stored as int8 with a per-channel
DequantizeLinear here. Without that ONNX Runtime re-quantises the weights by itself and the accuracy is gone.
"""

from __future__ import annotations

import math
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.converters.formats.exported import Kernel, Source
from edgevision.converters.formats.guard import guarded
from edgevision.converters.formats.onnx_graph import OnnxGraph
from edgevision.converters.formats.onnx_padding import merge_padding
from edgevision.converters.formats.onnx_pools import round_away
from edgevision.converters.formats.onnx_sums import restore_sums
from edgevision.converters.formats.onnx_weights import store_in_int8, stored_constant, to_float16
from edgevision.converters.quantize.pairs import saturates
from edgevision.converters.quantize.weights import lies_on_grid, to_grid
from edgevision.runtime.errors import ConversionError

#: Understood by ONNX Runtime 1.17 and later.
_OPSET, _IR_VERSION = 15, 8
_KERNELS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
#: Operators that only move values (or pick among them): integers in, integers out.
_MOVING = ("Transpose", "Reshape", "MaxPool", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Split")
_INTEGER_KERNELS = ("QLinearConv", "QGemm", "QLinearMatMul", "MatMulIntegerToFloat", "ConvInteger", "MatMulInteger")
_FLOAT_KERNELS = ("Conv", "FusedConv", "NhwcFusedConv", "ConvTranspose", "Gemm", "FusedGemm", "MatMul", "FusedMatMul")


#: Kernels of so many values or more are kept away from tf2onnx, which copies every constant a dozen times: the network
#: of common tutorials (44 million weights) took 83 s and 11 GiB.
LARGE = 2**16


def export(source: Source, path: Path) -> None:
    """Write an .onnx file; raw pixels uint8 (1, H, W, C) in, other inputs as they are, float32 out."""
    source = guarded(source)
    large = [op.name for op in source.graph if op.kind in ("Conv2D", "Dense") and op.weights[0].size >= LARGE]
    model, signature = source.model(fed=large), source.signature(fed=large)
    model.export(str(path), format="onnx", verbose=False, input_signature=signature, opset_version=_OPSET)
    graph = OnnxGraph.read(path)
    for number, name in enumerate(large):
        graph.fill_input(f"fed_kernel_{number}", source.graph.ops[name].weights[0], f"model/{name}")
    restore_sums(graph)
    graph.renumber()
    if len(source.graph.outputs) == 1:  # a single one has no name of its own yet
        graph.rename_output(*source.graph.outputs)
    products = [node for node in graph.nodes if node.op_type in _KERNELS]
    if source.precision == "int8":
        for name in source.pixel_inputs:
            _take_pixels(graph, name)
        for node in products:
            _quantize_constants(graph, node)
        merge_padding(graph)
        round_away(graph)
        _keep_softmax(graph)
    elif source.precision == "dynamic-int8":
        for node in products:
            store_in_int8(graph, node)
    elif source.precision == "float16":
        graph = to_float16(graph)
    graph.model.ir_version = _IR_VERSION
    graph.write(path)


def _keep_softmax(graph: OnnxGraph) -> None:
    """Keep a softmax between 8-bit values in float: ONNX Runtime's integer kernel is wrong on a grid below 1 (-9 dB).

    It fuses whatever lies between a DequantizeLinear and a QuantizeLinear; two changes of sign stay what they are.
    """
    from onnx import helper

    for node in [node for node in graph.nodes if node.op_type == "Softmax"]:
        source, readers = graph.producer(node.input[0]), graph.consumers(node.output[0])
        kinds = [item.op_type for item in ([source] if source else []) + readers]
        if kinds != ["DequantizeLinear", "QuantizeLinear"]:
            continue
        names = [node.input[0], f"{node.output[0]}_minus", f"{node.output[0]}_plus"]
        graph.insert_before(node, *(helper.make_node("Neg", [a], [b], name=b) for a, b in pairwise(names)))
        node.input[0] = names[-1]


def embed(path: Path, text: str) -> None:
    """Store ``text`` in metadata_props under "edgevision"."""
    graph = OnnxGraph.read(path)
    entries = [entry for entry in graph.model.metadata_props if entry.key != "edgevision"]
    del graph.model.metadata_props[:]
    graph.model.metadata_props.extend(entries)
    graph.model.metadata_props.add(key="edgevision", value=text)
    graph.write(path)


def kernels(path: Path) -> list[Kernel]:
    """Multiply-accumulate operators, from the file."""
    graph = OnnxGraph.read(path)
    shapes = graph.shapes()
    found = []
    for node in graph.nodes:
        if node.op_type in (*_KERNELS, "MatMulInteger"):
            weights = stored_constant(graph, node.input[1])
            transposed = node.op_type == "ConvTranspose"
            size = shapes[node.input[0]] if transposed else shapes[node.output[0]]
            if node.op_type in ("Conv", "ConvTranspose"):
                per_value = math.prod(shapes[node.input[1]][1:])
            else:
                per_value = shapes[node.input[0]][-1]
            # The second operand is a stored kernel or, in attention, another value.
            is_int8 = node.op_type == "MatMulInteger" or all(_is_integer_value(graph, i) for i in node.input[:2])
            weight_bytes = 0 if weights is None else weights.nbytes
            stored = "" if weights is None else weights.dtype.name
            found.append(Kernel(node.name, node.op_type, math.prod(size) * per_value, weight_bytes, is_int8, stored))
    return found


def needs(path: Path) -> tuple[str, ...]:
    """ "vnni" where pairs of weights of an integer kernel overflow without it."""
    graph = OnnxGraph.read(path)
    for node in graph.nodes:
        if node.op_type == "MatMulInteger" or (node.op_type in _KERNELS and _is_integer_value(graph, node.input[0])):
            stored = stored_constant(graph, node.input[1])
            if stored is not None and stored.dtype == np.int8 and saturates(_by_output(graph, node, stored)):
                return ("vnni",)
    return ()


def _by_output(graph: OnnxGraph, node: Any, stored: Any) -> Any:
    """A stored kernel as (outputs, inputs, *window)."""
    if node.op_type == "Conv":
        return stored
    if node.op_type == "ConvTranspose":
        return stored.swapaxes(0, 1)
    is_transposed = any(item.name == "transB" and item.i for item in node.attribute)
    return stored if is_transposed else np.moveaxis(stored, -1, 0)


def executed(path: Path) -> list[tuple[str, bool]]:
    """Operators of the graph ONNX Runtime made of the file for this machine."""
    import onnx
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(Path(folder) / "optimized.onnx")
        options.log_severity_level = 3
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        nodes = onnx.load(options.optimized_model_filepath).graph.node
    return [(n.op_type, n.op_type in _INTEGER_KERNELS) for n in nodes if n.op_type in _INTEGER_KERNELS + _FLOAT_KERNELS]


def _take_pixels(graph: OnnxGraph, name: str) -> None:
    """image (float) -> QuantizeLinear -> DequantizeLinear   becomes   image (uint8) -> DequantizeLinear."""
    takers = graph.consumers(name)
    if [node.op_type for node in takers] != ["QuantizeLinear"]:
        raise ConversionError(
            "the ONNX graph does not begin with its input's grid", got=", ".join(n.op_type for n in takers)
        )
    graph.replace_input(takers[0].output[0], name)
    graph.nodes.remove(takers[0])
    graph.set_input_type(name, np.uint8)


def _quantize_constants(graph: OnnxGraph, node: Any) -> None:
    """Store a kernel as int8 and its bias as int32, each behind a per-channel DequantizeLinear."""
    kernel = graph.constant(node.input[1])
    if kernel is None:
        return  # a product of two activations
    axis = graph.output_axis(node)
    if not lies_on_grid(kernel, (axis,)):
        return  # in float on purpose
    stored, scale = to_grid(kernel, (axis,))
    step = graph.input_scale(node.input[0])
    bias = graph.constant(node.input[2]) if len(node.input) > 2 else None
    if step is not None and bias is not None:
        # float64: the product of two float32 scales is what the integer accumulator counts in
        steps = scale.ravel().astype(np.float64) * step
        exact = bias.ravel() / steps
        counts = np.clip(np.rint(exact), -(2**31) + 1, 2**31 - 1)
        if not np.allclose(exact, counts, rtol=2**-20, atol=1e-3):
            return  # in float on purpose too: that a kernel lies on a grid may be chance, as a rescaling's does
        node.input[2] = graph.dequantize(node, counts.astype(np.int32), steps.astype(np.float32), 0)
    node.input[1] = graph.dequantize(node, stored, scale.ravel(), axis)


def _is_integer_value(graph: OnnxGraph, name: str) -> bool:
    """Whether a value comes out of a DequantizeLinear, through operators that only move it."""
    node = graph.producer(name)
    while node is not None and node.op_type in _MOVING:
        node = graph.producer(node.input[0])
    return node is not None and node.op_type == "DequantizeLinear"
