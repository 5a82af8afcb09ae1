"""Calibration images: the very pixels the device will see, in three groups that do not overlap.

Calibration data is always the caller's: there is no default set. Values that are no images are another set with the
same groups, batches and ``report`` (``tensor_set.TensorSet``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.calibration_report import CalibrationReport, report
from edgevision.converters.image_facts import ImageFacts, image_facts
from edgevision.converters.quantize.convergence import Convergence
from edgevision.converters.quantize.observe import Batch
from edgevision.converters.resemblance import resemblance_warnings
from edgevision.datasets import WindowDataset, open_clips, open_images
from edgevision.datasets.dataset import Dataset
from edgevision.runtime.errors import DatasetError
from edgevision.runtime.preprocess import resize
from edgevision.runtime.spec import Preprocessing

Pixels = NDArray[np.uint8]

#: At most so many images set ranges, choose between candidates, and judge. They are streamed: more would take time, no
#: memory. With 500 images nearly all ranges have settled (``convergence``).
_RANGES, _CHOICE, _JUDGEMENT = 500, 200, 1000
#: Decoded pixels that each group keeps; those of its other images are decoded anew on each pass.
_CACHE_BYTES = 24 * 2**20


class PixelSet:
    """Images of a data set, or windows of frames, as the model's input pixels.

    Attributes:
        dataset: Where they come from.
        preprocessing: What turns them into pixels; its normalisation is not applied.
        input_name: Name of the model's input.
    """

    def __init__(
        self, dataset: Dataset | WindowDataset, preprocessing: Preprocessing, input_name: str = "image"
    ) -> None:
        self.dataset, self.preprocessing, self.input_name = dataset, preprocessing, input_name
        size = preprocessing.height * preprocessing.width * preprocessing.channels
        size *= dataset.frames if isinstance(dataset, WindowDataset) else 1
        self._kept = _CACHE_BYTES // size
        self._cache: dict[int, Pixels] = {}
        self._facts: dict[int, ImageFacts] = {}

    def __len__(self) -> int:
        return len(self.dataset)

    def batches(self, size: int = 32) -> Iterator[Batch]:
        """{input name: uint8 (n, H, W, C), or (n, frames, H, W, C)} with n = ``size`` but in the last one.

        Raises:
            ImageError: An image is damaged; the message names it.
        """
        for start in range(0, len(self), size):
            yield self.head(size, start)

    def head(self, count: int, start: int = 0) -> Batch:
        """Up to ``count`` images from ``start`` on, {input name: uint8 (n, H, W, C)} or as in ``batches``."""
        images = [self._pixels(index) for index in range(start, min(start + count, len(self)))]
        return {self.input_name: np.stack(images)}

    def first(self, count: int) -> PixelSet:
        """The first ``count`` images."""
        if count >= len(self):
            return self
        return PixelSet(self.dataset.subset(range(count)), self.preprocessing, self.input_name)

    @property
    def names(self) -> tuple[str, ...]:
        """Where each image lies in the data."""
        return self.dataset.names

    def facts(self) -> tuple[ImageFacts, ...]:
        """What is known of each image; those that were not looked at yet are decoded.

        Raises:
            ImageError: An image is damaged; the message names it.
        """
        for index in range(len(self)):
            if index not in self._facts:
                self._pixels(index)
        return tuple(self._facts[index] for index in range(len(self)))

    def digests(self) -> tuple[bytes, ...]:
        """Hash of each image's decoded pixels."""
        return tuple(facts.digest for facts in self.facts())

    def _pixels(self, index: int) -> Pixels:
        if index in self._cache:
            return self._cache[index]
        image, pixels = self._decoded(index)
        if index not in self._facts:
            tall = pixels.reshape(-1, *pixels.shape[-2:])
            self._facts[index] = image_facts(image, tall, self.preprocessing)
        if len(self._cache) < self._kept:
            self._cache[index] = pixels
        return pixels

    def _decoded(self, index: int) -> tuple[Pixels, Pixels]:
        """The sample as it lies in the data, frames one below the other, and as the model takes it."""
        if not isinstance(self.dataset, WindowDataset):
            image = self.dataset[index].decode()
            return image, resize(image, self.preprocessing)
        frames = [sample.decode() for sample in self.dataset[index]]
        pixels = np.stack([resize(frame, self.preprocessing) for frame in frames])
        same = len({frame.shape for frame in frames}) == 1
        return np.concatenate(frames) if same else pixels.reshape(-1, *pixels.shape[-2:]), pixels


