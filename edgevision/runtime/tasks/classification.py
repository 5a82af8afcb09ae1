"""A classifier's output to one probability per class, whatever the model ends in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgevision.runtime.errors import BundleError, TensorError
from edgevision.runtime.results.classification import Classification
from edgevision.runtime.tasks.task import Outputs, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.manifest import Manifest, Scores
    from edgevision.runtime.spec import TensorSpec


class ClassificationTask(Task):
    """One output, one score per label."""

    def __init__(self, manifest: Manifest, outputs: Sequence[TensorSpec]) -> None:
        super().__init__(manifest, outputs)
        assert manifest.scores is not None, "a manifest without is refused when it is made"
        self._spec, self._scores, self._thresholds = self.spec(""), manifest.scores, None
        if manifest.head is not None:
            self._thresholds = _thresholds(manifest)

    def decode(self, outputs: Outputs, size: tuple[int, int]) -> Classification:
        """See ``Task.decode``."""
        values = self.unchecked(outputs, self._spec).reshape(-1)  # scores_from looks for what is not finite
        return Classification(scores_from(values, self._scores, len(self.labels)), self.labels, self._thresholds)


def _thresholds(manifest: Manifest) -> NDArray[np.float32]:
    """float32 (classes,) of a multi-label head."""
    from edgevision.runtime.heads.classes import MultiLabelHead

    head, count = manifest.head, len(manifest.labels)
    assert isinstance(head, MultiLabelHead), "the only head of a classifier"
    if head.thresholds and len(head.thresholds) != count:
        raise BundleError("thresholds do not match the labels", expected=str(count), got=str(len(head.thresholds)))
    return np.array(head.thresholds or [head.score_threshold] * count, np.float32)


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
