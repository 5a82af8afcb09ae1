"""Dividing labelled images: stratified, seeded, the same on every machine and numpy version."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.errors import DatasetError


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


def _quotas(sizes: NDArray[np.int64], count: int) -> list[int]:
    """``count`` divided in proportion to ``sizes``, by largest remainder; a class's last image goes last."""
    exact = sizes * (count / max(int(sizes.sum()), 1))
    quotas = np.floor(exact).astype(np.int64)
    order = np.lexsort((quotas - exact, sizes - quotas < 2))
    quotas[order[: count - int(quotas.sum())]] += 1
    return [int(quota) for quota in quotas]
