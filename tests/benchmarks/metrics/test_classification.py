"""Metrics of classes and scores against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from edgevision.benchmarks.accuracy import Accuracy, ranks
from edgevision.benchmarks.judges.multi_label import TagFigures
from edgevision.benchmarks.metrics.classification import calibration_error
from edgevision.benchmarks.metrics.ranking import average_precision, ranked, threshold_shift

RANDOM = np.random.default_rng(3)


def test_every_figure_of_a_classifier_is_that_of_scikit_learn() -> None:
    truth = RANDOM.integers(0, 7, 400)
    scores = (RANDOM.dirichlet(np.full(8, 0.7), 400) + 0.5 * np.eye(8)[truth]).astype(np.float32)
    scores[:, 6] = 0  # never named; class 7 is never there
    scores /= scores.sum(axis=1, keepdims=True)
    best = scores.argmax(axis=1)
    labels = tuple("abcdefgh")
    found = Accuracy(best, truth, ranks(scores, truth), scores.max(axis=1), labels).to_dict()
    assert found["top1"] == pytest.approx(sk.accuracy_score(truth, best), abs=1e-9)
    assert found["top5"] == pytest.approx(sk.top_k_accuracy_score(truth, scores, k=5, labels=range(8)), abs=1e-9)
    assert found["confusion"] == sk.confusion_matrix(truth, best, labels=range(8)).tolist()
    each = sk.precision_recall_fscore_support(truth, best, labels=range(8), zero_division=0)
    for label, precision, recall, f1, images in zip(labels, *each):
        mine = found["per_class"][label]
        assert (mine["precision"], mine["recall"], mine["f1"]) == pytest.approx((precision, recall, f1), abs=1e-9)
        assert mine["images"] == images
    macro = sk.precision_recall_fscore_support(truth, best, average="macro", zero_division=0)[:3]
    assert tuple(found["macro"].values()) == pytest.approx(macro, abs=1e-9)


def test_the_calibration_error_weighs_the_gaps_of_scikit_learns_curve() -> None:
    confidence = RANDOM.uniform(0.1, 1, 500)
    correct = RANDOM.uniform(size=500) < confidence**2
    shares, means = calibration_curve(correct, confidence, n_bins=15)
    counts = np.histogram(confidence, np.linspace(0, 1, 16))[0]
    expected = float((np.abs(shares - means) * counts[counts > 0]).sum() / 500)
    assert calibration_error(confidence, correct) == pytest.approx(expected, abs=1e-9)
    # The upper edge of a bin belongs to it: 1/15 of certainty is in the first, what is above in the second.
    apart = calibration_error(np.array([1 / 15, 0.08]), np.array([True, False]))
    assert apart == pytest.approx((1 - 1 / 15 + 0.08) / 2)
    assert calibration_error(np.array([1 / 15, 0.01]), np.array([True, False])) == pytest.approx(
        (1 - 1 / 15 - 0.01) / 2
    )


def test_several_labels_are_those_of_scikit_learn() -> None:
    present = RANDOM.uniform(size=(300, 4)) < [0.5, 0.2, 0.05, 0.0]
    scores = np.round(np.clip(present * 0.3 + RANDOM.uniform(0, 0.7, (300, 4)), 0, 1), 2).astype(
        np.float32
    )  # with ties
    thresholds = np.array([0.5, 0.4, 0.6, 0.7], np.float32)
    found = TagFigures(scores, present, thresholds, tuple("abcd")).to_dict()
    each = [sk.average_precision_score(present[:, i], scores[:, i]) for i in range(3)]
    assert found["map"] == pytest.approx(np.mean(each), abs=1e-9)
    assert found["per_class"]["d"]["ap"] is None
    named = scores >= thresholds
    for average in ("macro", "micro"):
        expected = sk.f1_score(present, named, average=average, zero_division=0)
        assert found[f"f1_{average}"] == pytest.approx(expected, abs=1e-9)
    assert found["interval95"][0] < found["map"] < found["interval95"][1]


def test_counting_a_sample_twice_is_as_if_it_were_there_twice() -> None:
    scores, right = np.round(RANDOM.uniform(size=60), 1), RANDOM.uniform(size=60) < 0.4
    counts = RANDOM.integers(0, 4, 60)
    expected = sk.average_precision_score(np.repeat(right, counts), np.repeat(scores, counts))
    assert average_precision(ranked(scores, right), counts) == pytest.approx(expected, abs=1e-9)
    assert math.isnan(average_precision(ranked(scores, np.zeros(60, bool))))


def test_the_threshold_moves_to_where_the_precision_is_the_references() -> None:
    right = np.array([1, 1, 0, 1, 0, 0], bool)
    margins = np.array([0.4, 0.3, 0.2, 0.1, 0.05, -0.1])  # precision 3 of 5
    assert threshold_shift((margins, right), (margins, right)) == (0.6, 0.6, 0.0)
    lowered = threshold_shift((margins, right), (margins - 0.15, right))  # names three, two of them rightly
    assert lowered is not None and lowered.precision == pytest.approx(2 / 3)
    assert lowered.shift == pytest.approx(-0.1)  # down past one right to the first wrong: 3 of 5
    raised = threshold_shift((margins, right), (margins + 0.2, right))  # names all six, three of them rightly
    assert raised is not None and raised.precision == 0.5 and raised.shift == pytest.approx(0.25)
    nothing = threshold_shift((margins, right), (margins, np.zeros(6, bool)))
    assert nothing is not None and nothing.shift is None
    assert threshold_shift((margins - 1, right), (margins, right)) is None


def test_flips_name_the_surest_first_and_two_classes_have_a_threshold() -> None:
    truth = np.array([0, 0, 1, 1, 1])
    names = tuple(f"{i}.png" for i in range(5))
    kind = np.float32
    floats = Accuracy(
        np.array([0, 0, 1, 1, 0]), truth, None, np.array([0.9, 0.8, 0.7, 0.9, 0.6], kind), ("no", "yes"), names
    )
    ints = Accuracy(
        np.array([0, 1, 0, 1, 1]), truth, None, np.array([0.9, 0.7, 0.9, 0.8, 0.55], kind), ("no", "yes"), names
    )
    changes = ints.changes(floats)
    assert changes["same_top1"] == pytest.approx(0.4)
    worst = changes["flips"].pop("worst")
    assert changes["flips"] == {"lost": 2, "gained": 1, "changed": 3}
    assert [flip["image"] for flip in worst] == ["1.png", "2.png", "4.png"]
    assert (worst[0]["truth"], worst[0]["reference"], worst[0]["artifact"]) == ("no", "no", "yes")
    # float names 2 and 3 (right); int8 names 1, 3, 4: from 0.8 on only 3 is left, precision 1.
    assert changes["threshold_shift"]["shift"] == pytest.approx(0.3)
