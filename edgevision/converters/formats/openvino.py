"""Keras model to OpenVINO IR (.xml + .bin).

OpenVINO reads the activations' grids from the SavedModel as FakeQuantize. Kernels come as float constants on their int8
grid (``quantize.weights``) and are stored as int8 with a per-channel scale here.
"""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.converters.formats.exported import Kernel, Source
from edgevision.converters.quantize.averages import AWAY
from edgevision.converters.quantize.pairs import saturates
from edgevision.converters.quantize.weights import lies_on_grid, to_grid
from edgevision.runtime.backends.openvino import import_openvino

_KERNELS = ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData", "MatMul")
_MOVING = ("Transpose", "Reshape", "MaxPool", "Squeeze", "Unsqueeze", "Slice", "StridedSlice", "Split", "VariadicSplit")
_EXECUTED = ("Convolution", "Deconvolution", "FullyConnected", "MatMul")


def export(source: Source, path: Path) -> None:
    """Write .xml and .bin; raw pixels uint8 (1, H, W, C) in, other inputs as they are, float32 out."""
    openvino = import_openvino()
    model = openvino.convert_model(source.saved_model())
    if source.precision in ("int8", "dynamic-int8"):
        for node in model.get_ordered_ops():
            if node.get_type_name() in _KERNELS:
                _quantize_constant(node)
    if source.precision == "int8":
        _keep_roundings(model)
        _round_away(model)
        _add_vectors(model)
        model = _take_pixels(model, source.pixel_inputs)
    if len(source.graph.inputs) == 1:
        model.input(0).set_names({source.graph.input.name})
    if len(source.graph.outputs) == 1:  # a single one has no name of its own yet
        model.output(0).set_names(set(source.graph.outputs))
    forget_origin(model)
    openvino.save_model(model, str(path), compress_to_fp16=source.precision == "float16")


def embed(path: Path, text: str) -> None:
    """Store ``text`` in rt_info under "edgevision"."""
    openvino = import_openvino()
    weights = path.with_suffix(".bin").read_bytes()
    model = openvino.Core().read_model(path.read_bytes(), weights)
    model.set_rt_info(text, ["edgevision"])
    openvino.save_model(model, str(path), compress_to_fp16=False)


def kernels(path: Path) -> list[Kernel]:
    """Multiply-accumulate operators, from the file."""
    model = import_openvino().Core().read_model(str(path))
    nodes = list(model.get_ordered_ops())
    # Without any grid OpenVINO takes a network for a float one, pixels and int8 weights or not.
    is_quantized = any(node.get_type_name() == "FakeQuantize" for node in nodes)
    found = [_kernel(node) for node in nodes if node.get_type_name() in _KERNELS]
    return found if is_quantized else [dataclasses.replace(kernel, is_int8=False) for kernel in found]


def needs(path: Path) -> tuple[str, ...]:
    """ "vnni" where pairs of weights of an integer kernel overflow without it."""
    nodes = list(import_openvino().Core().read_model(str(path)).get_ordered_ops())
    # Without grids all is float where there is no VNNI (dense layers round their values only where there is).
    is_quantized = any(node.get_type_name() == "FakeQuantize" for node in nodes)
    for node in nodes if is_quantized else ():
        if node.get_type_name() in _KERNELS and _is_integer_value(node, 0):
            constant = _stored_constant(node.input(1).get_source_output().get_node())
            if constant is not None and constant.get_element_type().to_string() == "i8":
                axes = _channel_axes(node, constant.data.ndim)
                if saturates(_by_output(constant.data, axes)):
                    return ("vnni",)
    return ()


def _by_output(stored: Any, axes: tuple[int, ...]) -> Any:
    """A stored kernel as (outputs, inputs, *window)."""
    front = np.moveaxis(stored, axes, range(len(axes)))
    return front.reshape(-1, *front.shape[len(axes) :])


