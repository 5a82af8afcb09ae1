"""A model's values to pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgevision.runtime.heads.maps import ImageHead
from edgevision.runtime.results.generated import GeneratedImage
from edgevision.runtime.tasks.task import Outputs, Task, channels_last, map_shape, misfit

if TYPE_CHECKING:
    from edgevision.runtime.manifest import Manifest
    from edgevision.runtime.spec import TensorSpec


class GenerationTask(Task):
    """See ``ImageHead``."""

    def __init__(self, manifest: Manifest, outputs: Sequence[TensorSpec]) -> None:
        super().__init__(manifest, outputs)
        assert isinstance(manifest.head, ImageHead), "refused when the manifest was made"
        self._head, self._spec = manifest.head, self.spec(manifest.head.output)
        channels = 1 if self._head.color == "gray" else 3
        if map_shape(self._spec, self._head.layout)[2] != channels:
            raise misfit(self._spec, f"{channels} channels of {self._head.color}")

    def decode(self, outputs: Outputs, size: tuple[int, int]) -> GeneratedImage:
        """See ``Task.decode``."""
        head = self._head
        values = channels_last(self.real(outputs, self._spec), head.layout)
        levels = (values - np.float32(head.low)) * np.float32(255 / (head.high - head.low))
        pixels = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
        if head.color == "gray":
            pixels = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
        return GeneratedImage(np.ascontiguousarray(pixels[:, :, ::-1] if head.color == "bgr" else pixels))
