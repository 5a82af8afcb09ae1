"""ai-edge-quantizer (static, int8 weights and activations), or the quantiser inside TFLiteConverter, for TFLite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgevision.converters.formats.exported import INPUT, OUTPUT
from edgevision.converters.native.quantizing import chosen, single_images
from edgevision.converters.quantize.observe import Batches
from edgevision.runtime.errors import ConversionError, InputError, MissingPackageError

#: "extremes": ranges by what was seen at all instead of its default, a moving average that clips heavily. Its GPTQ is
#: not among them: it knows dense layers only and leaves convolutions in float.
_ALGORITHMS = {
    "ai-edge-quantizer": "MIN_MAX_UNIFORM_QUANT",
    "ai-edge-quantizer, mse": "MSE",
    "ai-edge-quantizer, octav": "OCTAV",
    "ai-edge-quantizer, extremes": "MIN_MAX_UNIFORM_QUANT",
}
PACKAGE = "ai-edge-quantizer"
METHODS = (*_ALGORITHMS, "TFLiteConverter")
ACCURATE = "ai-edge-quantizer, extremes"
CANDIDATES = (ACCURATE, "ai-edge-quantizer")


def convert(saved_model: Path, out: Path) -> None:
    """Write the float .tflite file (see the package's ``NativeQuantizer``)."""
    out.write_bytes(_convert(saved_model, None))


def quantize(source: Path, batches: Batches, out: Path, *, accurate: bool = True, method: str | None = None) -> None:
    """Write an int8 .tflite file (see the package's ``NativeQuantizer``).

    Raises:
        InputError: The method is unknown, or needs a SavedModel.
        MissingPackageError: ai-edge-quantizer is not installed.
        ConversionError: The quantised model does not begin with an 8-bit input.
    """
    method = chosen(method or (ACCURATE if accurate else METHODS[0]), METHODS)
    if method == "TFLiteConverter":
        if not source.is_dir():
            raise InputError("TFLiteConverter quantises no .tflite file", expected="a SavedModel", got=str(source))
        out.write_bytes(_convert(source, batches))
    else:
        model = _convert(source, None) if source.is_dir() else source.read_bytes()
        out.write_bytes(_statically(model, batches, method))
    take_pixels(out, out)


def _convert(saved_model: Path, batches: Batches | None) -> bytes:
    """A SavedModel by TFLiteConverter, quantised to integers alone if there are images."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model))
    if batches is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image] for image in single_images(batches))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    content: bytes = converter.convert()
    return content


def _statically(model: bytes, batches: Batches, method: str) -> bytes:
    try:
        from ai_edge_quantizer import quantizer, recipe
    except ImportError as error:
        raise MissingPackageError("ai-edge-quantizer", "to quantise for TFLite", "convert") from error

    worker = quantizer.Quantizer(bytearray(model))
    steps = recipe.static_wi8_ai8(recipe.AlgorithmName[_ALGORITHMS[method]])
    worker.load_quantization_recipe(steps)
    data = {"serving_default": [{INPUT: image} for image in single_images(batches)]}  # it goes over them more than once
    seen = worker.calibrate(data, num_threads=1)
    if "extremes" in method:
        for name, values in _extremes(model, steps, data).items():
            seen[name] |= {key: values[key] for key in ("min", "max") if values.get(key) is not None}
    for name, values in seen.items():
        # Its moving average of extremes would clip the brightest pixels: the range of pixels is known.
        if INPUT in name and values.get("max") is not None and values["max"].size == 1:
            values["min"], values["max"] = np.full_like(values["min"], 0.0), np.full_like(values["max"], 255.0)
    return bytes(worker.quantize(seen, enable_progress_report=False).quantized_model)


def _extremes(model: bytes, steps: Any, data: dict[str, Any]) -> Any:
    """The smallest and largest value of every tensor over all images."""
    from ai_edge_quantizer import calibrator, recipe_manager
    from ai_edge_quantizer.utils import qsv_utils

    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(steps)
    observer = calibrator.Calibrator(bytearray(model), num_threads=1, qsv_update_func=qsv_utils.min_max_update)
    observer.calibrate(data, manager)
    return observer.get_model_qsvs()


def take_pixels(source: Path, out: Path) -> None:
    """Let the graph begin with uint8 pixels and end in float32, whatever 8-bit grids it has there; name both.

    Raises:
        ConversionError: It begins with neither 8-bit nor float values.
    """
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(source))
    graph = model.subgraphs[0]
    (inner,), (last,) = graph.inputs, graph.outputs
    if graph.tensors[inner].type not in (schema.TensorType.INT8, schema.TensorType.FLOAT32):
        raise ConversionError("the quantised model's input is not usable", got=str(graph.tensors[inner].type))
    for signature in model.signatureDefs or []:
        signature.inputs[0].name, signature.outputs[0].name = INPUT.encode(), OUTPUT.encode()
    image = _tensor(graph, INPUT, inner, schema.TensorType.UINT8)
    _set_grid(graph.tensors[image], 1.0, 0)
    if graph.tensors[inner].type == schema.TensorType.INT8:
        _insert(model, graph, schema.BuiltinOperator.QUANTIZE, image, inner, 0)
    else:
        _insert(model, graph, schema.BuiltinOperator.DEQUANTIZE, image, inner, 0)
    graph.inputs = [image]
    if graph.tensors[last].type == schema.TensorType.INT8:
        output = _tensor(graph, OUTPUT, last, schema.TensorType.FLOAT32)
        graph.tensors[output].quantization = None
        _insert(model, graph, schema.BuiltinOperator.DEQUANTIZE, last, output, len(graph.operators))
        graph.outputs = [output]
    else:
        graph.tensors[last].name = OUTPUT.encode()
    for signature in model.signatureDefs or []:
        signature.inputs[0].tensorIndex, signature.outputs[0].tensorIndex = graph.inputs[0], graph.outputs[0]
    out.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _tensor(graph: Any, name: str, like: int, kind: int) -> int:
    """Append a tensor of another's shape and return its index."""
    from tensorflow.lite.python import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.buffer = name.encode(), kind, 0
    tensor.shape, tensor.shapeSignature = graph.tensors[like].shape, graph.tensors[like].shapeSignature
    tensor.hasRank = True
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _set_grid(tensor: Any, scale: float, zero_point: int) -> None:
    from tensorflow.lite.python import schema_py_generated as schema

    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero_point]


def _insert(model: Any, graph: Any, kind: int, source: int, target: int, place: int) -> None:
    """Put an operator of one input and one output at ``place``."""
    from tensorflow.lite.python import schema_py_generated as schema

    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = kind, kind, 2
    model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = len(model.operatorCodes) - 1, [source], [target]
    graph.operators.insert(place, operator)
