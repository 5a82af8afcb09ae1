"""Models as they come from elsewhere: the dense layer of ``tests.tiny`` behind other inputs and before other ends."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.spec import QuantParams
from tests.tiny import BIAS, SHAPE, WEIGHTS, _new

#: Weights for values 0..1 as channels-first images have them flattened.
PLANAR = WEIGHTS.reshape(8, 8, 3, 4).transpose(2, 0, 1, 3).reshape(192, 4)


def probabilities(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Softmax of what the dense layer makes of pixels, uint8 (8, 8, 3), divided by 255."""
    logits = pixels.reshape(-1).astype(np.float64) / 255 @ WEIGHTS + BIAS
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum(), np.float32)


def planar_onnx(kind: str = "float32", end: str = "Softmax", names: str = "") -> bytes:
    """(batch, 3, 8, 8) of any batch, values 0..1, to four scores; ``names`` is the property of that name."""
    from onnx import TensorProto, helper, numpy_helper

    types = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16}
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["floats"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["logits"]),
        helper.make_node(end, ["logits"], ["ended"]),
        helper.make_node("Identity", ["ended"], ["scores"]),
    ]
    constants = [numpy_helper.from_array(PLANAR, "weights"), numpy_helper.from_array(BIAS, "bias")]
    inputs = [helper.make_tensor_value_info("images", types[kind], ("batch", 3, 8, 8))]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ("batch", 4))]
    graph = helper.make_graph(nodes, "planar", inputs, outputs, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if names:
        helper.set_model_props(made, {"names": names})
    return bytes(made.SerializeToString())


def integer_onnx(input_quant: QuantParams, output_quant: QuantParams) -> bytes:
    """int8 (1, 8, 8, 3) through DequantizeLinear, and logits through QuantizeLinear as int8."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("DequantizeLinear", ["pixels", "in_scale", "in_zero"], ["floats"]),
        helper.make_node("Flatten", ["floats"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["logits"]),
        helper.make_node("QuantizeLinear", ["logits", "out_scale", "out_zero"], ["scores"]),
    ]
    constants = [numpy_helper.from_array(WEIGHTS, "weights"), numpy_helper.from_array(BIAS, "bias")]
    for name, quant in (("in", input_quant), ("out", output_quant)):
        constants.append(helper.make_tensor(f"{name}_scale", TensorProto.FLOAT, (), [quant.scale]))
        constants.append(helper.make_tensor(f"{name}_zero", TensorProto.INT8, (), [quant.zero_point]))
    inputs = [helper.make_tensor_value_info("pixels", TensorProto.INT8, SHAPE)]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.INT8, (1, 4))]
    graph = helper.make_graph(nodes, "integer", inputs, outputs, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(made.SerializeToString())


def quantised_tflite(kind: str, quant: QuantParams | None, with_end: bool = True) -> bytes:
    """``kind`` (1, 8, 8, 3) with that quantisation to probabilities in uint8 steps of 1/256, or to logits in float."""
    schema: Any = importlib.import_module("ai_edge_litert.schema_py_generated")
    flatbuffers: Any = importlib.import_module("flatbuffers")
    kinds, codes = schema.TensorType, schema.BuiltinOperator
    tensors = [
        ("image", SHAPE, getattr(kinds, kind.upper()), b"", quant),
        ("floats", SHAPE, kinds.FLOAT32, b"", None),
        ("weights", (4, 192), kinds.FLOAT32, WEIGHTS.T.tobytes(), None),
        ("bias", (4,), kinds.FLOAT32, BIAS.tobytes(), None),
        ("logits", (1, 4), kinds.FLOAT32, b"", None),
        ("ended", (1, 4), kinds.FLOAT32, b"", None),
        ("scores", (1, 4), kinds.UINT8, b"", QuantParams(1 / 256, 0)),
    ]
    steps: list[tuple[Any, list[int], int, str]] = [
        (codes.CAST if quant is None else codes.DEQUANTIZE, [0], 1, ""),
        (codes.FULLY_CONNECTED, [1, 2, 3], 4, "FullyConnectedOptions"),
    ]
    if with_end:
        steps += [(codes.SOFTMAX, [4], 5, "SoftmaxOptions"), (codes.QUANTIZE, [5], 6, "")]
    operators = []
    for number, (_, inputs, output, options) in enumerate(steps):
        operators.append(_new(schema.OperatorT, opcodeIndex=number, inputs=inputs, outputs=[output]))
        if options:
            values = {"beta": 1.0} if options == "SoftmaxOptions" else {}
            operators[-1].builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operators[-1].builtinOptions = _new(getattr(schema, f"{options}T"), **values)
    graph = _new(
        schema.SubGraphT,
        tensors=[_tensor(schema, i + 1, *tensor) for i, tensor in enumerate(tensors)],
        inputs=[0],
        outputs=[6 if with_end else 4],
        operators=operators,
    )
    data = [b"", *(tensor[3] for tensor in tensors)]
    buffers = [_new(schema.BufferT, data=np.frombuffer(item, np.uint8) if item else None) for item in data]
    known = [_new(schema.OperatorCodeT, builtinCode=c, deprecatedBuiltinCode=c, version=1) for c, *_ in steps]
    made = _new(schema.ModelT, version=3, operatorCodes=known, subgraphs=[graph], buffers=buffers)
    builder = flatbuffers.Builder(1024)
    builder.Finish(made.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(schema: Any, buffer: int, name: str, shape: Any, kind: Any, _: bytes, quant: QuantParams | None) -> Any:
    made = _new(schema.TensorT, name=name, shape=shape, type=kind, buffer=buffer)
    if quant is not None:
        made.quantization = _new(schema.QuantizationParametersT, scale=[quant.scale], zeroPoint=[quant.zero_point])
    return made
