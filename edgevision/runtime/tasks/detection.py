"""Boxes of any head to objects in pixels of the source."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgevision.runtime.errors import BundleError
from edgevision.runtime.preprocess import Geometry, geometry
from edgevision.runtime.results.detections import Detections
from edgevision.runtime.tasks.candidates import Candidates
from edgevision.runtime.tasks.nms import suppress
from edgevision.runtime.tasks.task import Outputs, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.heads import Head
    from edgevision.runtime.heads.detection import DetectionHead
    from edgevision.runtime.manifest import Manifest
    from edgevision.runtime.spec import TensorSpec

# Kind of head -> (module, class) that decodes it.
_DECODERS = {
    "ssd": ("ssd", "SsdDecoder"),
    "yolo": ("yolo", "YoloDecoder"),
    "fcos": ("fcos", "FcosDecoder"),
    "centernet": ("centernet", "CenterNetDecoder"),
    "postprocessed": ("postprocessed", "PostprocessedDecoder"),
}


class Objects(NamedTuple):
    """What is left after suppression, best first.

    Attributes:
        boxes: float32 (n, 4) x1, y1, x2, y2, pixels of the source, clipped to it.
        found: The same objects as the model has them.
        geometry: How the source lies on the model's input.
    """

    boxes: NDArray[np.float32]
    found: Candidates
    geometry: Geometry


class DetectionTask(Task):
    """Candidates, suppression, and the way back to the source. Tasks with boxes and more build on it."""

    def __init__(self, manifest: Manifest, outputs: Sequence[TensorSpec]) -> None:
        super().__init__(manifest, outputs)
        assert manifest.preprocessing is not None and manifest.head is not None, "refused when the manifest is made"
        if not manifest.labels:
            raise BundleError("a detector needs labels", expected="one per class", got="none")
        self._preprocessing = manifest.preprocessing
        self._detector = self.detector(manifest.head)
        self.decoder = self._decoder(self._detector)

    def detector(self, head: Head) -> DetectionHead:
        """The head of the boxes."""
        return head  # type: ignore[return-value]

    def _decoder(self, head: DetectionHead) -> Any:
        module, name = _DECODERS[head.kind]
        made = getattr(importlib.import_module(f"edgevision.runtime.tasks.{module}"), name)
        size = (self._preprocessing.height, self._preprocessing.width)
        return made(head, self, size, **self.options())

    def options(self) -> dict[str, Any]:
        """What the decoder has to know besides its head."""
        return {}

    def decode(self, outputs: Outputs, size: tuple[int, int]) -> Detections:
        """See ``Task.decode``."""
        objects = self.objects(outputs, size)
        return self.detections(objects)

    def objects(self, outputs: Outputs, size: tuple[int, int]) -> Objects:
        """The boxes that stay. What lies wholly outside the source (on a letterbox' border, say) is left out."""
        found: Candidates = self.decoder(lambda spec: self.real(outputs, spec))
        limit = self._detector.iou_threshold
        kept = suppress(found.boxes, found.scores, found.class_ids, limit, self._detector.max_detections)
        place = geometry(size, self._preprocessing)
        boxes = place.clipped(found.boxes[kept])
        inside = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        return Objects(boxes[inside], found.take(kept[inside]), place)

    def detections(self, objects: Objects, **parts: Any) -> Detections:
        """The result, with masks or keypoints in ``parts``."""
        found = objects.found
        ids, scores = found.class_ids.astype(np.int64), found.scores.astype(np.float32, copy=False)
        return Detections(objects.boxes, scores, ids, self.labels, objects.geometry.size, **parts)
