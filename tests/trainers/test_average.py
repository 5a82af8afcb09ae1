from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevision.trainers.average import Average
from edgevision.trainers.fit import fit
from edgevision.trainers.step import answering
from tests.trainers import small


def test_the_average_is_what_the_rule_says() -> None:
    model = small.task().built.model
    average = Average(model, 0.5)
    kernel, moving = model.weights[0], model.weights[-4]
    assert moving.name == "moving_mean"
    wanted, random = np.asarray(kernel).astype(float), np.random.default_rng(0)
    for steps in range(1, 15):
        kernel.assign(random.random(kernel.shape))
        average.update()
        keep = min(0.5, (1 + steps) / (10 + steps))
        wanted = keep * wanted + (1 - keep) * np.asarray(kernel)
    moving.assign(np.ones(moving.shape))
    average.update()
    own = np.asarray(kernel).copy()
    wanted = 0.5 * wanted + 0.5 * own
    with average.in_place():
        assert np.allclose(kernel, wanted, atol=1e-6) and np.allclose(moving, 0.5)
    assert np.array_equal(kernel, own) and np.allclose(moving, 1.0)
    average.apply()
    assert np.allclose(kernel, wanted, atol=1e-6)


@pytest.mark.parametrize("held", [True, False])
def test_what_was_judged_is_what_is_kept(tmp_path: Path, held: bool) -> None:
    data, task = small.data(tmp_path, held), small.task(ema=0.99, learning_rate=0.01, epochs=1)
    own: list[np.ndarray[Any, Any]] = []
    history = fit(task, data, on_step=lambda live: own.append(task.built.model.get_weights()[0]))
    kept = task.built.model.get_weights()[0]
    assert np.abs(kept - own[1]).max() > 1e-4 and np.abs(kept - own[0]).max() < np.abs(own[1] - own[0]).max()
    if data.validation is not None:
        found = task.judge(answering(task.built.model, task.p), data.validation)
        assert found["loss"] == pytest.approx(history.epochs[0].figures["val_loss"], rel=1e-5)
