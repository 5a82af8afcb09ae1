"""onnxruntime's quantize_static, or NNCF, for ONNX."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.converters.formats.exported import INPUT, OUTPUT
from edgevision.converters.formats.onnx_graph import OnnxGraph
from edgevision.converters.native import with_nncf
from edgevision.converters.native.quantizing import chosen, single_images
from edgevision.converters.quantize.observe import Batches

#: Per channel with unsigned activations is what onnxruntime's documentation advises for accuracy on x86.
_CALIBRATIONS = {
    "onnxruntime": "MinMax",
    "onnxruntime, per channel": "MinMax",
    "onnxruntime, per channel, percentile": "Percentile",
    "onnxruntime, per channel, entropy": "Entropy",
}
PACKAGE = "onnxruntime"
METHODS = (*_CALIBRATIONS, *with_nncf.METHODS)
ACCURATE = "onnxruntime, per channel"
CANDIDATES = (ACCURATE, "onnxruntime, per channel, percentile")
_OPSET, _IR_VERSION = 15, 8


def quantize(source: Path, batches: Batches, out: Path, *, accurate: bool = True, method: str | None = None) -> None:
    """Write an int8 .onnx file (see the package's ``NativeQuantizer``).

    Raises:
        InputError: The method is unknown.
        MissingPackageError: nncf is not installed.
    """
    method = chosen(method or (ACCURATE if accurate else METHODS[0]), METHODS)
    with tempfile.TemporaryDirectory(prefix="edgevision-") as name:
        model = source
        if source.is_dir():
            model = Path(name) / "float.onnx"
            convert(source, model)
        if method in _CALIBRATIONS:
            _statically(model, batches, out, method, Path(name))
        else:
            import onnx

            quantized = with_nncf.quantize_model(onnx.load(str(model)), batches, _input_name(model), method)
            onnx.save(quantized, str(out))
    take_pixels(out, out)


def convert(saved_model: Path, out: Path) -> None:
    """Write the float .onnx file (see the package's ``NativeQuantizer``)."""
    import tensorflow as tf
    import tf2onnx
    from keras.src.export.tf2onnx_lib import patch_tf2onnx  # without it tf2onnx 1.17 does not know numpy 2

    patch_tf2onnx()
    loaded = tf.saved_model.load(str(saved_model))
    signature = loaded.signatures["serving_default"]
    (spec,) = signature.structured_input_signature[1].values()
    inputs = [tf.TensorSpec(spec.shape, spec.dtype, name=INPUT)]
    predict = tf.function(lambda image: signature(**{spec.name: image})[OUTPUT], input_signature=inputs)
    tf2onnx.convert.from_function(predict, input_signature=inputs, opset=_OPSET, output_path=str(out))
    graph = OnnxGraph.read(out)
    for node in [node for node in graph.nodes if node.op_type == "Erfc"]:
        _spell_out(graph, node)
    graph.write(out)


def _spell_out(graph: OnnxGraph, node: Any) -> None:
    """Erfc(x), as Keras' gelu has it and ONNX has not, as 1 - Erf(x)."""
    from onnx import helper

    one = graph.add_constant("one_for_erfc", np.array(1.0, np.float32))
    place, middle = list(graph.nodes).index(node), f"{node.output[0]}_erf"
    graph.nodes.insert(place, helper.make_node("Sub", [one, middle], [node.output[0]]))
    graph.nodes.insert(place, helper.make_node("Erf", [node.input[0]], [middle]))
    graph.nodes.remove(node)


class _Reader:
    """Calibration images one at a time, as onnxruntime asks for them."""

    def __init__(self, batches: Batches, input_name: str) -> None:
        self._images, self._name = single_images(batches), input_name

    def get_next(self) -> dict[str, Any] | None:
        """The next image, or None."""
        image = next(self._images, None)
        return None if image is None else {self._name: image}


def _statically(model: Path, batches: Batches, out: Path, method: str, folder: Path) -> None:
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    ready = folder / "ready.onnx"
    # Symbolic shapes need another package and fail on attention; all shapes are fixed here anyway.
    quant_pre_process(str(model), str(ready), skip_symbolic_shape=True)
    options: dict[str, Any] = {"calibrate_method": CalibrationMethod[_CALIBRATIONS[method]]}
    if method != METHODS[0]:
        options |= {"per_channel": True, "activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
    reader = _Reader(batches, _input_name(ready))
    quantize_static(str(ready), str(out), reader, quant_format=QuantFormat.QDQ, **options)


def _input_name(path: Path) -> str:
    name: str = OnnxGraph.read(path).model.graph.input[0].name
    return name


def take_pixels(source: Path, out: Path) -> None:
    """Let the graph begin with uint8 pixels; name input and output."""
    import onnx
    from onnx import helper

    graph = OnnxGraph.read(source)
    first = graph.model.graph.input[0].name
    takers = graph.consumers(first)
    for node in takers:
        for index, name in enumerate(node.input):
            if name == first:
                node.input[index] = "pixels_as_float"
    graph.model.graph.input[0].name = INPUT
    graph.nodes.insert(0, helper.make_node("Cast", [INPUT], ["pixels_as_float"], to=onnx.TensorProto.FLOAT))
    graph.set_input_type(INPUT, np.uint8)
    graph.rename_output(OUTPUT)
    graph.model.ir_version = max(graph.model.ir_version, _IR_VERSION)
    graph.renumber()
    graph.write(out)
