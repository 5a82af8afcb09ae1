"""Which split is meant, and dividing images: stratified, seeded, the same on every machine and numpy version."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.errors import DatasetError

#: Splits to fall back on, by the split preferred. Training never falls back on another split.
_ORDER = {"train": ("train",), "test": ("test", "val", "train"), "val": ("val", "test", "train")}


def choose_split(where: str, splits: Sequence[str], wanted: str | None, prefer: str) -> str:
    """The split to open: the one wanted; else the only one, else the first there is that ``prefer`` leads to.

    Args:
        where: The data, for the message.
        splits: Those it has.
        wanted: One of them by name, or None.
        prefer: "test" takes test, else val, else train; "train" takes train and nothing else.

    Raises:
        DatasetError: There is no such split.
    """
    names = (wanted,) if wanted is not None else splits if len(splits) == 1 else _ORDER.get(prefer, (prefer,))
    for name in names:
        if name in splits:
            return name
    expected, cure = " or ".join(splits), "choose one of its splits"
    raise DatasetError(f"{where} has no split {names[0]!r}", expected=expected, got=repr(names[0]), cure=cure)


def stratified(
    targets: NDArray[np.integer], share: float | int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices (kept, held out), each ascending: every class gives its part, and keeps an image where it can.

    Args:
        targets: Label indices (N,).
        share: How many are held out: a share (float, 0 <= share < 1) or a count (int).
        seed: Chooses which.

    Raises:
        DatasetError: The share or count cannot be held out of this many images.
    """
    total = len(targets)
    count = share if isinstance(share, int) else round(share * total)
    if not 0 <= count < max(total, 1) or (isinstance(share, float) and not 0 <= share < 1):
        raise DatasetError(
            "that many images cannot be held out", expected=f"a share 0..1 or fewer than {total} images", got=str(share)
        )
    # RandomState's stream is frozen for good; default_rng's may change between numpy versions.
    random = np.random.RandomState(seed)
    classes, sizes = np.unique(targets, return_counts=True)
    held = [
        random.permutation(np.flatnonzero(targets == label))[:quota]
        for label, quota in zip(classes, _quotas(sizes, count))
    ]
    picked = np.sort(np.concatenate([*held, np.empty(0, np.int64)]).astype(np.int64))
    return np.setdiff1d(np.arange(total, dtype=np.int64), picked), picked


def rarest(present: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Of each image the class that the fewest images have, int64 (images,): what to stratify images of several by.

    A rare class's images are divided as if it had them alone; of frequent classes there is enough on both sides anyway.
    Images of no class are a group of their own, numbered after the last class.

    Args:
        present: bool (images, classes), which classes are in each image.
    """
    counts = np.where(present, present.sum(axis=0, keepdims=True), len(present) + 1)
    found = counts.argmin(axis=1) if present.shape[1] else np.zeros(len(present), np.int64)
    return np.where(present.any(axis=1), found, present.shape[1]).astype(np.int64)


def _quotas(sizes: NDArray[np.int64], count: int) -> list[int]:
    """``count`` divided in proportion to ``sizes``, by largest remainder; a class's last image goes last."""
    exact = sizes * (count / max(int(sizes.sum()), 1))
    quotas = np.floor(exact).astype(np.int64)
    order = np.lexsort((quotas - exact, sizes - quotas < 2))
    quotas[order[: count - int(quotas.sum())]] += 1
    return [int(quota) for quota in quotas]
