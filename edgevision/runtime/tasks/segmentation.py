"""Class scores of a coarse map to the class of every pixel of the source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgevision.runtime.errors import BundleError, TensorError
from edgevision.runtime.heads.maps import SegmentationHead
from edgevision.runtime.preprocess import Geometry, geometry
from edgevision.runtime.results.segmentation import UNSEEN, SegmentationMap
from edgevision.runtime.tasks.task import Outputs, Task, channels_last, map_shape, misfit, sigmoid, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.manifest import Manifest
    from edgevision.runtime.spec import TensorSpec


class SegmentationTask(Task):
    """See ``SegmentationHead``."""

    def __init__(self, manifest: Manifest, outputs: Sequence[TensorSpec]) -> None:
        super().__init__(manifest, outputs)
        head = manifest.head
        assert manifest.preprocessing is not None and isinstance(head, SegmentationHead), "refused when it was made"
        self._head, self._preprocessing, self._spec = head, manifest.preprocessing, self.spec(head.output)
        if not 2 <= len(self.labels) < UNSEEN:
            expected = f"2..{UNSEEN - 1}"
            raise BundleError("the number of classes is not usable", expected=expected, got=str(len(self.labels)))
        self._shape = self._map_shape()
        self._input = (manifest.preprocessing.height, manifest.preprocessing.width)

    def _map_shape(self) -> tuple[int, int]:
        """Rows and columns of the map."""
        head, spec, classes = self._head, self._spec, len(self.labels)
        if head.scores == "classes" and len(spec.shape) == 3 and spec.shape[0] == 1:
            return spec.shape[1], spec.shape[2]
        rows, columns, channels = map_shape(spec, head.layout)
        is_single = channels == 1 and (head.scores == "classes" or (classes == 2 and head.scores.startswith("sigmoid")))
        if channels != classes and not is_single:
            raise misfit(spec, f"{classes} channels, one per label")
        return rows, columns

    def decode(self, outputs: Outputs, size: tuple[int, int]) -> SegmentationMap:
        """See ``Task.decode``."""
        place, values = geometry(size, self._preprocessing), self.real(outputs, self._spec)
        if self._head.scores == "classes":
            return self._placed(self._checked(values.reshape(self._shape)), None, place)
        scores = channels_last(values, self._head.layout)
        if self._head.upsample == "nearest" and not self._head.keep_scores and scores.shape[2] > 1:
            return self._placed(scores.argmax(axis=2).astype(np.uint8), None, place)  # as of the probabilities
        scores = self._probabilities(scores)
        if self._head.upsample == "bilinear":
            ids, best = self._interpolated(scores, place)
            return self._spread(ids, best if self._head.keep_scores else None, place)
        ids, best = _first(scores[:, :, 0], self._head.score_threshold) if scores.shape[2] == 1 else _best(scores)
        return self._placed(ids, best if self._head.keep_scores else None, place)

    def _checked(self, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The model's own classes."""
        if values.min() < 0 or values.max() > len(self.labels) - 0.5:
            got = f"{values.min():g}..{values.max():g}"
            raise TensorError("a pixel's class has no label", expected=f"0..{len(self.labels) - 1}", got=got)
        return np.rint(values).astype(np.uint8)

    def _probabilities(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._head.scores == "logits":
            return softmax(scores)
        return sigmoid(scores) if self._head.scores == "sigmoid_logits" else scores

    def _interpolated(
        self, scores: NDArray[np.float32], place: Geometry
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The best class of each pixel that the model saw, one class at a time, so that memory is that of two maps."""
        from PIL import Image

        (rows, columns), (height, width), target = self._shape, self._input, place.target
        x, y = columns / width, rows / height
        box = (target.left * x, target.top * y, (target.left + target.width) * x, (target.top + target.height) * y)
        size = (place.source.width, place.source.height)
        best, ids = np.full(size[::-1], -1, np.float32), np.zeros(size[::-1], np.uint8)
        for index in range(scores.shape[2]):
            channel = Image.fromarray(np.ascontiguousarray(scores[:, :, index]))
            found = np.asarray(channel.resize(size, Image.Resampling.BILINEAR, box=box))
            if scores.shape[2] == 1:
                return _first(found, self._head.score_threshold)
            higher = found > best
            best[higher], ids[higher] = found[higher], index
        return ids, best

    def _placed(self, ids: NDArray[np.uint8], scores: NDArray[np.float32] | None, place: Geometry) -> SegmentationMap:
        """The map at the source's size, each pixel from the cell that its centre lies in."""
        (height, width), (rows, columns) = self._input, self._shape
        source, target = place.source, place.target
        down = _cells(source.height, target.top, target.height, height, rows)
        right = _cells(source.width, target.left, target.width, width, columns)
        ids = ids.take(down, axis=0).take(right, axis=1)
        scores = None if scores is None else scores.take(down, axis=0).take(right, axis=1)
        return self._spread(ids, scores, place)

    def _spread(self, ids: NDArray[np.uint8], scores: NDArray[np.float32] | None, place: Geometry) -> SegmentationMap:
        """With what the model did not see around it."""
        top, left, height, width = place.source
        if (height, width) != place.size:
            whole = np.full(place.size, UNSEEN, np.uint8)
            whole[top : top + height, left : left + width], ids = ids, whole
            if scores is not None:
                shares = np.zeros(place.size, np.float32)
                shares[top : top + height, left : left + width], scores = scores, shares
        return SegmentationMap(ids, self.labels, scores)


def _cells(count: int, start: int, length: int, whole: int, cells: int) -> NDArray[np.intp]:
    """The cell under each of ``count`` source pixels that fill ``length`` of the input's ``whole`` pixels."""
    # In whole numbers: a centre that lies just on the border of two cells belongs to the second, unrounded.
    centers = (2 * np.arange(count, dtype=np.int64) + 1) * length + 2 * count * start
    found: NDArray[np.intp] = np.minimum(centers * cells // (2 * count * whole), cells - 1).astype(np.intp)
    return found


def _best(scores: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    ids = scores.argmax(axis=2)
    return ids.astype(np.uint8), np.take_along_axis(scores, ids[:, :, None], axis=2)[:, :, 0]


def _first(second: NDArray[np.float32], threshold: float) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Classes and their probabilities where there is only the probability of the second of two."""
    is_second = second >= np.float32(threshold)
    return is_second.astype(np.uint8), np.where(is_second, second, np.float32(1) - second)
