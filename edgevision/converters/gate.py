"""The accuracy gate: int8 and float on the same images, with an interval."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.statistics import paired_interval
from edgevision.runtime.manifest import Agreement, Artifact, Gate

Classes = NDArray[np.int64]

#: Without labels, how many answers may change per point that may be lost. A changed answer is not a lost one: among
#: classes that are hard to tell apart, about as many become right as become wrong.
CHANGES_PER_POINT = 2.0


def judge(float_top1: Classes, top1: Classes, targets: Classes | None, max_drop: float) -> Agreement:
    """How an artifact does beside the float model.

    Args:
        float_top1: Best class per image by the float Keras model.
        top1: Best class per image by the artifact.
        targets: True class per image; None judges by agreement with the float model.
        max_drop: Allowed loss, points (percent); without labels, ``CHANGES_PER_POINT`` times as many changed answers.
    """
    same = float((float_top1 == top1).mean())
    if targets is None:
        difference, low, high = paired_interval(np.ones(len(top1), bool), float_top1 == top1)
        return Agreement(
            len(top1), same, None, None, difference, (low, high), difference >= -max_drop * CHANGES_PER_POINT
        )
    before, after = float_top1 == targets, top1 == targets
    difference, low, high = paired_interval(before, after)
    passed = difference >= -max_drop
    return Agreement(len(top1), same, float(after.mean()), float(before.mean()), difference, (low, high), passed)


def verdict(artifacts: Iterable[Artifact], max_drop: float, has_labels: bool, images: int, is_shared: bool) -> Gate:
    """The bundle passes when every artifact does."""
    failed = [item.name for item in artifacts if not item.passed]
    notes = []
    if not has_labels:
        changes = max_drop * CHANGES_PER_POINT
        notes = [
            f"no labelled images: judged by agreement with the float model, at most {changes:g} % of answers changed"
        ]
    if is_shared and not has_labels:
        notes.append("too few images to keep the judging ones out of calibration")
    if failed:
        notes.append("failed: " + ", ".join(failed))
    return Gate(not failed, max_drop, "accuracy" if has_labels else "agreement", images, "; ".join(notes))
