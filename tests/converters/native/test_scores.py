from __future__ import annotations

import numpy as np
import pytest

from edgevision.converters.native.scores import scores_of

LOGITS = np.random.default_rng(0).normal(0, 3, (20, 5)).astype(np.float32)
SOFTMAX = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
SIGMOID = 1 / (1 + np.exp(-LOGITS))


@pytest.mark.parametrize(
    ("answers", "scores"),
    [
        (LOGITS, "logits"),
        (SOFTMAX, "probabilities"),
        (SOFTMAX.astype(np.float16), "probabilities"),
        (SIGMOID, "sigmoid"),
        (SIGMOID[:, :1], "sigmoid"),
        (LOGITS[:, :1], "sigmoid_logits"),
        (np.eye(5)[:1], "probabilities"),
        (np.array([[0.2, 0.8], [0.5, 0.6]]), "sigmoid"),
        (np.array([[0.2, 0.8], [-0.1, 1.1]]), "logits"),
    ],
)
def test_what_outputs_look_like(answers: np.ndarray, scores: str) -> None:
    assert scores_of(answers) == scores
