"""Vectors in whose coordinates images of one person spread alike: what differs between photographs of the same counts
for less, what differs between people for more.

Within-class covariance normalisation (Hatch, Kajarekar and Stolcke 2006), from the people a network was trained on. It
is linear, so that it becomes part of the network's last layer: models do not grow by it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def whitening(
    vectors: NDArray[np.float64], targets: NDArray[np.int64], share: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What to subtract, (dimensions,), and then to multiply by from the right, (dimensions, dimensions).

    The covariance of few images is shrunk towards the same variance in all directions (Ledoit and Wolf 2004).

    Args:
        vectors: Of the images, (images, dimensions).
        targets: Who is on them, 0..people-1, (images,).
        share: Of the measured covariance, 0 <= share < 1; the rest is their mean variance. 0 changes no angle.
    """
    sums = np.zeros((int(targets.max()) + 1, vectors.shape[1]))
    np.add.at(sums, targets, vectors)
    means = sums / np.bincount(targets)[:, None]
    spread = vectors - means[targets]
    covariance = spread.T @ spread / len(spread)
    variance = max(float(np.trace(covariance)) / len(covariance), 1e-12)
    shrunk = share * covariance + (1 - share) * variance * np.eye(len(covariance))
    values, directions = np.linalg.eigh(shrunk)
    return means.mean(0), directions * values**-0.5 @ directions.T


def fold(model: Any, middle: NDArray[np.float64], matrix: NDArray[np.float64]) -> None:
    """Lets a network's vector be ``(vector - middle) @ matrix``.

    Args:
        model: keras.Model that ends in a dense layer without bias and batch normalisation, which then only adds.
        middle: (dimensions,).
        matrix: (dimensions, dimensions).
    """
    dense, norm = model.layers[-2:]
    gamma, beta, mean, variance = (each.astype(np.float64) for each in norm.get_weights())
    factor = gamma / np.sqrt(variance + norm.epsilon)
    (kernel,) = dense.get_weights()
    dense.set_weights([kernel * factor @ matrix])
    zeros, ones = np.zeros_like(beta), np.ones_like(beta)
    norm.set_weights([np.sqrt(1 + norm.epsilon) * ones, (beta - mean * factor - middle) @ matrix, zeros, ones])
