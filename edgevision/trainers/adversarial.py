"""A step of a generator and of the critic it is trained against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgevision.trainers.engine import import_keras, import_tensorflow
from edgevision.trainers.norms import fused_norms
from edgevision.trainers.step import Step, named, normalized

if TYPE_CHECKING:
    from edgevision.trainers.tasks.task import Task

#: Adam's first moment forgets faster than usual (Radford et al. 2016).
_BETA_1 = 0.5
#: What real images are to the critic: a little less than certain (Salimans et al. 2016).
_REAL = 0.9


class AdversarialStep(Step):
    """See ``Step``; the rival in ``task.built`` is trained with an optimizer of its own, like the network's.

    The losses are those of Goodfellow et al. 2014, the generator's not the one that saturates.
    """

    def __init__(self, task: Task, optimizer: Any) -> None:
        config = optimizer.get_config()
        config |= {"beta_1": _BETA_1} if "beta_1" in config else {}
        assert task.built.rival is not None, "what the families of the task build"
        self._rival: Any = task.built.rival
        self._rivals = type(optimizer).from_config(config)
        self._rivals.build(self._rival.trainable_variables)
        super().__init__(task, type(optimizer).from_config(config))

    @property
    def variables(self) -> list[Any]:
        """See ``Step.variables``."""
        return [*super().variables, *self._rival.variables, *self._rivals.variables]

    def _updated(self, images: Any, targets: dict[str, Any]) -> dict[str, Any]:
        tf = import_tensorflow()
        real, given = normalized(images, self._task.p), list(targets.values())
        latents = self._latents(tf.shape(real)[0])
        with tf.GradientTape() as tape, tf.GradientTape() as rivals, fused_norms(self.model):
            (made,) = named(self.model, self.model([latents, *given] if given else latents, training=True)).values()
            found = [self._rival([each, *given] if given else each, training=True) for each in (real, made)]
            loss, critic = _entropy(found[1], 1.0), _entropy(found[0], _REAL) + _entropy(found[1], 0.0)
        for optimizer, net, record, value in (
            (self._optimizer, self.model, tape, loss),
            (self._rivals, self._rival, rivals, critic),
        ):
            weights = net.trainable_variables
            optimizer.apply(record.gradient(value, weights), weights)
        fooled = tf.reduce_mean(tf.cast(found[1] > 0, tf.float32))
        return {"loss": loss, "critic_loss": critic, "fooled": fooled}

    def _latents(self, count: Any) -> Any:
        """Of a step by its number, which is among the variables: a training that goes on draws what it would have."""
        tf = import_tensorflow()
        seed = tf.stack([tf.constant(self._task.recipe.seed, tf.int64), tf.cast(self._optimizer.iterations, tf.int64)])
        return tf.random.stateless_normal((count, *self.model.inputs[0].shape[1:]), seed)


def generate(model: Any, arrays: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """The images, -1..1, float32 (n, H, W, C), of latents (n, ...) and, of a conditional network, labels."""
    inputs = [arrays[tensor.name] for tensor in model.inputs]
    return np.asarray(model(inputs if len(inputs) > 1 else inputs[0], training=False))


def _entropy(logits: Any, share: float) -> Any:
    """Mean cross-entropy of being real against a share of certainty."""
    tf = import_tensorflow()
    keras = import_keras()
    return tf.reduce_mean(keras.losses.binary_crossentropy(tf.fill(tf.shape(logits), share), logits, from_logits=True))
