"""The window that slides over a stream of frames."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.images import ImageSource
    from edgevision.runtime.inputs import Feeds, FramesInput


class SlidingWindow:
    """The last frames, each decoded and prepared once."""

    def __init__(self, form: FramesInput, every: int = 1) -> None:
        """Gives a window each ``every`` frames once it is full."""
        self._form, self._every, self._missing = form, every, form.frames
        self._kept: deque[NDArray[Any]] = deque(maxlen=form.frames)

    def add(self, frame: ImageSource) -> tuple[Feeds, tuple[int, int]] | None:
        """Takes the next frame; the model's inputs and the frame's height and width when it completes a window.

        Raises:
            ImageError: The frame cannot be used; the window stays as it was.
        """
        image = self._form.decode_frame(frame)
        self._kept.append(self._form.prepared(image))
        self._missing -= 1
        if self._missing > 0:
            return None
        self._missing = self._every
        height, width = image.shape[:2]
        return self._form.window(list(self._kept)), (height, width)
