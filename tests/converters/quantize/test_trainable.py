from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from edgevision.converters.quantize.distil import scored
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.points import value_grids
from edgevision.converters.quantize.quantize import Quantized, quantize
from edgevision.converters.quantize.trainable import Trainable, _rounded
from edgevision.converters.quantize.weights import channel_axes, to_grid
from tests.converters.models import as_batch, folded, pictures, sequential

IMAGES, _ = pictures(64)
PIXELS = IMAGES.astype(np.float32)


@pytest.fixture(scope="module")
def graph() -> Graph:
    layers = (
        kl.Rescaling(1 / 127.5, -1),
        kl.Conv2D(6, 3),
        kl.BatchNormalization(),
        kl.ReLU(6),
        kl.DepthwiseConv2D(3, depth_multiplier=2, padding="same"),
        kl.BatchNormalization(),
        kl.ReLU(),
        kl.Conv2DTranspose(4, 3, strides=2, activation="swish"),
        kl.AveragePooling2D(4),
        kl.LayerNormalization(name="norm"),
        kl.Flatten(),
        kl.Dense(4, activation="softmax"),
    )
    return folded(sequential(*layers))


@pytest.fixture(scope="module")
def quantized(graph: Graph) -> Quantized:
    return quantize(
        graph, "probabilities", lambda: [as_batch(IMAGES[:40])], as_batch(IMAGES[:40]), lambda: [as_batch(IMAGES[40:])]
    )


def trainable(quantized: Quantized) -> Trainable:
    return Trainable(quantized.graph, quantized.ranges, [quantized.graph.output])


def test_it_begins_as_the_quantised_model(quantized: Quantized) -> None:
    (found,) = trainable(quantized)(PIXELS)
    np.testing.assert_allclose(found, quantized.model()(PIXELS), atol=1e-6)


@pytest.mark.parametrize("axes", [(3,), (2, 3), (2,)])
def test_kernels_are_rounded_as_in_numpy_and_gradients_pass(axes: tuple[int, ...]) -> None:
    kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 5)).astype(np.float32) * np.logspace(-4, 3, 5)
    kernel = kernel.astype(np.float32)
    kernel[..., 1, :], kernel[..., 2] = 0, 0
    stored, scale = to_grid(kernel, axes)
    values = tf.Variable(kernel)
    with tf.GradientTape() as tape:
        rounded = _rounded(values, axes)
        total = tf.reduce_sum(rounded * kernel)
    np.testing.assert_allclose(rounded, stored * scale, rtol=1e-6)
    np.testing.assert_array_equal(tape.gradient(total, values), kernel)


def test_what_was_trained_comes_out_on_its_grids(quantized: Quantized) -> None:
    student, random = trainable(quantized), np.random.default_rng(0)
    for variable in student.variables:
        variable.assign(random.normal(0, 0.05, variable.shape))
    (found,) = student(PIXELS)
    graph = student.rounded()
    assert graph is not None
    grids = value_grids(graph, quantized.ranges)
    for op in (op for op in graph if op.has_kernel):
        stored, scale = to_grid(op.weights[0], channel_axes(op))
        np.testing.assert_allclose(stored * scale, op.weights[0], rtol=1e-6)
        assert (stored != to_grid(quantized.graph.ops[op.name].weights[0], channel_axes(op))[0]).mean() > 0.1
        if op.inputs[0] in grids:  # behind the layer norm, which is kept in float, too
            units = op.weights[1] / (scale.ravel().astype(np.float64) * grids[op.inputs[0]].scale)
            np.testing.assert_allclose(units, np.rint(units), atol=2e-2)
    exact = dataclasses.replace(quantized, graph=graph).model()(PIXELS)
    np.testing.assert_allclose(found, exact, atol=0.02)  # biases were not rounded there
    assert np.abs(np.asarray(exact) - np.asarray(quantized.model()(PIXELS))).max() > 0.05


def test_weights_that_are_no_numbers_are_no_graph(quantized: Quantized) -> None:
    student = trainable(quantized)
    student.variables[0].assign(np.full(student.variables[0].shape, np.nan))
    assert student.rounded() is None


def test_every_kernel_and_bias_is_trained_and_kept_layers_are_not(quantized: Quantized) -> None:
    student = trainable(quantized)
    kernels = [op for op in quantized.graph if op.has_kernel]
    assert len(student.variables) == 2 * len(kernels)
    values = [variable.value for variable in student.variables]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        total = tf.reduce_sum(tf.square(student(PIXELS)[0]))
    gradients = tape.gradient(total, values)
    assert all(np.abs(np.asarray(each)).max() > 0 for each in gradients)
    assert any(op.kind == "Kept" for op in quantized.graph)


def test_one_step_is_as_large_in_small_channels_as_in_large_ones(graph: Graph, quantized: Quantized) -> None:
    """Folded batch norms scale channels as they like; a learning rate may not depend on that."""
    student = trainable(quantized)
    for variable in student.variables:
        variable.assign(np.full(variable.shape, 0.1))
    for op in (op for op in graph if op.has_kernel):
        before = quantized.graph.ops[op.name].weights[0]
        others = tuple(axis for axis in range(before.ndim) if axis not in channel_axes(op))
        moved = student._shadows[op.name].values()[0] - before
        share = np.asarray(moved).max(others) / np.abs(before).max(others)
        np.testing.assert_allclose(share, 0.1, rtol=1e-4)


def test_the_loss_looks_at_the_logits_behind_a_softmax(graph: Graph) -> None:
    assert graph.ops[graph.output].kind == "Activation"
    assert scored(graph, "probabilities") == graph.ops[graph.output].inputs
    assert scored(graph, None) == [graph.output], "what is no class scores is looked at as it is"
    plain = folded(sequential(kl.Flatten(), kl.Dense(3)))
    assert scored(plain, "logits") == [plain.output]
