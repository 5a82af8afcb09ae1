"""Two artifacts' latencies side by side: their ratio with its interval, and what it allows to say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgevision.benchmarks.report.model import Measured
from edgevision.benchmarks.resampling import Floats, interval, resampled
from edgevision.benchmarks.statistics import Estimate

#: Latencies closer than this share are called indistinguishable whatever their interval says: one program started twice
#: differs by as much, because its memory happens to lie elsewhere.
SAME = 0.02
#: Decides what is drawn for the second of two artifacts that were not measured together.
_OTHER_SEED = 1


@dataclass(frozen=True)
class Verdict:
    """What is known of one latency against another.

    Attributes:
        ratio: Of the medians, with its interval; None where there were too few blocks.
        word: "faster", "slower" or "indistinguishable": the whole interval beyond ``SAME`` or not.
        same: Whether the whole interval lies within ``SAME``: shown to be equal, not only not shown to differ.
    """

    ratio: Estimate | None
    word: str
    same: bool


def verdict(run: Measured, other: Measured, *, rows: int = 1, together: bool = True) -> Verdict:
    """Whether ``run`` is faster than ``other``, end to end.

    Args:
        run: The one that is judged.
        other: What it is judged against.
        rows: How many such verdicts are given; all of them together hold at 95 % (Bonferroni).
        together: Whether both took turns in one benchmark; otherwise a slow phase of one says nothing of the other.
    """
    paired = together and run.block_processes == other.block_processes
    ours, theirs = run.resampled_ms[0.5], (other.resampled_ms[0.5] if paired else _drawn_apart(other))
    if min(run.total_ms.min(), other.total_ms.min()) <= 0:
        return Verdict(None, "indistinguishable", same=False)
    fewer = min((run, other), key=lambda each: (len(each.processes), len(each.block_processes)))
    value = float(np.median(run.total_ms) / np.median(other.total_ms))
    ratio = interval(value, ours / theirs, fewer.block_processes, 1 - 0.05 / max(1, rows))
    if ratio is None:
        return Verdict(None, "indistinguishable", same=False)
    word = "slower" if ratio.low > 1 + SAME else "faster" if ratio.high < 1 / (1 + SAME) else "indistinguishable"
    return Verdict(ratio, word, same=ratio.low >= 1 / (1 + SAME) and ratio.high <= 1 + SAME)


def _drawn_apart(run: Measured) -> Floats:
    return resampled(run.blocks_ms, run.block_processes, (0.5,), _OTHER_SEED)[0.5]
