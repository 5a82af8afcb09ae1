"""Magnitude pruning while training: the smallest weights of each kernel become zero, more and more of them.

Zhu and Gupta 2017, "To prune, or not to prune": the share rises as 1 - (1 - t)^3. What is zero stays zero, so the masks
are in the weights themselves and a resumed training goes on with them. Dense engines compute zeros like anything else:
what sparsity buys is a smaller download (zip, apt, git), not speed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgevision.trainers.engine import import_tensorflow

#: Share of the steps after which the full sparsity is reached; the rest lets the others make up for it.
_END = 0.7
#: Steps between two updates of the masks.
_EVERY = 20
#: Kernels with fewer weights stay whole: depthwise ones and first layers, that cost much and save nothing.
_LEAST = 1000


class Sparsifier:
    """Keeps kernels sparse, called after every step.

    Args:
        model: The network.
        target: Share of each kernel's weights that are zero in the end, 0 < share < 1.
        steps: Of the whole training.
    """

    def __init__(self, model: Any, target: float, steps: int) -> None:
        self._target, self._end = target, max(1, round(steps * _END))
        self.kernels = prunable(model)
        self._masks: list[Any] = []
        self._done = 0
        self._apply = import_tensorflow().function(self._applied, autograph=False)

    @property
    def is_done(self) -> bool:
        """Whether the full sparsity is reached."""
        return self._done >= self._end

    def __call__(self, step: int) -> None:
        """After step number ``step`` of the training, from 1."""
        self._done = step
        if not self._masks or (step % _EVERY == 0 and step < self._end) or step == self._end:
            self._choose(self._target * (1 - (1 - min(1.0, step / self._end)) ** 3))
        self._apply()

    def _choose(self, share: float) -> None:
        tf = import_tensorflow()
        if not self._masks:  # of a resumed training what is zero was chosen before
            self._masks = [tf.Variable(np.asarray(kernel) != 0, trainable=False) for kernel in self.kernels]
        for kernel, mask in zip(self.kernels, self._masks):
            sizes = np.abs(np.asarray(kernel)) * mask.numpy()
            count = round(share * sizes.size)
            if count:
                limit = np.partition(sizes, count - 1, axis=None)[count - 1]
                mask.assign(sizes > limit)

    def _applied(self) -> None:
        tf = import_tensorflow()
        for kernel, mask in zip(self.kernels, self._masks):
            kernel.assign(tf.where(mask, kernel.value, 0.0))


def prunable(model: Any) -> list[Any]:
    """The kernels (keras.Variable) of convolutions, dense and recurrent layers with enough weights."""
    return [
        weight
        for weight in model.trainable_variables
        if weight.path.rsplit("/")[-1] in ("kernel", "recurrent_kernel")
        and "depthwise" not in weight.path
        and int(np.prod(weight.shape)) >= _LEAST
    ]


def sparsity_of(model: Any) -> float:
    """Share of zeros among the weights that pruning looks at, 0..1; 0 without such weights."""
    kernels = [np.asarray(kernel) for kernel in prunable(model)]
    total = sum(kernel.size for kernel in kernels)
    return sum(int((kernel == 0).sum()) for kernel in kernels) / total if total else 0.0
