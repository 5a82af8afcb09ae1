"""Samples for fine-tuning: of the calibration data all but those that choose and judge, and more if they are given."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.calibration import PixelSet
from edgevision.converters.quantize.distil import UNKNOWN
from edgevision.converters.quantize.observe import Batch
from edgevision.converters.samples import Samples
from edgevision.converters.source import SourceModel
from edgevision.converters.tensor_set import TensorRows, judged_rows
from edgevision.datasets import ClipDataset, open_clips, open_dataset, open_images
from edgevision.runtime.errors import DatasetError, InputError


class TrainingSamples:
    """Images or named arrays to train on, each with its class where the data tells it.

    Samples that choose or judge are left out by their pixels or values, wherever they come from. Evaluation data of its
    own is not left out but counted: whoever trains on it may want it so, and reads the count. Labels count only where
    the data's classes are the model's.

    Attributes:
        labelled: How many have a class.
        notes: Why labels that are there are not used.
        digests: One per sample, of its decoded pixels or its values.
    """

    def __init__(self, source: SourceModel, data: Samples, calibration: str | Path, more: str | Path | None) -> None:
        """
        Args:
            source: The model.
            data: What calibrates and what judges.
            calibration: Where the calibration data is.
            more: Other samples of the same kind to train on.

        Raises:
            InputError: Nothing is left to train on.
            DatasetError: ``more`` is no such data (ImageError: an image is damaged).
        """
        self.notes: list[str] = []
        self._frames = source.frames
        self.digests: list[bytes] = []
        self._places: list[tuple[PixelSet | TensorRows, int]] = []
        self._targets: list[int] = []
        groups = data.calibration
        apart = {*groups.choice.digests(), *(() if data.is_separate else groups.judgement.digests())}
        own = self._classes(calibration, data.labels)
        for group in (groups.ranges, groups.rest):
            self._add(group, own, apart)
        if more is not None:
            self._add(_opened(source, more), self._classes(more, data.labels), apart)
        if not self._places:
            raise InputError(
                "there is nothing to fine-tune on",
                expected="samples beyond those that choose and judge",
                got=f"{groups.count} calibration samples",
                cure="give at least 10 calibration samples, or others with --finetune-data (finetune_data)",
            )
        self.labelled = sum(target != UNKNOWN for target in self._targets)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def sha256(self) -> str:
        """Hash of all samples' contents and classes, whatever their order."""
        rows = sorted(f"{digest.hex()} {target}" for digest, target in zip(self.digests, self._targets))
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()

    def batches(self, size: int, epoch: int) -> Iterator[tuple[Batch, NDArray[np.int64]]]:
        """See ``finetune.Training``; the order is the same every time for the same epoch."""
        order = np.random.default_rng([0, epoch]).permutation(len(self))
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            rows = [group.head(1, place) for group, place in (self._places[index] for index in chosen)]
            batch = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
            yield batch, np.array([self._targets[index] for index in chosen], np.int64)

    def _add(self, group: PixelSet | TensorRows, classes: dict[str, int], apart: set[bytes]) -> None:
        for index, (name, digest) in enumerate(zip(group.names, group.digests())):
            if digest not in apart:
                self._places.append((group, index))
                self._targets.append(classes.get(name, UNKNOWN))
                self.digests.append(digest)

    def _classes(self, data: str | Path, labels: tuple[str, ...]) -> dict[str, int]:
        """Each image's class by its name in the data; none where the data has no labels or other ones."""
        if not labels:
            return {}
        try:
            dataset = open_clips(data, prefer="train") if self._frames else open_dataset(data, prefer="train")
        except DatasetError:
            return {}
        try:
            aligned = dataset.aligned_to(labels)
        except DatasetError as error:
            self.notes.append(f"labels of {Path(data).name} are not used: {error.problem} (they are {error.got})")
            return {}
        samples = aligned.windows(self._frames) if isinstance(aligned, ClipDataset) else aligned
        return dict(zip(samples.names, samples.targets.tolist()))


def _opened(source: SourceModel, data: str | Path) -> PixelSet | TensorRows:
    if source.preprocessing is None:
        return judged_rows(data, source.graph.inputs)
    images = open_clips(data, prefer="train").windows(source.frames) if source.frames else open_images(data)
    return PixelSet(images, source.preprocessing, source.graph.input.name)
