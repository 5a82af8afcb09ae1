"""Tensors inside an ONNX file: the integers behind each QuantizeLinear become outputs of a copy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.formats.onnx_graph import OnnxGraph
from edgevision.converters.layers import Reader, Tensor, Values, real
from edgevision.converters.quantize.fake_quant import Range


def tensors(path: Path) -> list[Tensor]:
    """See ``Inside``."""
    graph = OnnxGraph.read(path)
    shapes = graph.shapes()
    found = {item.name: Tensor(item.name, ()) for item in graph.model.graph.input}
    for node in graph.nodes:
        sources = tuple(name for name in node.input if name in found)
        for name in node.output if sources else ():
            shape = shapes.get(name)
            found[name] = Tensor(name, sources, _grid(graph, node), math.prod(shape) if shape else None)
    return list(found.values())


def reader(path: Path, names: Sequence[str], *, is_one_run: bool = True) -> Reader:
    """See ``Inside``; it is always one run."""
    import onnxruntime
    from onnx import TensorProto, helper

    graph = OnnxGraph.read(path)
    producers = {name: node for node in graph.nodes for name in node.output}
    grids = {name: _grid(graph, producers[name]) for name in names}
    outputs = [item.name for item in graph.model.graph.output]
    kinds = {np.dtype(np.uint8): TensorProto.UINT8, np.dtype(np.int8): TensorProto.INT8}
    for name in grids:
        zero = graph.constant(producers[name].input[2])
        kind = kinds[np.dtype(np.uint8) if zero is None else zero.dtype]
        graph.model.graph.output.append(helper.make_tensor_value_info(name, kind, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(graph.model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    taken = [item.name for item in session.get_inputs()]

    def read(sample: Mapping[str, NDArray[Any]]) -> tuple[Values, Values]:
        values = session.run([*outputs, *grids], {name: sample[name] for name in taken})
        stored = zip(grids.items(), values[len(outputs) :])
        return {name: real(value, grid) for (name, grid), value in stored if grid}, dict(zip(outputs, values))

    return read


def _grid(graph: OnnxGraph, node: Any) -> Range | None:
    if node.op_type != "QuantizeLinear":
        return None
    source, readers = graph.producer(node.input[0]), graph.consumers(node.output[0])
    if source is not None and source.op_type == "AveragePool" and readers:  # counts from elsewhere (``onnx_pools``)
        node = readers[0]
    scale, zero = graph.constant(node.input[1]), graph.constant(node.input[2])
    if scale is None or zero is None or scale.size != 1:
        return None
    return Range(float(scale), int(zero) + (128 if zero.dtype == np.int8 else 0))
