"""Objects with boxes around them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edgevision.benchmarks.judges.detection import LEAST_SCORE, BoxFigures
from edgevision.benchmarks.metrics.detection import Found, match
from edgevision.datasets import open_boxes
from edgevision.runtime.heads import Head, with_thresholds
from edgevision.runtime.heads.detection import FcosHead, SsdHead
from edgevision.runtime.manifest import Manifest
from edgevision.runtime.spec import Preprocessing, TensorSpec
from edgevision.runtime.tasks import task_of
from edgevision.trainers.detection.images import BoxedImages, open_boxed
from edgevision.trainers.detection.losses import BOX_LOSSES, SCORE_LOSSES, detection_loss, refined_ids
from edgevision.trainers.detection.places import joined, places_of
from edgevision.trainers.engine import import_tensorflow
from edgevision.trainers.examples import Example, Examples, Progress, TrainingData
from edgevision.trainers.families import Built
from edgevision.trainers.families.detection.rcnn import TwoStages
from edgevision.trainers.names import check_name
from edgevision.trainers.pipeline import Targets
from edgevision.trainers.recipe import Recipe
from edgevision.trainers.tasks.task import Predict, Task, predicted

_BATCH = 16
#: Overlaps that a box is dropped at, to choose from on validation images.
_LIMITS = (0.3, 0.4, 0.5, 0.6)


class Detection(Task):
    """See ``Task``. Losses: ``detection.losses``."""

    name, default, metric = "detection", "ssd-mobilenet", "ap50"
    figures: ClassVar[Mapping[str, bool]] = {"ap": True}
    losses = SCORE_LOSSES

    def __init__(self, recipe: Recipe, built: Built, labels: tuple[str, ...], p: Preprocessing) -> None:
        super().__init__(recipe, built, labels, p)
        check_name("box_loss", recipe.box_loss, BOX_LOSSES)
        assert isinstance(built.head, (SsdHead, FcosHead)), "the families of this task have one"
        self._head: SsdHead | FcosHead = built.head
        self._places = places_of(built.head, (p.height, p.width))

    @classmethod
    def recognises(cls, data: str | Path) -> bool:
        """Images with COCO or VOC boxes."""
        return len(open_boxes(data, prefer="train")) > 0

    @classmethod
    def open(cls, data: Any, recipe: Recipe, p: Preprocessing, progress: Progress) -> TrainingData:
        """See ``Task.open``; the train split, and the val split or a share of train."""
        return open_boxed(data, recipe, p, progress)

    def encode(self, examples: Sequence[Example]) -> Targets:
        """What each place has to answer, (batch, places, ...): see ``detection.places.Assigned``."""
        found = []
        for example in examples:
            assert example.boxes is not None and example.class_ids is not None, "BoxedImages have both"
            found.append(self._places.assign(example.boxes, example.class_ids))
        return {name: np.stack([getattr(one, name) for one in found]) for name in found[0]._fields}

    def loss(self, outputs: Mapping[str, Any], targets: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe's losses of scores and boxes; of a network of two stages those of its proposals too.

        Without the proposals among the outputs, as in an int8 model, anchors say what the second stage answers for.
        """
        ids, boxes, built = targets["class_ids"], targets["boxes"], self.built
        first: dict[str, Any] = {}
        if isinstance(built, TwoStages) and built.proposals[0] in outputs:
            proposals, objectness = joined(outputs, built.proposals, 4), joined(outputs, built.objectness, 1)
            anything = import_tensorflow().minimum(ids, 0)
            first = detection_loss(self.recipe, self._places, proposals, objectness, anything, boxes)
            ids = refined_ids(self._places.decoded(proposals), boxes, targets["nearest"])
        raw, logits = joined(outputs, self._head.boxes, 4), joined(outputs, self._head.scores, len(self.labels))
        found = detection_loss(self.recipe, self._places, raw, logits, ids, boxes)
        if first:
            found |= {"loss": found["loss"] + first["loss"], "proposal_loss": first["loss"]}
        return found

    def judge(self, predict: Predict, examples: Examples) -> dict[str, float]:
        """AP50 and AP, 0..1, as ``edgevision evaluate`` measures them."""
        (found,) = self._figures(predict, examples, (self._head,))
        return {"ap50": found.value, "ap": float(np.nanmean(found.per_class))}

    def finish(self, predict: Predict, data: TrainingData) -> None:
        """Chooses the overlap that boxes are dropped at, by AP50, and the threshold, by F1, on validation images."""
        if data.validation is None:
            return
        heads = [dataclasses.replace(self._head, iou_threshold=limit) for limit in _LIMITS]
        figures = self._figures(predict, data.validation, heads)
        best = int(np.argmax([one.value for one in figures]))
        self._head = dataclasses.replace(heads[best], score_threshold=_best_threshold(figures[best]))

    def head(self) -> Head:
        """See ``Task.head``."""
        return self._head

    def _figures(self, predict: Predict, examples: Examples, heads: Sequence[SsdHead | FcosHead]) -> list[BoxFigures]:
        """What is found on validation images with each of the heads."""
        assert isinstance(examples, BoxedImages), "opened by this task"
        found: list[list[Found]] = [[] for _ in heads]
        sizes = iter(examples.sizes)
        for batch, outputs in predicted(predict, examples, _BATCH):
            tasks = [self._decoder(head, outputs) for head in heads]
            for row, size in zip(range(len(batch)), sizes):
                one = {name: values[row : row + 1] for name, values in outputs.items()}
                for task, seen in zip(tasks, found):
                    result: Any = task.decode(one, size)
                    seen.append(Found(result.boxes, result.scores, result.class_ids))
        classes, images = len(self.labels), len(examples)
        matches = (match(examples.truths, seen, classes) for seen in found)
        return [BoxFigures(each, self.labels, head.score_threshold, images) for each, head in zip(matches, heads)]

    def _decoder(self, head: SsdHead | FcosHead, outputs: Mapping[str, Any]) -> Any:
        specs = [TensorSpec(name, (1, *values.shape[1:]), "float32") for name, values in outputs.items()]
        wide = with_thresholds(head, LEAST_SCORE, None)
        return task_of(Manifest(self.name, self.labels, None, self.p, head=wide), specs)


def _best_threshold(found: BoxFigures) -> float:
    """The score from which on precision and recall together are best; 0.25 where nothing is found."""
    scores, right = found.answers
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    objects = sum(int(each.objects.sum()) for each in found.matches)
    if not len(hits) or not hits[-1]:
        return 0.25
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + objects)
    return round(float(scores[order][int(np.argmax(f1))] + found.threshold), 3)
