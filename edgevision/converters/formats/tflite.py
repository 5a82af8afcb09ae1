"""Keras model to TFLite.

For int8 the converter is given no representative data set: the grids are in the graph, and it derives the int8 kernels
from constants that already lie on their grid (``quantize.weights``), per channel, dense layers included. For int16x8 it
observes the activations' ranges itself, on the calibration images: on 16 bits there is nothing to choose. All of that
graph is 16-bit, because a graph that mixes both converts and cannot be loaded.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgevision.converters.formats.exported import Kernel, Source
from edgevision.converters.formats.guard import guarded
from edgevision.converters.formats.tflite_floats import free_softmax, free_states, free_tails
from edgevision.converters.formats.tflite_graph import kinds
from edgevision.converters.formats.tflite_grids import take_grids
from edgevision.converters.formats.tflite_kernels import restore_kernels
from edgevision.converters.formats.tflite_logits import widen_logits
from edgevision.converters.formats.tflite_parts import with_parts
from edgevision.runtime.errors import ConversionError

#: TensorFlow Lite of the oldest engine that edgevision runs on (setup.cfg).
_OLDEST = (2, 14)
_INT16X8 = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
#: Types that weights are stored in, by their number in the schema.
_TYPES = {0: "float32", 1: "float16", 9: "int8"}
_KERNELS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL", "CONV_3D")


def export(source: Source, path: Path) -> None:
    """Write a .tflite file; raw pixels uint8 (1, H, W, C) in, other inputs as they are, float32 out."""
    import tensorflow as tf

    source = with_parts(guarded(source))
    converter = tf.lite.TFLiteConverter.from_saved_model(source.saved_model(narrow=True))
    if source.precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if source.precision == "int8" and source.pixel_inputs:  # then it is the only input
        converter.inference_input_type = tf.uint8
    elif source.precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    elif source.precision == "int16x8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet[_INT16X8]]
        converter.representative_dataset = lambda: _samples(source)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"\s*Warning: tf.lite.Interpreter is deprecated", UserWarning)
        path.write_bytes(converter.convert())
    model = _read(path)
    if source.precision in ("int8", "dynamic-int8", "int16x8"):
        take_grids(model, source.graph)
    if source.precision == "int8":
        free_tails(model)
        free_softmax(model)
        free_states(model)
        restore_kernels(model, source.graph)
    elif source.precision == "int16x8" and source.pixel_inputs:
        _take_pixels(model)
    if source.logits is not None and source.logits.windows > 1:
        widen_logits(model, source.logits.windows)
    _rename(model, [op.name for op in source.graph.inputs], list(source.graph.outputs))
    _write(path, model)


def needs(path: Path) -> tuple[str, ...]:
    """The oldest TensorFlow Lite that knows all operators' versions, if a supported engine is older."""
    model = _read(path)
    for entry in model.metadata or []:
        if entry.name == b"min_runtime_version":
            version = bytes(model.buffers[entry.buffer].data).rstrip(b"\0").decode()
            wanted = tuple(int(part) for part in version.split(".")[:2])
            return (f"tflite>={wanted[0]}.{wanted[1]}",) if wanted > _OLDEST else ()
    return ()


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
        sums = {"CONV_2D": shape[1:], "DEPTHWISE_CONV_2D": shape[1:3], "CONV_3D": shape[:4]}
        per_output = sums.get(kind, [values.shape[-1]])
        macs = math.prod(output.shape) * math.prod(per_output)
    is_int8 = values.type == weights.type == TensorType.INT8
    constant = _constant(model, graph, weights)
    stored = "" if constant is None else _TYPES[constant.type]
    size = 0 if constant is None else len(model.buffers[constant.buffer].data)
    return Kernel(output.name.decode(), kind, int(macs), size, bool(is_int8), stored)


def _constant(model: Any, graph: Any, tensor: Any) -> Any:
    """The stored tensor behind an operand, through the DEQUANTIZE of float16 weights; None for a computed one."""
    if model.buffers[tensor.buffer].data is not None:
        return tensor
    types, index = kinds(model), graph.tensors.index(tensor)
    for operator in graph.operators:
        if index in operator.outputs and types[operator.opcodeIndex] == "DEQUANTIZE":
            source = graph.tensors[operator.inputs[0]]
            return source if model.buffers[source.buffer].data is not None else None
    return None


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


def _samples(source: Source) -> Iterator[Any]:
    """Calibration samples one at a time, as the 16-bit graph takes them before its pixels are made uint8."""
    if source.batches is None:
        raise ConversionError("the ranges of 16-bit activations are not known", expected="calibration images")
    dtypes = {op.name: "float32" if op.dtype == "uint8" else op.dtype for op in source.graph.inputs}
    for batch in source.batches():
        for index in range(len(next(iter(batch.values())))):
            sample = {name: batch[name][index : index + 1].astype(dtype) for name, dtype in dtypes.items()}
            # By name the converter takes them with an interpreter that warns of its own end.
            yield sample if len(sample) > 1 else list(sample.values())


def _take_pixels(model: Any) -> None:
    """Let a graph that takes float32 begin with uint8 pixels and a CAST."""
    from tensorflow.lite.python import schema_py_generated as schema

    graph = model.subgraphs[0]
    (inner,) = graph.inputs
    image = copy.deepcopy(graph.tensors[inner])
    image.type, image.buffer, image.quantization = schema.TensorType.UINT8, 0, None
    graph.tensors[inner].name += b"_float"
    graph.tensors.append(image)
    graph.inputs = [len(graph.tensors) - 1]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CAST
    code.version = 1
    model.operatorCodes.append(code)
    cast = schema.OperatorT()
    cast.opcodeIndex, cast.inputs, cast.outputs = len(model.operatorCodes) - 1, [graph.inputs[0]], [inner]
    graph.operators.insert(0, cast)
    for signature in model.signatureDefs or []:
        signature.inputs[0].tensorIndex = graph.inputs[0]


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
