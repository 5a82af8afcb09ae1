"""Keras model to TFLite.

The converter is given no representative data set: the grids are in the graph, and it derives the int8 kernels from
constants that already lie on their grid (``quantize.weights``), per channel, dense layers included.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

from edgevision.converters.formats.exported import Kernel, Source
from edgevision.converters.formats.tflite_graph import kinds
from edgevision.converters.formats.tflite_logits import widen_logits

_KERNELS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL")


def export(source: Source, path: Path) -> None:
    """Write a .tflite file; raw pixels uint8 (1, H, W, C) in, other inputs as they are, float32 out."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(source.saved_model(narrow=True))
    if source.ranges is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if source.pixel_inputs:  # then it is the only input
            converter.inference_input_type = tf.uint8
    path.write_bytes(converter.convert())
    model = _read(path)
    if source.ranges is not None:
        _free_tails(model)
    if source.logits is not None and source.logits.windows > 1:
        widen_logits(model, source.logits.windows)
    _rename(model, [op.name for op in source.graph.inputs], list(source.graph.outputs))
    _write(path, model)


def embed(path: Path, text: str) -> None:
    """Store ``text`` as the metadata buffer "edgevision"."""
    from tensorflow.lite.python import schema_py_generated as schema

    model = _read(path)
    buffer = schema.BufferT()
    buffer.data = list(text.encode())
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = b"edgevision", len(model.buffers) - 1
    model.metadata = [item for item in model.metadata or [] if item.name != b"edgevision"] + [entry]
    _write(path, model)


def kernels(path: Path) -> list[Kernel]:
    """Multiply-accumulate operators, from the flatbuffer; weights that several share are counted with the first."""
    model = _read(path)
    names, found, counted = kinds(model), [], set[int]()
    for graph in model.subgraphs:
        for operator in graph.operators:
            kind = names[operator.opcodeIndex]
            if kind in _KERNELS:
                kernel = _kernel(model, graph, operator, kind)
                buffer = graph.tensors[operator.inputs[1]].buffer
                # the windows of the last layer (tflite_logits) share one
                found.append(dataclasses.replace(kernel, weight_bytes=0) if buffer in counted else kernel)
                counted.add(buffer)
    return found


def _kernel(model: Any, graph: Any, operator: Any, kind: str) -> Kernel:
    from tensorflow.lite.python.schema_py_generated import TensorType

    first = 2 if kind == "TRANSPOSE_CONV" else 0  # its inputs are (output shape, weights, values)
    values, weights, output = (
        graph.tensors[operator.inputs[first]],
        graph.tensors[operator.inputs[1]],
        graph.tensors[operator.outputs[0]],
    )
    shape = list(weights.shape)
    if kind == "TRANSPOSE_CONV":  # every input value meets every weight of its channel
        macs = math.prod(values.shape) * math.prod(shape[:3])
    else:
        per_output = {"CONV_2D": shape[1:], "DEPTHWISE_CONV_2D": shape[1:3]}.get(kind, [values.shape[-1]])
        macs = math.prod(output.shape) * math.prod(per_output)
    stored = model.buffers[weights.buffer].data
    is_int8 = values.type == weights.type == TensorType.INT8
    return Kernel(output.name.decode(), kind, int(macs), 0 if stored is None else len(stored), bool(is_int8))


def executed(path: Path) -> list[tuple[str, bool]]:
    """Operators of the loaded interpreter and whether values and weights are int8 there."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    dtypes = {item["index"]: item["dtype"] for item in interpreter.get_tensor_details()}
    found = []
    for operator in interpreter._get_ops_details():  # the only list of operators there is
        if operator["op_name"] in _KERNELS:
            operands = operator["inputs"][1:3] if operator["op_name"] == "TRANSPOSE_CONV" else operator["inputs"][:2]
            found.append((operator["op_name"], all(dtypes.get(index) == np.int8 for index in operands)))
    return found


def _free_tails(model: Any) -> None:
    """Let a closing softmax, sigmoid or tanh work on floats, as in the other formats.

    The converter rounds its result to 1/256, where small probabilities are all alike. So
    int8 -> SOFTMAX -> int8 -> DEQUANTIZE -> float   becomes   int8 -> DEQUANTIZE -> float -> SOFTMAX -> float.
    """
    graph, names = model.subgraphs[0], kinds(model)
    for dequantize in [item for item in graph.operators if names[item.opcodeIndex] == "DEQUANTIZE"]:
        middle, output = dequantize.inputs[0], dequantize.outputs[0]
        function = next((item for item in graph.operators if middle in item.outputs), None)
        readers = [item for item in graph.operators if middle in item.inputs]
        is_last = output in graph.outputs and len(readers) == 1
        if function is None or not is_last or names[function.opcodeIndex] not in ("SOFTMAX", "LOGISTIC", "TANH"):
            continue
        logits = function.inputs[0]
        graph.tensors[middle].type, graph.tensors[middle].quantization = graph.tensors[output].type, None
        dequantize.inputs, dequantize.outputs = [logits], [middle]
        function.inputs, function.outputs = [middle], [output]
        first, second = (graph.operators.index(item) for item in (function, dequantize))
        graph.operators[first], graph.operators[second] = dequantize, function


def _rename(model: Any, inputs: list[str], outputs: list[str]) -> None:
    """Give inputs and outputs the names they have in every format."""
    graph = model.subgraphs[0]
    for signature in model.signatureDefs or []:
        for entries, names in ((signature.inputs, inputs), (signature.outputs, outputs)):
            if len(names) == 1:  # a single one has no name of its own yet
                entries[0].name = names[0].encode()
            for entry in entries:
                graph.tensors[entry.tensorIndex].name = entry.name


def _read(path: Path) -> Any:
    from tensorflow.lite.tools import flatbuffer_utils

    return flatbuffer_utils.read_model(str(path))


def _write(path: Path, model: Any) -> None:
    from tensorflow.lite.tools import flatbuffer_utils

    path.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))
