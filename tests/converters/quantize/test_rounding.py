from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras import layers as kl

from edgevision.converters.quantize import rounding
from edgevision.converters.quantize.build import build_model, call
from edgevision.converters.quantize.correct import correct_biases, kernel_means
from edgevision.converters.quantize.graph import Op
from edgevision.converters.quantize.rounding import feedback_kernel, with_feedback
from edgevision.converters.quantize.weights import channel_axes, quantize_kernels, to_grid
from tests.converters.models import Floats, as_batch, folded, pictures, sequential, signals

#: Every way a kernel is laid over its input.
LAYERS: dict[str, Any] = {
    "plain": lambda: kl.Conv2D(6, 3),
    "strided": lambda: kl.Conv2D(6, (3, 2), strides=2, padding="same"),
    "dilated": lambda: kl.Conv2D(6, 3, dilation_rate=2, padding="same"),
    "depthwise": lambda: kl.DepthwiseConv2D(3, depth_multiplier=2, strides=2, padding="same"),
    "dense on maps": lambda: kl.Dense(5),
}


def kernel_of(layer: Any, channels: int = 8) -> Op:
    graph = folded(sequential(layer, shape=(12, 12, channels)), (12, 12, channels))
    return next(op for op in graph if op.has_kernel)


def entangled(count: int, channels: int = 8) -> Floats:
    """Inputs that vary together: smooth maps of two hidden values, (count, 12, 12, channels)."""
    random = np.random.default_rng(5)
    hidden = random.normal(0, 1, (count, 14, 14, 2))
    smooth = sum(hidden[:, dy : dy + 12, dx : dx + 12] for dy in range(3) for dx in range(3))
    noisy = smooth @ random.normal(0, 1, (2, channels)) + random.normal(0, 0.1, (count, 12, 12, channels))
    return noisy.astype(np.float32)


def error(op: Op, kernel: Floats, inputs: Floats) -> float:
    """Squared error of the outputs, less what a bias takes off."""
    twin = Op(op.name, op.kind, op.inputs, op.shape, op.config, [kernel, op.weights[1]])
    off = np.asarray(call(op, [inputs])) - np.asarray(call(twin, [inputs]))
    return float(np.square(off - off.mean(tuple(range(off.ndim - 1)))).sum())


@pytest.mark.parametrize("name", LAYERS)
def test_outputs_are_nearer_than_with_each_weight_at_its_nearest(name: str) -> None:
    op, inputs = kernel_of(LAYERS[name]()), entangled(12)
    nearest = nearest_kernel(op)
    found = feedback_kernel(op, inputs[:8])
    fresh = inputs[8:]
    share = 0.75 if name == "depthwise" else 0.6  # nine inputs only
    assert error(op, found, fresh) < share * error(op, nearest, fresh)
    # and it is on the very same grid, so that every exporter finds the same scales in it
    stored, scale = to_grid(found, channel_axes(op))
    np.testing.assert_allclose(scale, to_grid(op.weights[0], channel_axes(op))[1], rtol=1e-6)
    np.testing.assert_allclose(stored * scale, found, rtol=1e-5)


def nearest_kernel(op: Op) -> Floats:
    stored, scale = to_grid(op.weights[0], channel_axes(op))
    return np.asarray(stored * scale, np.float32)


def test_inputs_that_have_nothing_in_common_are_rounded_to_the_nearest() -> None:
    steps = np.random.default_rng(0).uniform(-127, 127, (3, 100, 4))
    np.put_along_axis(steps, np.abs(steps).argmax(1)[:, None], -127.0, 1)
    np.testing.assert_array_equal(with_feedback(steps, np.tile(np.eye(100), (3, 1, 1))), np.rint(steps))


def test_two_equal_inputs_share_their_error() -> None:
    """0.4 and 0.4 at the same input are 0.8: one of them becomes 1. More rows than one block: 130 pairs."""
    steps = np.full((1, 261, 1), 0.4)
    steps[0, 0] = 127
    covariance = np.kron(np.eye(130), np.ones((2, 2)))
    whole = np.eye(261)
    whole[1:, 1:] = covariance
    stored = with_feedback(steps, whole[None])[0, :, 0]
    assert stored[0] == 127
    np.testing.assert_array_equal(stored[1:].reshape(-1, 2).sum(1), 1)


def test_channels_without_weights_and_inputs_without_variance() -> None:
    op = kernel_of(kl.Conv2D(4, 3))
    op.weights[0][..., 1] = 0
    op.weights[0][..., 2] = 1e-42
    inputs = np.full((4, 12, 12, 8), 1e4 / 3, np.float32)
    found = feedback_kernel(op, inputs)
    assert (found[..., 1] == 0).all() and (found[..., 2] == 0).all()
    assert np.abs(found - op.weights[0]).max() <= np.abs(op.weights[0]).max() / 127


def test_large_kernels_and_transposed_ones_are_rounded_to_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = entangled(4)
    op = kernel_of(kl.Conv2D(6, 3))
    assert (feedback_kernel(op, inputs) != nearest_kernel(op)).any()
    monkeypatch.setattr(rounding, "_MOST_VALUES", 72**2 - 1)
    np.testing.assert_array_equal(feedback_kernel(op, inputs), nearest_kernel(op))
    monkeypatch.undo()
    op = kernel_of(kl.Conv2DTranspose(6, 3, strides=2))
    np.testing.assert_array_equal(feedback_kernel(op, inputs), nearest_kernel(op))


@pytest.mark.parametrize("name", LAYERS)
def test_windows_are_what_the_kernel_is_laid_over(name: str) -> None:
    """All positions, times the kernel, are the layer's outputs."""
    op, inputs = kernel_of(LAYERS[name]()), signals(1, (12, 12, 8))
    kernel = rounding._grouped(op, op.weights[0])
    (rows,) = rounding._samples(op, inputs, kernel.shape[0], 10_000)
    found = (rows @ kernel).transpose(1, 0, 2).reshape(rows.shape[1], -1)
    exact = np.asarray(call(op, [inputs]) - op.weights[1]).reshape(-1, found.shape[1])
    assert len(found) == len(exact)
    # positions come in random order
    np.testing.assert_allclose(np.sort(found, 0), np.sort(exact, 0), atol=1e-4)
    (few,) = rounding._samples(op, inputs, kernel.shape[0], 3)
    assert few.shape[1] == 3


def test_biases_are_corrected_for_the_kernels_that_were_rounded_with_feedback() -> None:
    graph = folded(sequential(kl.Conv2D(6, 3, activation="relu"), kl.Conv2D(4, 3), kl.Flatten()))
    pixels, _ = pictures(24)
    made = correct_biases(
        graph, quantize_kernels(graph), {}, as_batch(pixels), kernel_means(graph, as_batch(pixels)), feedback_kernel
    )
    exact, found = (np.asarray(build_model(each)(pixels.astype(np.float32))) for each in (graph, made))
    off = (exact - found).reshape(-1, 4)
    assert 1e-4 < off.std() / exact.std() < 0.02
    np.testing.assert_allclose(off.mean(0) / exact.std(), 0, atol=1e-5)