def _windows(data: str | Path, frames: int, overlapping: bool) -> WindowDataset:
    clips = open_clips(data, prefer="train")
    return clips.windows(frames, max(1, min(frames, len(clips.images) // _RANGES)) if overlapping else frames)


def split(count: int, seed: int = 0) -> tuple[list[NDArray[np.int64]], bool]:
    """Which of ``count`` samples set ranges, choose and judge, and whether they are too few, so that all do all."""
    order = np.random.default_rng(seed).permutation(count)  # folders come sorted by class
    if count < 10:
        return [order] * 3, True
    ends = np.cumsum([min(_RANGES, count * 2 // 5), min(_CHOICE, count // 5), _JUDGEMENT])
    return [order[a:b] for a, b in zip([0, *ends], ends)], False


def overlap(used: Sequence[bytes], judged: Iterable[bytes], more: Iterable[bytes]) -> int:
    """How many of ``used``, and of others in ``more``, are among ``judged``; all are digests."""
    judging = set(judged)
    return sum(digest in judging for digest in [*used, *(set(more) - set(used))])


class CalibrationSet:
    """Unlabelled images in three groups: one sets ranges, one chooses between candidates, one judges the result.

    Of a model that takes windows of ``frames`` frames, each sample is a window, cut from clips. Few clips make few
    windows, so where something else judges they may be ``overlapping``, as far as that is needed for 500.

    Attributes:
        ranges: At most 500 images.
        choice: At most 200.
        judgement: At most 1,000; the accuracy gate uses them when there is no evaluation data.
        rest: What no group took; only fine-tuning looks at them.
        is_shared: Whether there were too few images for three groups, so that each group is all of them.
        sha256: Content hash of all images used.
    """

    def __init__(
        self,
        data: str | Path,
        preprocessing: Preprocessing,
        input_name: str = "image",
        *,
        frames: int = 0,
        overlapping: bool = False,
        seed: int = 0,
    ) -> None:
        dataset = _windows(data, frames, overlapping) if frames else open_images(data)
        if len(dataset) == 0:
            raise DatasetError(
                f"{data} holds no images", expected="at least one image to calibrate with", cure="check the path"
            )
        groups, self.is_shared = split(len(dataset), seed)
        self.ranges, self.choice, self.judgement = (
            PixelSet(dataset.subset(group), preprocessing, input_name) for group in groups
        )
        used = groups[0] if self.is_shared else np.concatenate(groups)
        self.rest = PixelSet(dataset.subset(np.setdiff1d(np.arange(len(dataset)), used)), preprocessing, input_name)
        self.count = len(used)
        self.sha256 = dataset.subset(used).content_hash()

    def report(self, labels: Sequence[str], convergence: Convergence | None = None) -> CalibrationReport:
        """What the images that set ranges and chose are like.

        Args:
            labels: The model's class names, to tell class folders from others.
            convergence: How far the ranges settled on them.
        """
        return report(self._used(), self._names(), labels, self.sha256, convergence)

    def overlap(self, judged: PixelSet, more: Iterable[bytes] = ()) -> int:
        """How many images that set ranges or chose, or that ``more`` digests are of, are among the judging ones."""
        return overlap([facts.digest for facts in self._used()], judged.digests(), more)

    def warnings(self, judged: PixelSet | None) -> tuple[str, ...]:
        """What is odd about these images, alone and beside the judging ones; None: those come from the same data."""
        return tuple(resemblance_warnings(self._used(), None if judged is None else judged.facts()))

    def _used(self) -> tuple[ImageFacts, ...]:
        return self.ranges.facts() if self.is_shared else self.ranges.facts() + self.choice.facts()

    def _names(self) -> tuple[str, ...]:
        return self.ranges.names if self.is_shared else self.ranges.names + self.choice.names
