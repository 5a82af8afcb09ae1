from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgevision.converters.answers import Answers
from edgevision.converters.quantize.graph import Graph, Op
from edgevision.converters.signal_gate import check_signals, judge_signals, powers, sqnr_interval
from edgevision.converters.sqnr import EXACT_DB, sqnr_db
from edgevision.runtime.manifest import Agreement, Artifact

GRAPH = Graph(
    {
        "x": Op("x", "Input", [], (4,)),
        "d": Op("d", "Dense", ["x"], (6, 3)),
        "s": Op("s", "Activation", ["d"], (6, 3), {"activation": "softmax"}),
        "i": Op("i", "Kept", ["d"], (6,), dtype="int32"),
    },
    {"value": "d", "mask": "s", "best": "i"},
)
VALUE = Graph(GRAPH.ops, {"value": "d"})
BEST = Graph(GRAPH.ops, {"best": "i"})


def noisy(decibel: float, samples: int = 400, spread: float = 0.0, seed: int = 0) -> tuple[Any, Any]:
    """Float and int8 outputs (samples, 6, 3) with noise of a level that differs by ``spread`` decibel over samples."""
    random = np.random.default_rng(seed)
    exact = random.normal(5, 1, (samples, 6, 3))
    level = 10 ** (-(decibel + random.normal(0, spread, (samples, 1, 1))) / 20)
    return exact, exact + random.normal(0, 1, exact.shape) * level


def judged(decibel: float, samples: int = 400, spread: float = 0.0, **options: Any) -> Agreement:
    exact, found = noisy(decibel, samples, spread)
    return judge_signals({"value": exact}, {"value": found}, VALUE, **options)


@pytest.mark.parametrize(
    ("decibel", "samples", "expected"),
    [
        (30, 400, "pass"),
        (21, 400, "pass"),
        (19, 400, "fail"),
        (20, 40, "undecided"),
        (30, 9, "undecided"),
        (5, 3, "fail"),
    ],
)
def test_verdicts(decibel: float, samples: int, expected: str) -> None:
    found = judged(decibel, samples)
    assert (found.verdict, found.passed) == (expected, expected != "fail")
    assert found.images == samples and found.interval[0] <= found.difference <= found.interval[1]
    assert (found.images_needed is not None) is (expected == "undecided")
    assert found.top1 is found.same_top1 is found.mcnemar_p is None


def test_the_limit_moves_the_verdict_and_a_proof_of_another_kind_counts() -> None:
    assert judged(30, limit_db=35).verdict == "fail" and judged(30, limit_db=25).verdict == "pass"
    assert judged(30, 9, is_exact=True).verdict == "pass"
    assert judged(5, 9, is_exact=True).verdict == "fail", "what was seen to fail is no proof"


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Noise of 6 dB spread over samples: bootstrap intervals of 95 % are known to be a little too narrow."""
    whole = powers(*noisy(20, 200_000, 6.0))
    truth = 10 * np.log10(whole[0].sum() / whole[1].sum())
    hits = 0
    for seed in range(60):
        low, high = sqnr_interval(*powers(*noisy(20, 150, 6.0, seed + 1)))
        hits += low <= truth <= high
    assert 50 <= hits <= 60


def test_needed_samples_would_do() -> None:
    few = judged(21.0, 20, 2.0)
    assert few.verdict == "undecided" and few.images_needed is not None and few.images_needed > 20
    assert judged(21.0, 4 * few.images_needed, 2.0).verdict != "undecided"


def test_the_worst_output_decides() -> None:
    good, bad = noisy(30), noisy(10)
    graph = Graph(GRAPH.ops, {"a": "d", "b": "d"})
    found = judge_signals({"a": good[0], "b": bad[0]}, {"a": good[1], "b": bad[1]}, graph)
    assert found.verdict == "fail" and [round(each.sqnr_db) for each in found.signals] == [30, 10]
    assert found.difference == found.signals[1].sqnr_db and found.interval == found.signals[1].interval


def test_the_ratio_is_that_of_parity() -> None:
    exact, found = noisy(25, 50)
    assert judge_signals({"value": exact}, {"value": found}, VALUE).difference == pytest.approx(sqnr_db(exact, found))
    same = judge_signals({"value": exact}, {"value": exact}, VALUE)
    assert same.difference == EXACT_DB and same.interval == (EXACT_DB, EXACT_DB) and same.verdict == "pass"


def test_every_output_follows_the_quantised_model() -> None:
    exact, rounded = noisy(12)
    quantized, elsewhere, larger = (
        rounded + np.random.default_rng(seed).normal(0, size, exact.shape)
        for seed, size in ((1, 0.1), (2, 0.1), (3, 0.2))
    )
    graph = Graph(GRAPH.ops, {"a": "d", "b": "d"})
    for second, passes in ((quantized, True), (elsewhere, False), (larger, False)):
        file = {"a": quantized, "b": second}
        answers = Answers({"a": exact, "b": exact}, {"a": quantized, "b": quantized}, {"int8.onnx": file})
        parity = check_signals(Artifact("int8.onnx", "onnx", "int8", (), (), ()), answers, graph).parity
        assert parity is not None and parity.passed == passes
        assert parity.sqnr_db == pytest.approx(sqnr_db(quantized, second)), "of the worse one"


def test_class_scores_are_compared_by_position() -> None:
    exact = np.eye(3)[np.zeros((20, 6), int)] + np.random.default_rng(0).normal(0, 0.01, (20, 6, 3))
    found = exact.copy()
    found[0, 0] = found[0, 0, [1, 0, 2]]
    signals = judge_signals({"value": exact, "mask": exact}, {"value": found, "mask": found}, GRAPH).signals
    assert [each.same_top1 for each in signals] == [None, pytest.approx(119 / 120)]


def test_integers_are_counted() -> None:
    exact = np.random.default_rng(0).integers(0, 5, (200, 50)).astype(np.int32)
    found = exact.copy()
    found[:, 0] += 1
    agreement = judge_signals({"best": exact}, {"best": found}, BEST)
    assert agreement.same_top1 == 0.98 and agreement.difference == pytest.approx(20.0)
