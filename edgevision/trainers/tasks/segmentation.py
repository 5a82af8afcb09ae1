"""A class for every pixel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.metrics.segmentation import counts_of, mean_iou, pixel_table
from edgevision.datasets import MaskDataset, open_masks
from edgevision.datasets.masks import IGNORED
from edgevision.datasets.splits import rarest
from edgevision.runtime.manifest import Manifest
from edgevision.runtime.spec import Preprocessing, TensorSpec
from edgevision.runtime.tasks import task_of
from edgevision.trainers.data import by_strata, held_out
from edgevision.trainers.examples import Example, Examples, Progress, TrainingData
from edgevision.trainers.families import Built
from edgevision.trainers.masks import MaskedImages, class_names
from edgevision.trainers.pipeline import Targets
from edgevision.trainers.pixel_losses import PIXEL_LOSSES, pixel_loss
from edgevision.trainers.recipe import Recipe
from edgevision.trainers.tasks.task import Predict, Task, predicted

_BATCH = 16


class Segmentation(Task):
    """See ``Task``. Losses: ``pixel_losses.PIXEL_LOSSES``."""

    name, default, metric = "segmentation", "unet", "miou"
    figures: ClassVar[Mapping[str, bool]] = {"pixel_accuracy": True}
    losses = PIXEL_LOSSES

    def __init__(self, recipe: Recipe, built: Built, labels: tuple[str, ...], p: Preprocessing) -> None:
        super().__init__(recipe, built, labels, p)
        self._weights: NDArray[np.float32] | None = None

    @classmethod
    def recognises(cls, data: str | Path) -> bool:
        """Images with masks beside them."""
        return len(open_masks(data, prefer="train")) > 0

    @classmethod
    def open(cls, data: Any, recipe: Recipe, p: Preprocessing, progress: Progress) -> TrainingData:
        """See ``Task.open``; the train split, and the val split or a share of train."""
        opened = data if isinstance(data, MaskDataset) else open_masks(data, prefer="train")
        known = opened.aligned_to(class_names(opened))
        train, held = held_out(
            data,
            known,
            lambda path, split: open_masks(path, split).aligned_to(known.labels),
            lambda: by_strata(known, rarest(known.present()), recipe.validation_split, recipe.seed),
        )

        def loaded(part: MaskDataset) -> MaskedImages:
            return MaskedImages(part, p, progress, strict=recipe.strict)

        return TrainingData(loaded(train), None if held is None else loaded(held))

    def prepare(self, data: TrainingData) -> None:
        """Weighs the classes by how many pixels they have."""
        assert isinstance(data.train, MaskedImages), "as opened"
        self._weights = balanced(data.train.pixels_of(), self.recipe.class_balance)

    def encode(self, examples: Sequence[Example]) -> Targets:
        """Classes of the pixels, uint8 (batch, H, W)."""
        return {"mask": np.stack([example.mask for example in examples if example.mask is not None])}

    def loss(self, outputs: Mapping[str, Any], targets: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe's loss, and the share of right pixels."""
        (logits,) = outputs.values()
        assert self._weights is not None, "prepared"
        return pixel_loss(self.recipe, logits, targets["mask"], self._weights)

    def judge(self, predict: Predict, examples: Examples) -> dict[str, float]:
        """Mean intersection over union and share of right pixels, 0..1, decoded as on the device."""
        classes = len(self.labels)
        table = np.zeros((classes + 1, classes + 1), np.int64)
        for batch, outputs in predicted(predict, examples, _BATCH):
            for example, classes_found in zip(batch, self._decoded(outputs)):
                assert example.mask is not None, "as opened"
                table += pixel_table(example.mask, classes_found, classes, IGNORED)
        counts = counts_of(table)
        seen = np.flatnonzero(counts.there > 0)
        return {"miou": mean_iou(counts, seen), "pixel_accuracy": float(counts.hits.sum() / max(table.sum(), 1))}

    def _decoded(self, outputs: Mapping[str, NDArray[Any]]) -> Iterator[NDArray[np.uint8]]:
        """The classes of each image's pixels, by the code of the runtime."""
        ((name, scores),) = outputs.items()
        spec = TensorSpec(name, (1, *scores.shape[1:]), scores.dtype.name)
        decoder = task_of(Manifest(self.name, self.labels, None, self.p, head=self.head()), [spec])
        for index in range(len(scores)):
            result: Any = decoder.decode({name: scores[index : index + 1]}, (self.p.height, self.p.width))
            yield result.classes


def balanced(counts: NDArray[np.int64], power: float) -> NDArray[np.float32]:
    """Weights of the classes, float32 (classes,): their shares of all pixels to the power of ``-power``.

    On the average pixel they are 1; a class that is nowhere weighs 0. At 1 all classes weigh the same in sum, as in
    Eigen and Fergus 2015.
    """
    shares = counts / max(int(counts.sum()), 1)
    weights = np.where(shares > 0, np.maximum(shares, 1e-12) ** -power, 0.0)
    found: NDArray[np.float32] = (weights / max(float((weights * shares).sum()), 1e-12)).astype(np.float32)
    return found
