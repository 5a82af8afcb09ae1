from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevision.benchmarks.statistics import paired_interval
from edgevision.converters.gate import CHANGES_PER_POINT, Classes, judge, verdict
from edgevision.runtime.manifest import Agreement, Artifact, Parity


def classes(right: int, wrong: int) -> Classes:
    """Answers of which ``right`` are 0 and the others 1."""
    return np.array([0] * right + [1] * wrong, np.int64)


TRUTH = classes(1000, 0)


@pytest.mark.parametrize(
    ("before", "after", "difference", "passed"),
    [
        (1000, 1000, 0.0, True),
        (1000, 990, -1.0, True),
        (1000, 989, -1.1, False),
        (900, 950, 5.0, True),
        (900, 889, -1.1, False),
        (0, 0, 0.0, True),
    ],
)
def test_with_labels_points_of_accuracy_are_judged(before: int, after: int, difference: float, passed: bool) -> None:
    found = judge(classes(before, 1000 - before), classes(after, 1000 - after), TRUTH, 1.0)
    assert found.difference == pytest.approx(difference) and found.passed is passed
    assert (found.float_top1, found.top1) == (before / 1000, after / 1000)
    assert found.same_top1 == pytest.approx(1 - abs(before - after) / 1000) and found.images == 1000
    assert found.interval[0] < found.difference < found.interval[1]
    limits = paired_interval(classes(before, 1000 - before) == 0, classes(after, 1000 - after) == 0)
    assert found.interval == (limits.low, limits.high)


def test_changed_answers_that_cancel_out_lose_nothing() -> None:
    """Ten become wrong and ten right: accuracy is the same, agreement is not."""
    before, after = np.zeros(100, np.int64), np.zeros(100, np.int64)
    before[:10], after[10:20] = 1, 1
    found = judge(before, after, np.zeros(100, np.int64), 0.0)
    assert (found.difference, found.same_top1, found.passed) == (0.0, 0.8, True)


@pytest.mark.parametrize(("changed", "passed"), [(0, True), (20, True), (21, False), (1000, False)])
def test_without_labels_changed_answers_are_judged(changed: int, passed: bool) -> None:
    found = judge(TRUTH, classes(1000 - changed, changed), None, 1.0)
    assert CHANGES_PER_POINT == 2.0
    assert found.passed is passed and (found.top1, found.float_top1) == (None, None)
    assert found.same_top1 == 1 - changed / 1000 and found.difference == pytest.approx(-changed / 10)


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=60), st.floats(0, 100))
def test_a_larger_allowance_never_fails_what_passed(rows: list[tuple[int, int, int]], drop: float) -> None:
    before, after, truth = (np.array(column, np.int64) for column in zip(*rows))
    for targets in (truth, None):
        strict, loose = judge(before, after, targets, drop), judge(before, after, targets, min(100, 2 * drop))
        assert loose.passed or not strict.passed
        assert strict.passed is (strict.difference >= -drop * (1 if targets is not None else CHANGES_PER_POINT))
        assert judge(before, before, targets, 0.0).passed


def artifact(name: str, parity: bool, agreement: bool) -> Artifact:
    return Artifact(
        name,
        "onnx",
        "int8",
        (),
        (),
        (),
        parity=Parity(9, 40.0, 0.1, 1.0, parity),
        agreement=Agreement(9, 1.0, None, None, 0.0, (-1.0, 1.0), agreement),
    )


def test_the_bundle_passes_when_every_artifact_does() -> None:
    good, bad, worse = artifact("a", True, True), artifact("b", False, True), artifact("c", True, False)
    gate = verdict([good, good], 1.0, "accuracy", 50, False)
    assert (gate.passed, gate.basis, gate.images, gate.max_drop, gate.note) == (True, "accuracy", 50, 1.0, "")
    gate = verdict([good, bad, worse], 1.0, "accuracy", 50, False)
    assert not gate.passed and gate.note == "failed: b, c"


def test_without_labels_it_says_so() -> None:
    gate = verdict([artifact("a", True, True)], 1.5, "agreement", 50, False)
    assert gate.passed and gate.basis == "agreement"
    assert "no labelled images" in gate.note and "at most 3 % of answers changed" in gate.note
    assert "too few images" in verdict([], 1.0, "agreement", 5, True).note
    assert verdict([], 1.0, "accuracy", 5, True).note == ""
