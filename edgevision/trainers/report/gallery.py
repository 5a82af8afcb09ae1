"""Held-out examples with what the network made of them, those first on which it did worst."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.report import words
from edgevision.runtime.manifest import Manifest
from edgevision.runtime.results.classification import Classification
from edgevision.runtime.results.detections import Detections
from edgevision.runtime.results.result import Result
from edgevision.runtime.results.segmentation import UNSEEN, SegmentationMap
from edgevision.runtime.spec import TensorSpec
from edgevision.runtime.tasks import task_of
from edgevision.trainers.engine import import_tensorflow
from edgevision.trainers.examples import Example, Examples
from edgevision.trainers.images import rgb
from edgevision.trainers.report.sections import Gallery, Item, Line, Picture, Section, picture

if TYPE_CHECKING:
    from edgevision.trainers.tasks.task import Predict, Task

#: Examples that are looked at, spread evenly over those held out, and those that are shown.
LOOKED, SHOWN = 256, 18
#: Frames of a window that are shown, at most, and pixels between two pictures.
_FRAMES, _GAP = 4, 4
#: Width of two pictures side by side, at most.
_PAIR = 480


def worst_first(
    task: Task,
    predict: Predict,
    examples: Examples | None,
    pictures: bool,
    losses: NDArray[np.float64] | None = None,
) -> tuple[Section, ...]:
    """The examples with the largest loss; nothing where none were held out.

    Args:
        task: Whose loss it is.
        predict: The trained network.
        examples: Those held out.
        pictures: Whether images may be shown.
        losses: Of all examples, where they are known; None looks at ``LOOKED`` of them.
    """
    if examples is None or not len(examples):
        return ()
    places, which = np.arange(len(examples)), "the held-out examples"
    if losses is None:
        count = min(LOOKED, len(examples))
        places = np.linspace(0, len(examples) - 1, count).round().astype(int)
        which = which if count == len(examples) else f"{count} of the {len(examples):,} held-out examples"
        losses = np.array([_loss(task, predict, examples[int(place)]) for place in places])
    worst = [int(places[index]) for index in np.argsort(-losses, kind="stable")[:SHOWN]]
    found = [_item(task, predict, examples, place, pictures) for place in worst]
    items = tuple(sorted(found, key=lambda item: all(line.right is not False for line in item.lines)))
    lead = f"{words.count(len(items), 'example')} of largest loss out of {which}: the surest mistakes come first."
    if items[0].picture is not None and examples[worst[0]].label is None:
        lead += " On the left what is labelled, on the right what the network sees."
    lead += "" if pictures else " Images were left out."
    return (Gallery("What it gets wrong", lead, items),)


def _loss(task: Task, predict: Predict, example: Example) -> float:
    tf = import_tensorflow()
    outputs = {name: tf.constant(value) for name, value in predict(example.pixels[None]).items()}
    targets = {name: tf.constant(value) for name, value in task.encode([example]).items()}
    return float(task.loss(outputs, targets)["loss"])


def _item(task: Task, predict: Predict, examples: Examples, index: int, pictures: bool) -> Item:
    example = examples[index]
    outputs = predict(example.pixels[None])
    size = example.pixels.shape[-3], example.pixels.shape[-2]
    answer = decoder(task, outputs).decode(outputs, size)
    return Item(_picture(task, example, answer, index) if pictures else None, _lines(task, example, answer))


def decoder(task: Task, outputs: Mapping[str, NDArray[Any]]) -> Any:
    """What the device decodes such outputs (one example's) with: a ``runtime.tasks.task.Task``."""
    manifest = Manifest(task.name, task.labels, task.built.scores, task.p, head=task.head())
    return task_of(manifest, [TensorSpec(name, array.shape, "float32") for name, array in outputs.items()])


def _lines(task: Task, example: Example, answer: Result) -> tuple[Line, ...]:
    if isinstance(answer, Classification) and example.label is not None:
        right = int(example.label.argmax())
        sure = f"{answer.label}, {words.percent(float(answer.scores[answer.index]))}"
        return (Line("label", task.labels[right]), Line("answer", sure, answer.index == right))
    if isinstance(answer, Detections) and example.boxes is not None:
        return (Line("labelled", str(len(example.boxes))), Line("found", str(len(answer))))
    if isinstance(answer, SegmentationMap) and example.mask is not None:
        judged = example.mask != UNSEEN
        share = float((answer.classes == example.mask)[judged].mean()) if judged.any() else 0.0
        return (Line("pixels right", words.percent(share)),)
    return () if example.label is None else (Line("label", task.labels[int(example.label.argmax())]),)


def _picture(task: Task, example: Example, answer: Result, index: int) -> Picture:
    frames = example.pixels if example.pixels.ndim == 4 else example.pixels[None]
    chosen = np.unique(np.linspace(0, len(frames) - 1, _FRAMES).round().astype(int))
    plain = [rgb(frames[int(i)], task.p.color) for i in chosen]
    alt = f"Held-out example {index}"
    if isinstance(answer, (Detections, SegmentationMap)):
        truth = _truth(task, example, plain[0])
        pair = beside([truth, np.asarray(answer.draw(plain[0]))])
        return picture(pair, f"{alt}, labelled and as the network sees it", _PAIR)
    return picture(beside(plain), alt, 96 * len(plain))


def _truth(task: Task, example: Example, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The labels drawn as answers are."""
    if example.mask is not None:
        return np.asarray(SegmentationMap(example.mask, task.labels).draw(image))
    boxes = np.zeros((0, 4), np.float32) if example.boxes is None else example.boxes.astype(np.float32)
    ids = np.zeros(0, np.int64) if example.class_ids is None else example.class_ids.astype(np.int64)
    size = (image.shape[0], image.shape[1])
    return np.asarray(Detections(boxes, np.ones(len(boxes), np.float32), ids, task.labels, size).draw(image))


def beside(images: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Images of one height from left to right, uint8 (H, W, 3)."""
    gap = np.full((images[0].shape[0], _GAP, 3), 128, np.uint8)
    return np.concatenate([part for image in images for part in (gap, image)][1:], axis=1)
