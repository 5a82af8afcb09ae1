"""Kernels rounded so that a layer's outputs stay right, not each weight by itself.

Rounding every weight to the nearest step is best for each weight and not for their sum: the errors of weights whose
inputs go up and down together add up. Here weights are rounded one input after another, and each one's error is made
up for by those that are still to be rounded, in the proportion in which calibration images show their inputs to vary
together (Frantar et al. 2022, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers",
after Hassibi and Stork 1993, "Second order derivatives for network pruning: Optimal Brain Surgeon"). Two differences:
the inputs that vary most come first, and each channel's largest weight stays where it is (``weights.to_grid``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.quantize.graph import Array, Op, pair
from edgevision.converters.quantize.pairs import SAFE_SUM, by_output, largest_pair
from edgevision.converters.quantize.weights import LIMIT, channel_axes, round_kernel

Wide = NDArray[np.float64]

#: Share of the mean variance of inputs that is added to each: keeps the solution tame where images are few.
_DAMPING = 0.01
#: Covariances beyond this many values (42 MB) are not made: a kernel with more inputs is rounded to the nearest.
_MOST_VALUES = 2304**2
#: Positions of all images that covariances are taken from, how many of them are in memory at once, and the
#: multiplications that one covariance may cost: some seconds on one core.
_POSITIONS, _AT_ONCE, _WORK = 20_000, 2048, 6e10
#: Rows whose errors are passed on together, as a product of matrices.
_BLOCK = 64


def feedback_kernel(op: Op, inputs: Any, *, pair_safe: bool = False) -> Array:
    """The kernel of ``op`` on its int8 grid, in real values.

    Transposed convolutions, and kernels with so many inputs that their covariance would take too much memory, are
    rounded to the nearest.

    Args:
        op: With real weights.
        inputs: What it will get in the quantised model, float32 (n, H, W, C) or (n, C).
        pair_safe: On grids on which no pair of weights overflows (``pairs``); channels in which feedback would make one
            are rounded to the nearest.
    """
    kernel = op.weights[0]
    stored, scale = round_kernel(op, pair_safe)
    grouped = None if op.kind == "Conv2DTranspose" else _grouped(op, kernel / scale)
    if grouped is None or grouped.shape[0] * grouped.shape[1] ** 2 > _MOST_VALUES:
        return stored.astype(np.float32) * scale
    found = with_feedback(grouped.astype(np.float64), _covariance(op, inputs, *grouped.shape[:2]))
    steps = _ungrouped(op, found).astype(np.float32)
    if pair_safe:
        steps = np.where(_leaves_grid(op, steps, stored), stored, steps)
    return np.asarray(steps.astype(np.float32) * scale)


def _leaves_grid(op: Op, steps: Array, nearest: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Channels with larger weights than the nearest ones, or with pairs that overflow; in the scales' shape."""
    rows, known = by_output(op, steps), by_output(op, nearest)
    window = tuple(range(1, rows.ndim))
    found = (np.abs(rows).max(window) > np.abs(known).max(window)) | (largest_pair(rows) > SAFE_SUM)
    axes = channel_axes(op)
    return np.asarray(found).reshape([size if axis in axes else 1 for axis, size in enumerate(steps.shape)])


def with_feedback(steps: Wide, covariance: Wide) -> Wide:
    """Whole numbers -127..127 whose weighted sums of inputs are near those of ``steps``.

    Args:
        steps: Weights in steps of their channel's grid (groups, inputs, outputs); the largest of each output is
            +-127, or all of them are zero.
        covariance: Of the inputs (groups, inputs, inputs).
    """
    inputs = steps.shape[1]
    diagonal = np.einsum("gii->gi", covariance)
    tame = _DAMPING * diagonal.mean(1)[:, None, None] + 1e-12
    order = np.argsort(-diagonal, axis=1, kind="stable")[:, :, None]  # while others are left to make up for them
    covariance = np.take_along_axis(np.take_along_axis(covariance, order, 1), order.transpose(0, 2, 1), 2)
    shares = _root_of_inverse(covariance + tame * np.eye(inputs))
    rest = np.take_along_axis(steps, order, 1)
    fixed = _fixed(rest)
    stored = np.empty_like(rest)
    for start in range(0, inputs, _BLOCK):
        end = min(start + _BLOCK, inputs)
        errors = np.empty_like(rest[:, start:end])
        for row in range(start, end):
            nearest = np.clip(np.rint(rest[:, row]), -LIMIT, LIMIT)
            stored[:, row] = np.where(np.isnan(fixed[:, row]), nearest, fixed[:, row])
            error = (rest[:, row] - stored[:, row]) / shares[:, row, row, None]
            rest[:, row + 1 : end] -= shares[:, row, row + 1 : end, None] * error[:, None]
            errors[:, row - start] = error
        rest[:, end:] -= shares[:, start:end, end:].transpose(0, 2, 1) @ errors
    result = np.empty_like(stored)
    np.put_along_axis(result, order, stored, 1)
    return result


