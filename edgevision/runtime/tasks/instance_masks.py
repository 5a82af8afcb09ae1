"""Boxes with the pixels that belong to each object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.heads.masks import BoxMasksHead, PrototypeMasksHead
from edgevision.runtime.results.detections import pixel_window
from edgevision.runtime.tasks.detection import DetectionTask, Objects
from edgevision.runtime.tasks.task import Outputs, channels_last, map_shape, misfit, sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.heads import Head
    from edgevision.runtime.heads.detection import DetectionHead
    from edgevision.runtime.manifest import Manifest
    from edgevision.runtime.results.detections import Detections
    from edgevision.runtime.spec import TensorSpec


class PrototypeMasksTask(DetectionTask):
    """See ``PrototypeMasksHead``; the result is Detections with masks."""

    def __init__(self, manifest: Manifest, outputs: Sequence[TensorSpec]) -> None:
        assert isinstance(manifest.head, PrototypeMasksHead), "refused when the manifest was made"
        self._head = manifest.head
        found = next((spec for spec in outputs if spec.name == self._head.prototypes), None)
        self._count = 1 if found is None else map_shape(found, self._head.layout)[2]
        super().__init__(manifest, outputs)
        self._spec = self.spec(self._head.prototypes)

    def detector(self, head: Head) -> DetectionHead:
        """See ``DetectionTask.detector``."""
        return self._head.detector

    def options(self) -> dict[str, Any]:
        """See ``DetectionTask.options``."""
        return {"extras": self._count}

    def decode(self, outputs: Outputs, size: tuple[int, int]) -> Detections:
        """See ``Task.decode``."""
        objects = self.objects(outputs, size)
        prototypes = channels_last(self.real(outputs, self._spec), self._head.layout)
        rows, columns = prototypes.shape[:2]
        source, target = objects.geometry.source, objects.geometry.target
        right = (target.width / source.width, source.left, target.left, columns / self._preprocessing.width)
        down = (target.height / source.height, source.top, target.top, rows / self._preprocessing.height)
        masks = []
        for box, coefficients in zip(objects.boxes, objects.found.extras):
            top, left, bottom, end = pixel_window(box)
            shares = sigmoid(prototypes @ coefficients)
            values = bilinear(shares, _on_map(top, bottom, *down), _on_map(left, end, *right))
            masks.append(values >= self._head.mask_threshold)
        return self.detections(objects, masks=tuple(masks))


def _on_map(first: int, last: int, scale: float, start: int, offset: int, cells: float) -> NDArray[np.float64]:
    """Where the centres of source pixels lie on the map, in cells: over the model's input, as ``Geometry`` says."""
    pixels = np.arange(first, last, dtype=np.float64) + 0.5
    found: NDArray[np.float64] = ((pixels - start) * scale + offset) * cells
    return found


class BoxMasksTask(DetectionTask):
    """See ``BoxMasksHead``; the result is Detections with masks."""

    def __init__(self, manifest: Manifest, outputs: Sequence[TensorSpec]) -> None:
        assert isinstance(manifest.head, BoxMasksHead), "refused when the manifest was made"
        self._head = manifest.head
        super().__init__(manifest, outputs)
        self._spec = self.spec(self._head.masks)
        if len(self._spec.shape) != 4 or self._spec.shape[:2] != (1, self.decoder.count):
            raise misfit(self._spec, f"(1, {self.decoder.count}, h, w)")

    def detector(self, head: Head) -> DetectionHead:
        """See ``DetectionTask.detector``."""
        return self._head.detector

    def decode(self, outputs: Outputs, size: tuple[int, int]) -> Detections:
        """See ``Task.decode``."""
        objects = self.objects(outputs, size)
        shares = self.real(outputs, self._spec)[0][objects.found.rows]
        return self.detections(objects, masks=tuple(self._masks(objects, shares)))

    def _masks(self, objects: Objects, shares: NDArray[np.float32]) -> list[NDArray[np.bool_]]:
        """A mask lies over its whole box; of the box only what is within the source is left."""
        masks = []
        for box, whole, values in zip(objects.boxes, objects.geometry.to_source(objects.found.boxes), shares):
            top, left, bottom, right = pixel_window(box)
            y = (np.arange(top, bottom) + 0.5 - whole[1]) * (values.shape[0] / (whole[3] - whole[1]))
            x = (np.arange(left, right) + 0.5 - whole[0]) * (values.shape[1] / (whole[2] - whole[0]))
            masks.append(bilinear(values, y, x) >= self._head.mask_threshold)
        return masks


def bilinear(values: NDArray[np.float32], y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float32]:
    """A map, float32 (h, w), read between its cells; cell centres lie at half coordinates, edges are carried on.

    Args:
        values: The map.
        y: (rows,) in cells.
        x: (columns,) in cells.

    Returns:
        float32 (rows, columns).
    """
    down, low, high = _neighbours(y, values.shape[0])
    lines = values[low] * (1 - down)[:, None] + values[high] * down[:, None]
    right, low, high = _neighbours(x, values.shape[1])
    return (lines[:, low] * (1 - right) + lines[:, high] * right).astype(np.float32, copy=False)


def _neighbours(
    places: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.intp]]:
    """Share of the higher neighbour, and indices of both."""
    index = np.clip(places - 0.5, 0, count - 1)
    low = np.floor(index).astype(np.intp)
    return (index - low).astype(np.float32), low, np.minimum(low + 1, count - 1)
