"""Distillation: a network learns from another one's answers beside the labels.

Hinton et al. 2015, "Distilling the Knowledge in a Neural Network": the divergence of both networks' probabilities at a
raised temperature, times the square of the temperature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.source import SourceModel, load_source
from edgevision.datasets.aligning import places_in
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.errors import DatasetError, InputError
from edgevision.runtime.manifest import Scores
from edgevision.runtime.predictor import load, no_classifier
from edgevision.runtime.spec import Preprocessing
from edgevision.trainers.engine import import_keras, import_tensorflow
from edgevision.trainers.step import normalized

#: Probabilities below this count as this.
_LEAST = 1e-7


class Teacher:
    """A trained classifier that answers the batches of a training.

    Args:
        path: A Keras model file that knows its preprocessing and labels, or a bundle.
        labels: The student's class names; the teacher's have to be the same, in any order.
        p: What the student's images went through.
        scores: What the student's outputs are.
        temperature: Of the divergence, > 0: higher shows more of what the teacher holds for possible.

    Raises:
        InputError: It is no classifier of images of these classes.
        ModelError: The file cannot be read (BundleError: the bundle).
    """

    def __init__(
        self, path: str | Path, labels: Sequence[str], p: Preprocessing, scores: Scores | None, temperature: float
    ) -> None:
        if scores not in ("logits", "probabilities"):
            raise InputError("distillation is not for this task", expected="a classifier of one class an image")
        self._student, self._scores, self._temperature = p, scores, temperature
        found = _Bundle(path) if Path(path).is_dir() and (Path(path) / "manifest.json").is_file() else _Model(path)
        self._answer = found
        try:
            self._order = np.array(places_in(labels, found.labels))
        except DatasetError as error:
            raise InputError(
                f"the teacher {path} knows other classes", expected=error.expected, got=error.got
            ) from None
        if len(found.labels) != len(labels):
            got = f"{len(found.labels)} classes"
            raise InputError(f"the teacher {path} knows other classes", expected=f"{len(labels)} classes", got=got)

    def loss(self, images: Any, outputs: Mapping[str, Any]) -> Any:
        """Divergence of a batch, a scalar tensor.

        Args:
            images: uint8 (batch, H, W, C) as the student sees them.
            outputs: The student's, by name: (batch, classes).
        """
        tf = import_tensorflow()
        (found,) = outputs.values()
        logits = found if self._scores == "logits" else tf.math.log(tf.maximum(found, _LEAST))
        shares = tf.gather(self._answer(images, self._student), self._order, axis=-1)
        aim = tf.nn.softmax(tf.math.log(tf.maximum(shares, _LEAST)) / self._temperature)
        cross = tf.nn.softmax_cross_entropy_with_logits(tf.stop_gradient(aim), logits / self._temperature)
        entropy = -tf.reduce_sum(aim * tf.math.log(tf.maximum(aim, _LEAST)), -1)
        return tf.reduce_mean(cross - entropy) * self._temperature**2


class _Model:
    """A Keras model's probabilities, as tensors."""

    def __init__(self, path: str | Path) -> None:
        source: SourceModel = load_source(path)
        if source.scores not in ("logits", "probabilities") or source.preprocessing is None or not source.labels:
            expected = "a classifier of images that knows its labels"
            raise InputError(f"{path} cannot teach", expected=expected, got=f"task {source.task}")
        self._model, self._p, self._scores = source.model, source.preprocessing, source.scores
        self._model.trainable = False
        self.labels = source.labels

    def __call__(self, images: Any, student: Preprocessing) -> Any:
        tf = import_tensorflow()
        pixels = normalized(_seen_by(self._p, images, student), self._p)
        (found,) = import_keras().tree.flatten(self._model(pixels, training=False))
        return tf.nn.softmax(found) if self._scores == "logits" else found


class _Bundle:
    """A bundle's probabilities: its float32 model where it has one, in the runtime."""

    def __init__(self, path: str | Path) -> None:
        precisions = {item.precision for item in Bundle.open(path).manifest.artifacts}
        self._predictor = load(path, precision="float32" if "float32" in precisions else None)
        if self._predictor.manifest.task != "classification":
            raise no_classifier(path, self._predictor.manifest.task)
        self.labels = self._predictor.manifest.labels

    def __call__(self, images: Any, student: Preprocessing) -> Any:
        tf = import_tensorflow()

        def answered(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            rgb = pixels if student.color == "rgb" else pixels[..., ::-1]
            rgb = np.repeat(rgb, 3, axis=-1) if rgb.shape[-1] == 1 else rgb
            return np.stack([result.scores for result in self._predictor(list(rgb))])

        shares = tf.numpy_function(answered, [images], tf.float32)
        shares.set_shape([None, len(self.labels)])
        return shares


def _seen_by(teacher: Preprocessing, images: Any, student: Preprocessing) -> Any:
    """A student's pixels in the colours and size that the teacher takes, as whole numbers."""
    tf = import_tensorflow()
    pixels = tf.cast(images, tf.float32)
    if student.color == "bgr":
        pixels = pixels[..., ::-1]
    if student.channels == 1 and teacher.channels == 3:
        pixels = tf.repeat(pixels, 3, axis=-1)
    elif student.channels == 3 and teacher.channels == 1:
        pixels = tf.image.rgb_to_grayscale(pixels)
    if teacher.color == "bgr":
        pixels = pixels[..., ::-1]
    if (student.height, student.width) != (teacher.height, teacher.width):
        pixels = tf.image.resize(pixels, (teacher.height, teacher.width), antialias=True)
    return tf.cast(tf.round(pixels), tf.int32)
