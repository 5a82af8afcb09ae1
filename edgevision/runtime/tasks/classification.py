"""A classifier's output to one probability per class, whatever the model ends in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgevision.runtime.errors import TensorError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.manifest import Scores


def scores_from(output: NDArray[np.float32], kind: Scores, n_labels: int) -> NDArray[np.float32]:
    """Probabilities of the classes.

    Args:
        output: float32 (classes,), or (1,) for a single sigmoid that means the second of two labels.
        kind: What the output is; see ``Manifest.scores``.
        n_labels: How many labels there are.

    Returns:
        float32 (n_labels,), 0..1. Of logits the softmax; of sigmoids one independent probability each.

    Raises:
        TensorError: The output has another number of values than there are labels, or is not finite.
    """
    single = output.size == 1 and n_labels == 2 and kind in ("sigmoid", "sigmoid_logits")
    if output.ndim != 1 or (output.size != n_labels and not single):
        cure = "convert the model again with the right labels"
        raise TensorError(
            "the output does not fit the labels", expected=f"({n_labels},)", got=str(output.shape), cure=cure
        )
    if not np.isfinite(output).all():
        raise TensorError("the model's output is not finite", expected="no NaN and no infinity")
    values = output.astype(np.float64)
    if kind == "logits":
        values = np.exp(values - values.max())
        values /= values.sum()
    elif kind == "sigmoid_logits":
        values = 0.5 * (1.0 + np.tanh(0.5 * values))  # never overflows, unlike 1 / (1 + exp(-x))
    if single:
        values = np.array([1.0 - values[0], values[0]])
    return values.astype(np.float32)
