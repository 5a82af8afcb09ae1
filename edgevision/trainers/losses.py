"""Losses over class scores by name: Keras' own."""

from __future__ import annotations

from typing import Any

from edgevision.trainers.engine import import_keras, import_tensorflow
from edgevision.trainers.names import check_name
from edgevision.trainers.recipe import Recipe

#: "focal" weighs down what is right already (Lin et al. 2017, gamma 2); "mae" and "mse" compare probabilities.
CLASS_LOSSES = ("cross-entropy", "focal", "mae", "mse")


def class_loss(recipe: Recipe, scores: str | None, outputs: Any, label: Any) -> dict[str, Any]:
    """Mean loss of a batch and share of right answers, scalar tensors "loss" and "accuracy".

    Args:
        recipe: Its ``loss`` is one of ``CLASS_LOSSES``.
        scores: Whether ``outputs`` are "logits" or "probabilities".
        outputs: (batch, classes).
        label: Shares of the classes, (batch, classes).

    Raises:
        InputError: The loss is unknown.
    """
    tf = import_tensorflow()
    right = tf.equal(tf.argmax(outputs, -1), tf.argmax(label, -1))
    loss = tf.reduce_mean(_named(recipe, scores == "logits", outputs, label))
    return {"loss": loss, "accuracy": tf.reduce_mean(tf.cast(right, tf.float32))}


def _named(recipe: Recipe, logits: bool, outputs: Any, label: Any) -> Any:
    losses, smoothing = import_keras().losses, recipe.label_smoothing
    if recipe.loss == "cross-entropy":
        return losses.categorical_crossentropy(label, outputs, from_logits=logits, label_smoothing=smoothing)
    if recipe.loss == "focal":
        return losses.categorical_focal_crossentropy(label, outputs, from_logits=logits, label_smoothing=smoothing)
    check_name("loss", recipe.loss, CLASS_LOSSES)
    shares = import_tensorflow().nn.softmax(outputs) if logits else outputs
    return (losses.mean_absolute_error if recipe.loss == "mae" else losses.mean_squared_error)(label, shares)