def _root_of_inverse(matrices: Wide) -> Wide:
    """The upper triangular U of each (n, n) with ``U.T @ U`` its inverse, at a quarter of the work of inverting it.

    From behind a matrix L L.T is J L L.T J with J the exchange matrix, so that U is J inv(L) J.
    """
    import tensorflow as tf

    lower = np.linalg.cholesky(matrices[:, ::-1, ::-1])
    inverse = tf.linalg.triangular_solve(lower, np.broadcast_to(np.eye(lower.shape[1]), lower.shape))
    return np.asarray(inverse.numpy()[:, ::-1, ::-1])


def _fixed(steps: Wide) -> Wide:
    """Weights that may not move: the largest of each output, from which its scale is found again; others are NaN."""
    fixed = np.full_like(steps, np.nan)
    largest = np.abs(steps).argmax(1)[:, None]
    np.put_along_axis(fixed, largest, np.rint(np.take_along_axis(steps, largest, 1)), 1)
    return np.where((np.abs(steps).max(1) < 0.5)[:, None], 0.0, fixed)  # a channel without weights stays so


def _grouped(op: Op, kernel: Array) -> Array:
    """A kernel as (groups, inputs of one output, outputs of a group); only depthwise kernels have several groups."""
    if op.kind == "DepthwiseConv2D":  # (h, w, in, multiplier)
        return np.asarray(kernel.reshape(-1, *kernel.shape[2:]).transpose(1, 0, 2))
    return kernel.reshape(1, -1, kernel.shape[-1])


def _ungrouped(op: Op, grouped: Wide) -> Wide:
    return np.asarray(grouped.transpose(1, 0, 2).reshape(op.weights[0].shape))


def _covariance(op: Op, inputs: Any, groups: int, size: int) -> Wide:
    """Of what the kernel is laid over, float64 (groups, size, size), from a sample of positions of all images."""
    products, sums, count = np.zeros((groups, size, size)), np.zeros((groups, size)), 0
    waiting: list[Array] = []
    origin: Any = None
    share = max(1, int(min(_POSITIONS, _WORK / (groups * size**2))) // max(1, len(inputs)))
    for number, rows in enumerate(_samples(op, inputs, groups, share), 1):
        waiting.append(rows)
        if sum(item.shape[1] for item in waiting) >= _AT_ONCE or number == len(inputs):
            seen = np.concatenate(waiting, 1)
            # About a point near the mean: else the rounding errors of what is constant hide what varies.
            origin = seen.mean(1, keepdims=True) if origin is None else origin
            seen = seen - origin
            products += seen.transpose(0, 2, 1) @ seen
            sums += seen.sum(1, dtype=np.float64)
            count, waiting = count + seen.shape[1], []
    mean = sums / count  # the mean is the bias's business
    return np.asarray(products / count - mean[:, :, None] * mean[:, None, :])


def _samples(op: Op, inputs: Any, groups: int, share: int) -> Iterator[Array]:
    """Per image (groups, positions, inputs of one output), at most ``share`` positions."""
    random = np.random.default_rng(0)
    for values in np.asarray(inputs, np.float32):
        if op.kind == "Dense":
            yield values[None, None]
        else:
            yield _windows(op, values, random, share, groups)


def _windows(op: Op, image: Array, random: np.random.Generator, share: int, groups: int) -> Array:
    """Windows (groups, positions, h * w * channels of a group) of an image (H, W, C) under a convolution's kernel."""
    (height, width), steps, gaps = (pair(op.config[key]) for key in ("kernel_size", "strides", "dilation_rate"))
    reach = (height - 1) * gaps[0] + 1, (width - 1) * gaps[1] + 1
    if op.config["padding"] == "same":  # as TensorFlow lays it: the smaller half goes first
        missing = [max((-(-n // s) - 1) * s + r - n, 0) for n, s, r in zip(image.shape, steps, reach)]
        image = np.pad(image, [*((n // 2, n - n // 2) for n in missing), (0, 0)])
    places = np.lib.stride_tricks.sliding_window_view(image, reach, axis=(0, 1))[:: steps[0], :: steps[1]]
    chosen = random.permutation(places.shape[0] * places.shape[1])[:share]
    found = places[chosen // places.shape[1], chosen % places.shape[1]][:, :, :: gaps[0], :: gaps[1]]
    found = found.reshape(len(found), groups, -1, height * width)  # (positions, groups, channels, taps)
    return np.asarray(found.transpose(1, 0, 3, 2).reshape(groups, len(found), -1))