def executed(path: Path) -> list[tuple[str, bool]]:
    """Operators of the graph compiled for this CPU."""
    core = import_openvino().Core()
    compiled = core.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = []
    for node in compiled.get_runtime_model().get_ordered_ops():
        info = node.get_rt_info()
        kind, precision = info["layerType"].astype(str), info["runtimePrecision"].astype(str)
        if kind in _EXECUTED:
            found.append((kind, precision in ("i8", "u8")))
    return found


def forget_origin(model: Any) -> None:
    """Take out what differs between two conversions of the same model: the path it came from, numbers that count on."""
    rt_info = model.get_rt_info()
    if "conversion_parameters" in rt_info.keys():  # noqa: SIM118 - a mapping in C++ that knows no "in"
        del rt_info["conversion_parameters"]
    for number, node in enumerate(model.get_ordered_ops()):
        base = re.fullmatch(r"(\w+?)_\d+", node.get_friendly_name())
        if base is not None:
            node.set_friendly_name(f"{base[1]}_{number}")


def _add_vectors(model: Any) -> None:
    """Add vectors, (1, n), as (1, 1, n): OpenVINO 2026.4 on one thread reads what is not theirs when it adds two that
    dense layers in int8 made and a third one takes (-100 dB, for every n tried).
    """
    ops = import_openvino().opset13
    for node in model.get_ordered_ops():
        sides = _summands(node)
        if len(node.output(0).get_shape() if sides else ()) != 2 or any(_is_constant(side) for side in sides):
            continue
        readers = list(node.output(0).get_target_inputs())
        wide = [ops.reshape(side, ops.constant(np.array([1, *side.get_shape()])), False) for side in sides]
        shape = ops.constant(np.array(node.output(0).get_shape()))
        result = ops.reshape(ops.add(*wide), shape, False)
        for reader in readers:
            reader.replace_source_output(result.output(0))


def _summands(node: Any) -> list[Any]:
    """What an addition adds, nothing for any other node, without what Keras does to the second of two (1, n) or
    (1, 1, 1, n): it takes that for a bias and squeezes it to (n,)."""
    if node.get_type_name() != "Add":
        return []
    rank = len(node.output(0).get_shape())
    sides = []
    for side in node.input_values():
        found = side
        while found.get_node().get_type_name() in ("Squeeze", "Unsqueeze"):
            found = found.get_node().input_value(0)
        missing = [1] * (rank - len(side.get_shape()))
        is_same = list(found.get_shape()) in (list(side.get_shape()), [*missing, *side.get_shape()])
        sides.append(found if is_same else side)
    return sides


def _is_constant(side: Any) -> bool:
    return bool(side.get_node().get_type_name() == "Constant")


def _keep_roundings(model: Any) -> None:
    """Have the sides of a residual addition rounded to their grids, as the quantised model has them.

    OpenVINO 2026.4 takes such an addition into the convolution before it and then leaves that one's rounding out: 30 dB
    between it and the other formats on a small squeeze-and-excite network where 50 are possible. It does not if a cut
    comes between the two. This one cuts nothing and costs nothing: it becomes part of the convolution too.
    """
    ops = import_openvino().opset13
    most = float(np.finfo(np.float32).max)
    for node in model.get_ordered_ops():
        sides = _summands(node)
        for place, side in enumerate(sides):
            if side.get_node().get_type_name() == "FakeQuantize":
                node.input(place).replace_source_output(ops.clamp(side, -most, most).output(0))


def _round_away(model: Any) -> None:
    """Have average pools round halves as TFLite's do (``quantize.averages.AWAY``): a grid behind one takes its values
    for a little larger than they are, counted from its middle."""
    ops = import_openvino().opset13
    for node in model.get_ordered_ops():
        readers = [reader.get_node() for reader in node.output(0).get_target_inputs()]
        if node.get_type_name() == "AvgPool" and [reader.get_type_name() for reader in readers] == ["FakeQuantize"]:
            low, high = (readers[0].input_value(place).get_node().data.astype(np.float64) for place in (1, 2))
            middle = low + 128 * (high - low) / 255
            for place, end in enumerate((low, high), 1):
                moved = ops.constant((middle + (end - middle) / AWAY).astype(np.float32))
                readers[0].input(place).replace_source_output(moved.output(0))


