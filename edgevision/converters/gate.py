"""The accuracy gate: int8 and float on the same images, with an interval.

The verdict on an artifact comes from the paired 95 % interval of what it lost:

- "pass": the whole interval lies above the allowed drop. More images of this kind will not change that.
- "fail": the loss seen is beyond the allowed drop, whatever the interval. The burden of proof lies with int8: who asks
  for at most a point gets no artifact that was seen to lose two.
- "undecided", in words "not enough images to tell: need about N": the loss seen is allowed, but the interval is too
  wide to be sure of it.

An undecided artifact may be used: it counts as passed, ``load`` takes it like any other, and ``edgevision convert``
exits with 0 and prints the sentence. 300 images that agree on everything cannot prove a drop below one point (381
could): were that a failure, nearly everybody with a few hundred images would be refused a good model, and would learn
to switch the gate off. It is marked in the manifest, in the card and in the reports, so nobody can take it for a
proof, and ``--strict-gate`` exits with 3 for those who want one.

What that buys (simulated, answers that differ on 2 to 4 % of images, a point allowed): a true loss of a full point
passes in at most 2.5 % of cases whatever the number of images. No true loss passes in 18, 56 and 96 % of cases on 300,
1,000 and 3,000 images; it fails in 7, 1 and 0 %, which is the price of not passing what was seen to lose too much.

Artifacts are judged one by one at the full level. A bundle passes only if each one does, so the chance of passing a
bad one is not raised by their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.statistics import discordant, images_to_tell, mcnemar, paired_interval
from edgevision.runtime.manifest import Agreement, Artifact, Gate, Verdict

Classes = NDArray[np.int64]
Hits = NDArray[np.bool_]

#: Without labels, how many answers may change per point that may be lost. A changed answer is not a lost one: among
#: classes that are hard to tell apart, about as many become right as become wrong.
CHANGES_PER_POINT = 2.0
#: Of outputs that are no class scores: the least signal-to-quantisation-noise ratio against float, decibel. 20 dB is
#: noise of a tenth of the signal's spread: what a mask or a measurement can bear, and what 8 bits can reach.
LEAST_SQNR_DB = 20.0


def judge(
    float_top1: Classes,
    top1: Classes,
    targets: Classes | None,
    max_drop: float,
    *,
    in_top5: tuple[Hits, Hits] | None = None,
    is_exact: bool = False,
) -> Agreement:
    """How an artifact does beside the float model.

    Args:
        float_top1: int64 (images,), best class per image by the float Keras model.
        top1: int64 (images,), best class per image by the artifact.
        targets: int64 (images,), true class per image; None judges by agreement with the float model.
        max_drop: Allowed loss, points (percent); without labels, ``CHANGES_PER_POINT`` times as many changed answers.
        in_top5: Two bool (images,), whether the true class is among the best five of the float model, of the artifact.
        is_exact: The artifact was shown to compute what the float model computes (a float32 artifact at parity):
            what it loses is decided by its answers, and no number of images has to prove that it loses nothing.
    """
    same = float_top1 == top1
    if targets is None:
        before, after, margin = np.ones(len(top1), bool), same, max_drop * CHANGES_PER_POINT
    else:
        before, after, margin = float_top1 == targets, top1 == targets, max_drop
    difference, low, high = paired_interval(before, after)
    passed = difference >= -margin
    found: Verdict = "fail" if not passed else "pass" if low > -margin or is_exact else "undecided"
    gained, lost, images = discordant(before, after)
    needed = images_to_tell(gained, lost, images, margin) if found == "undecided" else None
    agreement = (images, float(same.mean()), *_shares(targets, before, after), difference, (low, high), passed)
    if targets is None:
        return Agreement(*agreement, found, needed)
    top5 = (None, None) if in_top5 is None else tuple(float(hits.mean()) for hits in reversed(in_top5))
    return Agreement(*agreement, found, needed, gained, lost, mcnemar(before, after), *top5)


def _shares(targets: Classes | None, before: Hits, after: Hits) -> tuple[float | None, float | None]:
    """Accuracy of the artifact and of the float model, when there are labels."""
    return (None, None) if targets is None else (float(after.mean()), float(before.mean()))


def verdict(
    artifacts: Iterable[Artifact],
    max_drop: float,
    basis: str,
    images: int,
    is_shared: bool,
    *,
    overlap: int | None = None,
    warnings: Sequence[str] = (),
) -> Gate:
    """The bundle passes when every artifact does.

    Args:
        artifacts: Checked.
        max_drop: Allowed loss, points.
        basis: What judged: "accuracy" (true classes), "agreement", "signal" (``signal_gate``) or a metric's name
            (``metric_gate``).
        images: How many images judged.
        is_shared: Whether the judging images had to be calibration images.
        overlap: How many calibration images are among the judging ones.
        warnings: What is odd about the data.
    """
    judged = tuple(artifacts)
    failed = [item.name for item in judged if not item.passed]
    unsure = [found for item in judged if (found := item.agreement) is not None and found.verdict == "undecided"]
    result: Verdict = "fail" if failed else "undecided" if unsure else "pass"
    needed = [found.images_needed for found in unsure if found.images_needed is not None]
    most = max(needed) if result == "undecided" and len(needed) == len(unsure) else None
    note = "; ".join(_notes(failed, max_drop, basis, is_shared))
    limit = LEAST_SQNR_DB if basis == "signal" else None
    return Gate(not failed, max_drop, basis, images, note, result, most, overlap, tuple(warnings), limit)


def _notes(failed: Sequence[str], max_drop: float, basis: str, is_shared: bool) -> list[str]:
    notes = []
    if basis == "agreement":
        changes = max_drop * CHANGES_PER_POINT
        notes = [
            f"no labelled images: judged by agreement with the float model, at most {changes:g} % of answers changed"
        ]
    if is_shared and basis in ("agreement", "signal"):
        notes.append(
            f"too few {'samples' if basis == 'signal' else 'images'} to keep the judging ones out of calibration"
        )
    if failed:
        notes.append("failed: " + ", ".join(failed))
    return notes
