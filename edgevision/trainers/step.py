"""One step of training: forward, loss, gradients, update, as one graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.preprocess import real_table
from edgevision.runtime.spec import Preprocessing
from edgevision.trainers.engine import import_keras, import_tensorflow
from edgevision.trainers.norms import fused_norms

if TYPE_CHECKING:
    from edgevision.trainers.tasks.task import Task


class Step:
    """A network and its optimizer, trained batch by batch. A task with more than one network has a class of its own.

    Args:
        task: Its network and loss.
        optimizer: A keras.Optimizer that belongs to this step alone.
    """

    def __init__(self, task: Task, optimizer: Any) -> None:
        self._task, self._optimizer = task, optimizer
        self.model = task.built.model if task.built.trained is None else task.built.trained
        optimizer.build([*self.model.trainable_variables, *task.trained])
        self._held: tuple[Any, ...] = ()
        self._update = one_graph(self._updated)
        self._answer = answering(self.model, task.p)

    @property
    def variables(self) -> list[Any]:
        """Everything that changes in training: what a checkpoint has to hold."""
        return [*self.model.variables, *self._task.trained, *self._optimizer.variables]

    @property
    def learning_rate(self) -> float:
        """Of the next update."""
        return float(self._optimizer.learning_rate)

    def __call__(self, images: Any, targets: Mapping[str, Any]) -> dict[str, float]:
        """Trains on a batch; its figures by name, as of before the update.

        Args:
            images: uint8 (batch, H, W, C).
            targets: What the task's ``encode`` made, by name.
        """
        return {name: float(value) for name, value in self._update(images, dict(targets)).items()}

    def hold(self, layers: Sequence[Any]) -> None:
        """From now on these layers stay as they are, batch norms in inference mode, and all others are trained."""
        if tuple(layers) == self._held:
            return
        for layer in self._held:
            layer.trainable = True
        for layer in layers:
            layer.trainable = False
        self._held = tuple(layers)
        self._update = one_graph(self._updated)  # which weights have gradients is fixed when it is traced

    def predict(self, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """The network's outputs by name, float32."""
        return self._answer(images)

    def _updated(self, images: Any, targets: dict[str, Any]) -> dict[str, Any]:
        tf = import_tensorflow()
        with tf.GradientTape() as tape, fused_norms(self.model):
            outputs = self.model(normalized(images, self._task.p), training=True)
            figures = self._task.loss(named(self.model, outputs), targets)
            total = figures["loss"]
            if self._task.teacher is not None:
                figures["distillation"] = self._task.teacher.loss(images, named(self.model, outputs))
                share = self._task.recipe.teacher_share
                total = (1 - share) * total + share * figures["distillation"]
            total += tf.add_n(self.model.losses) if self.model.losses else 0.0
        weights = [*self.model.trainable_variables, *self._task.trained]
        self._optimizer.apply(tape.gradient(total, weights), weights)
        return figures


def answering(model: Any, p: Preprocessing) -> Callable[[NDArray[np.uint8]], dict[str, NDArray[Any]]]:
    """From uint8 images (batch, H, W, C) to the network's outputs by name, float32."""

    def answered(images: Any) -> dict[str, Any]:
        return named(model, model(normalized(images, p), training=False))

    answer = one_graph(answered)
    return lambda images: {name: np.asarray(value) for name, value in answer(images).items()}


def one_graph(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of batches as one graph for any length of them, made of what the first call gives.

    Left to itself TensorFlow makes another one for the last batch of an epoch, half a minute's work on large networks.
    """
    tf, made = import_tensorflow(), list[Any]()

    def call(*args: Any) -> Any:
        if not made:
            signature = tf.nest.map_structure(lambda one: tf.TensorSpec((None, *one.shape[1:]), one.dtype), args)
            made.append(tf.function(function, input_signature=signature, autograph=False))
        return made[0](*args)

    return call


def named(model: Any, outputs: Any) -> dict[str, Any]:
    """A network's outputs by name, whatever structure it gives them in."""
    return dict(zip(model.output_names, import_keras().tree.flatten(outputs), strict=True))


def normalized(images: Any, p: Preprocessing) -> Any:
    """What ``runtime.preprocess.normalize`` makes of uint8 images, as tensors: the same values, from the same table."""
    tf = import_tensorflow()
    table = real_table(p).astype(np.float32)
    places = tf.cast(images, tf.int32)
    if len(table) == 1:
        return tf.gather(tf.constant(table[0]), places)
    channels = [tf.gather(tf.constant(row), places[..., channel]) for channel, row in enumerate(table)]
    return tf.stack(channels, axis=-1)
