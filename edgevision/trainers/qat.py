"""Quantisation-aware training as the last stage: the quantised Keras model, trained with the task's own loss and data.

What is trained are the float weights behind the rounded ones (``converters.quantize.trainable``), on grids that
calibration on training images has set. The result is stored in the float model's file, and ``convert`` exports it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.calibration import split
from edgevision.converters.quantize.build import answer
from edgevision.converters.quantize.correct import images_to_correct
from edgevision.converters.quantize.finetune import first_rate
from edgevision.converters.quantize.observe import Batch, batch_size
from edgevision.converters.quantize.quantize import Quantized, quantize
from edgevision.converters.quantize.trainable import Trainable
from edgevision.converters.source import SourceModel, load_source
from edgevision.converters.trained import write_trained
from edgevision.runtime.errors import InputError
from edgevision.trainers.augment import Policy
from edgevision.trainers.engine import import_keras, import_tensorflow
from edgevision.trainers.examples import Examples, Progress, TrainingData
from edgevision.trainers.pipeline import Pipeline
from edgevision.trainers.step import one_graph
from edgevision.trainers.tasks.task import Predict, Task


@dataclass(frozen=True)
class QatResult:
    """What quantisation-aware training came to.

    Attributes:
        epochs: Passes made.
        kept: The pass whose weights were kept; 0 is the calibrated model as it was.
        figures: The task's figures of the int8 model on the validation examples, after calibration and then after
            each pass; empty without validation examples.
    """

    epochs: int
    kept: int
    figures: tuple[dict[str, float], ...]


def train_quantized(path: Path, task: Task, data: TrainingData, epochs: int, progress: Progress = None) -> QatResult:
    """Train the int8 model of a saved float model, and store it in the same file.

    Args:
        path: The .keras file, with its metadata.
        task: Recipe and loss.
        data: What the float model was trained on.
        epochs: Passes, at least 1.
        progress: Called with ("quantisation-aware training", steps done, steps in all).

    Raises:
        InputError: The network does not take images.
    """
    source, recipe = load_source(path), task.recipe
    if source.preprocessing is None:
        raise InputError(f"qat is not for {recipe.model}", expected="a network whose one input are images")
    best, kept = _calibrated(source, data.train), 0
    student = Trainable(best.graph, best.ranges, list(source.graph.outputs.values()))
    pipeline = Pipeline(data.train, Policy(recipe.augment), task.encode, recipe.batch_size, recipe.seed)
    step = _step(task, student, first_rate(best.errors[best.recipe]), epochs * len(pipeline))
    figures = [_judged(task, source, best, data.validation)]
    for number in range(1, epochs + 1):
        # Other numbers than the float model's epochs: other orders, other augmentation.
        for done, (images, targets) in enumerate(pipeline.epoch(recipe.epochs + number), 1):
            step(images, targets)
            if progress is not None:
                done_before = (number - 1) * len(pipeline)
                progress("quantisation-aware training", done_before + done, epochs * len(pipeline))
        found = _rounded(student, best)
        if found is None:
            break
        figures.append(_judged(task, source, found, data.validation))
        if data.validation is None or task.worth(figures[-1]) > task.worth(figures[kept]):
            best, kept = found, number
    if kept:  # what calibration alone makes is ``convert``'s to make, for the processors it is asked for
        write_trained(path, source.graph, best)
    return QatResult(number, kept, tuple(figures) if data.validation is not None else ())


def _calibrated(source: SourceModel, examples: Examples) -> Quantized:
    """Where it begins: what ``convert`` would make of the float model, by training images that are not augmented."""
    (ranges, choice, _), _ = split(len(examples))
    size, name = batch_size(source.graph), source.graph.input.name

    def batches(places: NDArray[np.int64]) -> Callable[[], Iterator[Batch]]:
        def made() -> Iterator[Batch]:
            for start in range(0, len(places), size):
                yield {name: np.stack([examples[int(place)].pixels for place in places[start : start + size]])}

        return made

    first = ranges[: images_to_correct(source.graph)]
    correction = {name: np.stack([examples[int(place)].pixels for place in first])}
    # Pairs that saturate nowhere would not survive training; the files say what they need.
    return quantize(source.graph, source.scores, batches(ranges), correction, batches(choice), "vnni")


def _step(task: Task, student: Trainable, rate: float, steps: int) -> Callable[[Any, Any], None]:
    """What trains on images, uint8 (batch, H, W, C), and on what the task's ``encode`` made of them."""
    keras, tf = import_keras(), import_tensorflow()
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps), global_clipnorm=1.0)
    optimizer.build(student.variables)
    names = task.built.model.output_names

    def step(images: Any, targets: Any) -> None:
        with tf.GradientTape() as tape:
            outputs = dict(zip(names, student(tf.cast(images, tf.float32)), strict=True))
            loss = task.loss(outputs, targets)["loss"]
        gradients = tape.gradient(loss, [variable.value for variable in student.variables])
        pairs = [(each, variable) for each, variable in zip(gradients, student.variables) if each is not None]
        optimizer.apply_gradients(pairs)

    return one_graph(step)


def _rounded(student: Trainable, start: Quantized) -> Quantized | None:
    graph = student.rounded()
    return None if graph is None else dataclasses.replace(start, graph=graph, is_pair_safe=False)


def _judged(task: Task, source: SourceModel, quantized: Quantized, validation: Examples | None) -> dict[str, float]:
    return {} if validation is None else task.judge(_predict(task, source, quantized), validation)


def _predict(task: Task, source: SourceModel, quantized: Quantized) -> Predict:
    model, graph, names = quantized.model(), source.graph, task.built.model.output_names

    def predict(images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        found = answer(model, graph, {graph.input.name: images})
        return dict(zip(names, found.values(), strict=True))

    return predict