def _quantize_constant(node: Any) -> None:
    openvino = import_openvino()
    ops = openvino.opset13
    constant = node.input(1).get_source_output().get_node()
    if constant.get_type_name() != "Constant":
        return  # a product of two activations
    kernel = constant.data
    axes = _channel_axes(node, kernel.ndim)
    if not lies_on_grid(kernel, axes):
        return  # in float on purpose
    stored, scale = to_grid(kernel, axes)
    real = ops.multiply(ops.convert(ops.constant(stored), "f32"), ops.constant(scale))
    node.input(1).replace_source_output(real.output(0))


def _channel_axes(node: Any, rank: int) -> tuple[int, ...]:
    """Axes that run over output channels, in OpenVINO's layouts."""
    kind = node.get_type_name()
    if kind == "GroupConvolution":
        return (0, 1)
    if kind == "ConvolutionBackpropData":
        return (1,)
    if kind == "GroupConvolutionBackpropData":
        return (0, 2)
    if kind == "MatMul" and not node.get_attributes()["transpose_b"]:
        return (rank - 1,)
    return (rank - 2,) if kind == "MatMul" else (0,)


def _take_pixels(model: Any, names: list[str]) -> Any:
    """Let inputs of pixels be uint8."""
    if not names:
        return model
    openvino = import_openvino()
    from openvino.preprocess import PrePostProcessor

    steps = PrePostProcessor(model)
    for name in names:
        steps.input(name if len(model.inputs) > 1 else 0).tensor().set_element_type(openvino.Type.u8)
    return steps.build()


def _kernel(node: Any) -> Kernel:
    kind = node.get_type_name()
    weights = list(node.input(1).get_shape())
    values, output = list(node.input(0).get_shape()), list(node.output(0).get_shape())
    if kind == "MatMul":
        per_value = values[-2] if node.get_attributes()["transpose_a"] else values[-1]
        macs = math.prod(output) * per_value
    elif kind.endswith("BackpropData"):
        macs = math.prod(values) * math.prod(weights[2 if kind.startswith("Group") else 1 :])
    else:
        macs = math.prod(output) * math.prod(weights[2 if kind == "GroupConvolution" else 1 :])
    stored = _stored_constant(node.input(1).get_source_output().get_node())
    # The second operand is a stored kernel or, in attention, another value.
    second = _is_integer_value(node, 1) if stored is None else stored.get_element_type().to_string() == "i8"
    is_int8 = second and _is_integer_value(node, 0)
    size = 0 if stored is None else math.prod(weights) * stored.get_element_type().bitwidth // 8
    dtype = "" if stored is None else stored.get_element_type().to_dtype().name
    return Kernel(node.get_friendly_name(), kind, int(macs), size, is_int8, dtype)


def _stored_constant(node: Any) -> Any:
    """The constant behind a kernel operand, through its scale and conversion."""
    while node.get_type_name() in ("Multiply", "Subtract", "Convert", "Reshape"):
        node = node.input(0).get_source_output().get_node()
    return node if node.get_type_name() == "Constant" else None


def _is_integer_value(node: Any, operand: int) -> bool:
    """Whether an operand lies on an 8-bit grid: a FakeQuantize, or pixels as they are."""
    source = node.input(operand).get_source_output().get_node()
    while source.get_type_name() in _MOVING:
        source = source.input(0).get_source_output().get_node()
    if source.get_type_name() == "FakeQuantize":
        return bool(source.get_attributes()["levels"] == 256)
    if source.get_type_name() != "Convert":
        return False
    return bool(source.input(0).get_source_output().get_element_type().to_string() == "u8")
