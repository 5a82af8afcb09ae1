from __future__ import annotations

import keras
import numpy as np
import pytest

from edgevision.trainers.optimizers import OPTIMIZERS, make_optimizer
from tests.trainers import small

STEPS = 1000


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_downhill_as_it_is_told(name: str) -> None:
    recipe = small.recipe(optimizer=name, learning_rate=0.05, schedule="constant", weight_decay=0.01, gradient_clip=1.0)
    optimizer = make_optimizer(recipe, STEPS)
    weight = keras.Variable([10.0])
    optimizer.build([weight])
    optimizer.apply([weight * 2], [weight])
    assert 9.5 < float(np.asarray(weight)[0]) < 10.0 and optimizer.global_clipnorm == 1.0
    assert getattr(optimizer, "momentum", 0.0) == (0.9 if name in ("momentum", "rmsprop") else 0.0)


@pytest.mark.parametrize(
    ("schedule", "points"),
    [
        ("constant", {100: 1.0, 500: 1.0, 999: 1.0}),
        ("cosine", {100: 1.0, 550: 0.5, 999: 0.0}),
        ("linear", {100: 1.0, 550: 0.5, 999: 0.0}),
        ("steps", {100: 1.0, 600: 1.0, 700: 0.1, 900: 0.01}),
    ],
)
@pytest.mark.parametrize("warmup", [True, False])
def test_schedules_rise_and_fall_where_they_say(schedule: str, points: dict[int, float], warmup: bool) -> None:
    recipe = small.recipe(schedule=schedule, learning_rate=2.0, epochs=10, warmup=1.0 if warmup else 0.0)
    optimizer = make_optimizer(recipe, STEPS)
    for step, share in {**points, **({0: 0.0, 50: 0.5} if warmup else {0: 1.0})}.items():
        # Without warm-up the same course begins at once.
        place = step if warmup or step == 0 else round((step - 100) / 900 * 1000)
        optimizer.iterations.assign(place)
        assert float(optimizer.learning_rate) == pytest.approx(2.0 * share, abs=0.03), (step, place)
