from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import precision_recall_fscore_support

from edgevision.trainers.losses import CLASS_LOSSES, class_loss
from tests.trainers import small

RIGHT = np.array([0.7, 0.2, 0.5])  # probabilities of the right class, of two
LABELS = np.array([0, 1, 0])


@pytest.mark.parametrize("scores", ["logits", "probabilities"])
@pytest.mark.parametrize(
    ("name", "smoothing", "wanted"),
    [
        ("cross-entropy", 0.0, -np.log(RIGHT)),
        ("cross-entropy", 0.2, -0.9 * np.log(RIGHT) - 0.1 * np.log(1 - RIGHT)),
        ("focal", 0.0, -0.25 * (1 - RIGHT) ** 2 * np.log(RIGHT)),
        ("mae", 0.0, 1 - RIGHT),
        ("mse", 0.0, (1 - RIGHT) ** 2),
    ],
)
def test_losses_are_what_their_formulas_say(name: str, smoothing: float, wanted: np.ndarray, scores: str) -> None:
    label = np.eye(2)[LABELS]
    shares = np.where(label == 1, RIGHT[:, None], 1 - RIGHT[:, None])
    outputs = tf.constant(np.log(shares) if scores == "logits" else shares, tf.float32)
    recipe = small.recipe(loss=name, label_smoothing=smoothing)
    found = class_loss(recipe, scores, outputs, tf.constant(label, tf.float32))
    assert float(found["loss"]) == pytest.approx(wanted.mean(), rel=1e-4)
    assert float(found["accuracy"]) == pytest.approx(2 / 3)  # of equal scores the first
    assert name in CLASS_LOSSES


def test_held_out_figures_are_those_of_scikit_learn(tmp_path: Path) -> None:
    task, examples = small.task(), small.data(tmp_path).train
    logits = np.random.default_rng(1).normal(size=(len(examples), 2)).astype(np.float32)
    found = task.judge(lambda images: {"logits": logits}, examples)
    truth, answers = np.arange(len(examples)) % 2, logits.argmax(axis=1)
    wanted = precision_recall_fscore_support(truth, answers, average="macro")[:3]
    assert [found[name] for name in ("precision", "recall", "f1")] == pytest.approx(wanted)
    assert found["accuracy"] == (truth == answers).mean()
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert found["loss"] == pytest.approx(-np.log(shares[np.arange(len(truth)), truth]).mean(), rel=1e-5)
