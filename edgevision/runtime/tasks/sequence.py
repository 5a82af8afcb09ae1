"""One class of a window of frames, and the window that slides over a stream of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgevision.runtime.errors import InputError
from edgevision.runtime.heads.checks import check_count
from edgevision.runtime.heads.classes import SequenceHead
from edgevision.runtime.inputs import FramesInput
from edgevision.runtime.results.classification import Classification
from edgevision.runtime.tasks.classification import scores_from
from edgevision.runtime.tasks.task import Outputs, Task, misfit
from edgevision.runtime.window import SlidingWindow

if TYPE_CHECKING:
    from edgevision.runtime.images import ImageSource
    from edgevision.runtime.manifest import Manifest
    from edgevision.runtime.predictor import Predictor
    from edgevision.runtime.spec import TensorSpec


class SequenceTask(Task):
    """See ``SequenceHead``."""

    def __init__(self, manifest: Manifest, outputs: Sequence[TensorSpec]) -> None:
        super().__init__(manifest, outputs)
        assert isinstance(manifest.head, SequenceHead) and manifest.scores is not None, "refused when it was made"
        self._scores, self._steps, self._spec = manifest.scores, manifest.head.steps, self.spec(manifest.head.output)
        count, shape = len(self.labels), self._spec.shape
        widths = (count, 1) if count == 2 and manifest.scores.startswith("sigmoid") else (count,)
        if len(shape) not in (2, 3) or shape[0] != 1 or shape[-1] not in widths:
            raise misfit(self._spec, f"(1, {count}) or (1, frames, {count})")

    def decode(self, outputs: Outputs, size: tuple[int, int]) -> Classification:
        """See ``Task.decode``."""
        values = self.real(outputs, self._spec)
        steps = values.reshape(-1, values.shape[-1])
        steps = steps[-1:] if self._steps == "last" else steps
        scores = np.stack([scores_from(step, self._scores, len(self.labels)) for step in steps])
        return Classification(scores.mean(axis=0, dtype=np.float64).astype(np.float32), self.labels)


class FrameWindow:
    """A window that slides over frames as they come; each frame is decoded and resized once.

    Attributes:
        frames: How many a window holds.
    """

    def __init__(self, predictor: Predictor, every: int = 1) -> None:
        """Predicts after each ``every`` frames once the window is full.

        Raises:
            InputError: The predictor's task is not "sequence", or ``every`` is less than 1.
        """
        form = predictor.form
        if not isinstance(form, FramesInput):
            raise InputError("the model takes no frames", expected="task sequence", got=predictor.manifest.task)
        check_count("every", every)
        self.frames, self._predictor, self._window = form.frames, predictor, SlidingWindow(form, every)

    def __call__(self, frame: ImageSource) -> Classification | None:
        """Takes the next frame; the class of the window that it completes, None when it completes none.

        Raises:
            ImageError: The frame cannot be used; the window stays as it was.
        """
        window = self._window.add(frame)
        if window is None:
            return None
        feeds, size = window
        found: Classification = self._predictor.postprocess(self._predictor.infer(feeds), size)
        return found
