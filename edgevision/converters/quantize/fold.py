"""Per-channel scale-and-offset operations (batch norm, rescaling, preprocessing) into their neighbours' weights.

Everything here is exact up to float rounding; the arithmetic is done in float64.
"""

from __future__ import annotations

import math

import numpy as np

from edgevision.converters.quantize.graph import Array, Graph, Op, depthwise
from edgevision.runtime.spec import Preprocessing


def prepend_normalization(graph: Graph, preprocessing: Preprocessing) -> None:
    """Put ``(pixel - mean) * scale`` behind the graph's input, so that the input is raw pixels 0..255."""
    if preprocessing.is_raw:
        return
    scale = np.asarray(preprocessing.scale, np.float64)
    weights: list[Array] = [scale.astype(np.float32), (-np.asarray(preprocessing.mean) * scale).astype(np.float32)]
    source = graph.input
    graph.insert_after(source.name, Op("normalization_of_pixels", "Affine", [source.name], source.shape, {}, weights))


def close_with_activation(graph: Graph) -> None:
    """Let a closing softmax or sigmoid come last, behind the flattening that follows it in convolutional models."""
    for key, name in graph.outputs.items():
        last = graph.ops[name]
        if last.kind != "Reshape" or graph.consumers(name):
            continue
        function = graph.ops[last.inputs[0]]
        is_vector = function.shape[-1] == last.shape[-1] == np.prod(function.shape)
        if function.kind == "Activation" and graph.sole_consumer(function.name) is last and is_vector:
            last.inputs, function.inputs, function.shape = function.inputs, [last.name], last.shape
            graph.ops[function.name] = graph.ops.pop(function.name)
            graph.outputs[key] = function.name


def fold(graph: Graph) -> None:
    """Fold every "Affine" it can; turn the rest into 1x1 depthwise convolutions."""
    while any(_fold_one(graph, op) for op in list(graph) if op.kind == "Affine"):
        pass
    for op in list(graph):
        if op.kind == "Affine":
            _to_depthwise(graph, op)


def _fold_one(graph: Graph, op: Op) -> bool:
    """Fold one operation into a neighbour; whether that was possible."""
    before, behind = graph.ops[op.inputs[0]], op
    while before.config.get("is_frames") and graph.sole_consumer(before.name) is behind:  # channels stay the last axis
        before, behind = graph.ops[before.inputs[0]], before
    if (before.has_kernel or before.kind == "Affine") and graph.sole_consumer(before.name) is behind:
        _into_previous(before, op)
        graph.remove(op.name)
        return True
    if before.kind == "ReLU" and behind is op and graph.sole_consumer(before.name) is op and _is_one_positive_scale(op):
        _swap_with_relu(graph, before, op)
        return True
    target = _kernel_ahead(graph, op)
    if target is not None:
        _into_next(target, op)
        graph.remove(op.name)
        return True
    return False


def _is_one_positive_scale(op: Op) -> bool:
    scale, offset = op.weights
    return bool(not offset.any() and scale[0] > 0 and (scale == scale[0]).all())


def _swap_with_relu(graph: Graph, relu: Op, op: Op) -> None:
    """min(max(x, 0), m) * s   is   min(max(x * s, 0), m * s): the scale can go on into the kernel before."""
    (source,) = relu.inputs
    graph.remove(op.name)
    if relu.config.get("max_value") is not None:
        relu.config["max_value"] = float(relu.config["max_value"] * op.weights[0][0])
    op.inputs, op.shape = [source], relu.shape
    moved, graph.ops = dict(graph.ops), {}
    for key, item in moved.items():
        if item is relu:
            graph.ops[op.name] = op
        graph.ops[key] = item
    relu.inputs = [op.name]


