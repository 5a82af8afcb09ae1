"""Keras' MultiHeadAttention as dense layers, two products of activations and a softmax, which integer kernels know."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgevision.converters.quantize.builder import Builder, Slot, unsupported
from edgevision.converters.quantize.graph import Array
from edgevision.converters.quantize.lower_kernels import dense


def multi_head_attention(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """Append scaled dot-product attention (Vaswani et al. 2017) of (query, value[, key]), each (steps, channels).

    The factor 1 / sqrt(key_dim) goes into the query's weights.

    Raises:
        UnsupportedLayerError: It is called with masks, or attends over other axes than the steps.
    """
    ranks = {len(builder.graph.ops[name].shape) for name in inputs}
    if ranks != {2} or not 2 <= len(inputs) <= 3 or len(shape) != 2:
        raise unsupported(layer.name, "MultiHeadAttention with a mask or over other axes")
    query, value, key = inputs[0], inputs[1], inputs[-1] if len(inputs) == 3 else inputs[1]
    factor = 1.0 / np.sqrt(float(layer.key_dim))
    heads_q = _heads(builder, layer, "query", query, (2, 1, 3), factor)
    heads_k = _heads(builder, layer, "key", key, (2, 3, 1))
    heads_v = _heads(builder, layer, "value", value, (2, 1, 3))
    scores = _product(builder, f"{layer.name}_scores", heads_q, heads_k)
    weights = builder.activation("softmax", layer.name, scores, builder.graph.ops[scores].shape)
    context = _product(builder, f"{layer.name}_context", weights, heads_v)
    return _merge(builder, layer, context, shape)


def _heads(builder: Builder, layer: Any, role: str, source: str, order: tuple[int, ...], factor: float = 1.0) -> str:
    """The projection of one input, as (heads, steps, dim) or (heads, dim, steps) by ``order``."""
    projection = getattr(layer, f"_{role}_dense")
    kernel = np.asarray(projection.kernel)  # (channels, heads, dim)
    channels, heads, dim = kernel.shape
    bias = np.zeros((heads, dim)) if projection.bias is None else np.asarray(projection.bias)
    flat = kernel.reshape(channels, heads * dim) * factor, bias.reshape(-1) * factor
    steps = builder.graph.ops[source].shape[0]
    name = dense(builder, f"{layer.name}_{role}", source, *flat)
    name = builder.add(
        "Reshape", f"{layer.name}_{role}_heads", [name], (steps, heads, dim), target_shape=(steps, heads, dim)
    )
    shape = (steps, heads, dim)
    return permute(builder, f"{layer.name}_{role}_first", name, order, tuple(shape[axis - 1] for axis in order))


def _product(builder: Builder, name: str, left: str, right: str) -> str:
    shapes = builder.graph.ops[left].shape, builder.graph.ops[right].shape
    return builder.add("MatMul", name, [left, right], (*shapes[0][:-1], shapes[1][-1]))


def _merge(builder: Builder, layer: Any, context: str, shape: tuple[int, ...]) -> str:
    """(heads, steps, dim) to (steps, channels)."""
    heads, steps, dim = builder.graph.ops[context].shape
    name = permute(builder, f"{layer.name}_steps_first", context, (2, 1, 3), (steps, heads, dim))
    flat = (steps, heads * dim)
    name = builder.add("Reshape", f"{layer.name}_merged", [name], flat, target_shape=flat)
    projection = layer._output_dense
    kernel: Array = np.asarray(projection.kernel).reshape(heads * dim, shape[-1])
    bias = np.zeros(shape[-1]) if projection.bias is None else np.asarray(projection.bias)
    return dense(builder, f"{layer.name}_output", name, kernel, bias)


def permute(builder: Builder, name: str, source: str, order: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """Append a change of the order of axes, counted from 1."""
    import keras

    return builder.keep(keras.layers.Permute(order, name=name), name, [source], shape, (Slot(0),), {}, "")
