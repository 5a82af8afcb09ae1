"""Windows of frames, cut from clips, each frame decoded once."""

from __future__ import annotations

import numpy as np

from edgevision.datasets import ClipDataset, WindowDataset
from edgevision.datasets.splits import stratified
from edgevision.runtime.errors import DatasetError
from edgevision.runtime.spec import Preprocessing
from edgevision.trainers.examples import Example, Examples, Progress
from edgevision.trainers.images import readable_pixels


class ClipWindows(Examples):
    """Windows with one class each.

    Args:
        windows: All frames are decoded at once.
        p: The model's preprocessing.
        progress: Called with ("read images", done, total).
        strict: Whether a frame that cannot be read is an error; else the windows that it is in are left out.

    Attributes:
        targets: Label indices, int64 (windows,).

    Raises:
        DatasetError: The frames fit neither in memory nor on the disk, or no window is whole.
        ImageError: A frame is damaged.
    """

    def __init__(
        self, windows: WindowDataset, p: Preprocessing, progress: Progress = None, *, strict: bool = True
    ) -> None:
        used, places = np.unique(windows.rows, return_inverse=True)
        images = windows.images.subset(used)
        self._frames, kept, _, self.unreadable = readable_pixels(images, p, progress, strict=strict)
        order = np.full(len(used), -1, np.int64)
        order[kept] = np.arange(len(kept))
        rows = order[places.reshape(windows.rows.shape)]
        whole = np.flatnonzero((rows >= 0).all(axis=1))
        if not len(whole):
            raise DatasetError("no window has all its frames", got=self.unreadable[0], cure="mend the frames")
        self._windows, self._rows = windows.subset(whole.tolist()), rows[whole]
        self.labels, self.targets, self._names = windows.labels, self._windows.targets, self._windows.names
        self._shares = np.eye(len(windows.labels), dtype=np.float32)[self.targets]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Example:
        return Example(self._frames[self._rows[index]], label=self._shares[index])

    def name(self, index: int) -> str:
        """See ``Examples.name``."""
        return self._names[index]

    def content_hash(self) -> str:
        """See ``Examples.content_hash``."""
        return self._windows.content_hash()


def divided(clips: ClipDataset, share: float, frames: int, seed: int) -> tuple[ClipDataset, ClipDataset | None]:
    """Clips to train on and to judge epochs by, with no frame in both.

    Windows that overlap must not lie on both sides. So of clips long enough the last part is held out, with a window's
    length left unused before it, because neighbouring frames look alike; where none is, whole clips are.

    Args:
        clips: All clips.
        share: Of the frames to hold out, 0..1.
        frames: Of a window.
        seed: Chooses the clips.
    """
    kept, held = [], []
    for name, indices in clips.clips:
        late = indices[len(indices) - max(frames, round(share * len(indices))) :]
        early = indices[: max(0, len(indices) - len(late) - frames)]
        is_long = share > 0 and len(early) >= len(late) >= frames
        kept.append((name, early if is_long else indices))
        held += [(name, late)] if is_long else []
    if not held:
        targets = clips.images.targets[[indices[0] for _, indices in clips.clips]]
        first, last = stratified(targets, share, seed)
        kept, held = ([clips.clips[index] for index in part] for part in (first, last))
    return ClipDataset(clips.images, tuple(kept)), ClipDataset(clips.images, tuple(held)) if held else None