def _into_previous(before: Op, op: Op) -> None:
    scale, offset = (weight.astype(np.float64) for weight in op.weights)
    kernel, bias = (weight.astype(np.float64) for weight in before.weights)
    # The output channel is the last axis, but in (h, w, channels, multiplier): there it is channel * multiplier + m.
    # An Affine's "kernel" is its own scale.
    factor = scale
    if before.kind == "DepthwiseConv2D":
        factor = scale.reshape(kernel.shape[2:])
    elif before.kind == "Conv2DTranspose":  # (h, w, out, in)
        factor = scale[:, None]
    before.weights = [(kernel * factor).astype(np.float32), (bias * scale + offset).astype(np.float32)]


def _can_move_forward(op: Op, behind: Op) -> bool:
    """A padded convolution sees zeros at the border: an offset may not move past them, a scale may."""
    if behind.kind == "Conv2DTranspose":  # how many inputs meet in an output differs from place to place
        return not op.weights[1].any()
    return behind.kind == "Dense" or behind.config["padding"] == "valid" or not op.weights[1].any()


def _into_next(behind: Op, op: Op) -> None:
    kernel, bias = (weight.astype(np.float64) for weight in behind.weights)
    repeats = kernel.shape[0] // op.weights[0].size if behind.kind == "Dense" else 1  # a Flatten lies between
    scale, offset = (np.tile(weight.astype(np.float64), repeats) for weight in op.weights)
    if behind.kind == "Conv2DTranspose":  # (h, w, out, in); only a scale comes here
        behind.weights = [(kernel * scale).astype(np.float32), behind.weights[1]]
        return
    if behind.kind == "Dense":
        contribution = offset @ kernel
    elif behind.kind == "DepthwiseConv2D":
        contribution = (kernel.sum((0, 1)) * offset[:, None]).reshape(-1)
    else:
        contribution = offset @ kernel.sum((0, 1))
    # input channels are the last axis but one in all three layouts
    behind.weights = [(kernel * scale[:, None]).astype(np.float32), (bias + contribution).astype(np.float32)]


def _kernel_ahead(graph: Graph, op: Op) -> Op | None:
    """The kernel operation ahead that can take ``op`` in, if everything on the way there commutes with it."""
    step = graph.sole_consumer(op.name)
    while step is not None and _commutes(op, step):
        step = graph.sole_consumer(step.name)
    return step if step is not None and step.has_kernel and _can_move_forward(op, step) else None


def _commutes(op: Op, step: Op) -> bool:
    """Averages commute with any affine map (TensorFlow's padded ones count real pixels only), maxima with increasing
    ones, zero padding with a scale; flattening repeats the channel pattern at every position."""
    if step.kind == "ZeroPadding2D":
        return not op.weights[1].any()
    if step.kind == "MaxPooling2D":
        return bool((op.weights[0] > 0).all())
    is_flatten = step.kind == "Reshape" and len(step.shape) == 1
    is_flatten = is_flatten or bool(step.config.get("is_frames"))
    return is_flatten or step.kind in ("AveragePooling2D", "GlobalAveragePooling2D")


def _to_depthwise(graph: Graph, op: Op) -> None:
    """An "Affine" that nothing takes in: a 1x1 depthwise convolution, which integer kernels know."""
    scale, offset = op.weights
    shape, name = op.shape, op.name
    if len(shape) != 3:  # sequences and vectors as a map of one row, films as one tall image
        wide = (1,) * (3 - len(shape)) + shape if len(shape) < 3 else (math.prod(shape[:-2]), *shape[-2:])
        before = Op(f"{name}_as_map", "Reshape", op.inputs, wide, {"target_shape": wide})
        ordered = dict(graph.ops)
        graph.ops = {}
        for key, item in ordered.items():
            if key == name:
                graph.ops[before.name] = before
            graph.ops[key] = item
        op.inputs, op.shape = [before.name], wide
        graph.insert_after(name, Op(f"{name}_as_before", "Reshape", [name], shape, {"target_shape": shape}))
    op.kind = "DepthwiseConv2D"
    op.weights = [scale.reshape(1, 1, -1, 1), offset]
    op.config = depthwise()
