from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevision.runtime.errors import TensorError
from edgevision.runtime.tasks.classification import scores_from

floats = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(values=st.lists(floats, min_size=1, max_size=20))
def test_logits_become_probabilities_that_keep_their_order(values: list[float]) -> None:
    logits = np.array(values, np.float32)
    scores = scores_from(logits, "logits", len(values))
    assert scores.dtype == np.float32
    assert scores.shape == logits.shape
    assert scores.min() >= 0
    assert abs(float(scores.sum()) - 1) < 1e-5
    assert scores[logits.argmax()] == scores.max()


@given(values=st.lists(floats, min_size=1, max_size=20))
def test_sigmoid_logits_become_independent_probabilities(values: list[float]) -> None:
    logits = np.array(values, np.float32)
    scores = scores_from(logits, "sigmoid_logits", len(values))
    with np.errstate(over="ignore"):
        expected = 1 / (1 + np.exp(-logits.astype(np.float64)))
    np.testing.assert_allclose(scores, expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["probabilities", "sigmoid"])
def test_probabilities_stay_as_they_are(kind: str) -> None:
    values = np.array([0.25, 0.5, 0.125], np.float32)
    np.testing.assert_array_equal(scores_from(values, kind, 3), values)  # type: ignore[arg-type]


def test_one_sigmoid_is_the_second_of_two_labels() -> None:
    np.testing.assert_allclose(scores_from(np.array([0.9], np.float32), "sigmoid", 2), [0.1, 0.9], atol=1e-6)
    np.testing.assert_allclose(scores_from(np.array([0], np.float32), "sigmoid_logits", 2), [0.5, 0.5])


@pytest.mark.parametrize(
    ("shape", "kind", "labels"),
    [((3,), "logits", 4), ((1,), "logits", 2), ((1,), "sigmoid", 3), ((1, 3), "logits", 3), ((0,), "logits", 0)],
)
def test_outputs_that_do_not_fit_the_labels(shape: tuple[int, ...], kind: str, labels: int) -> None:
    if shape == (0,):
        shape, labels = (0,), 1
    with pytest.raises(TensorError, match=rf"\({labels},\)"):
        scores_from(np.zeros(shape, np.float32), kind, labels)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_not_finite(value: float) -> None:
    with pytest.raises(TensorError, match="finite"):
        scores_from(np.array([0, value], np.float32), "logits", 2)
