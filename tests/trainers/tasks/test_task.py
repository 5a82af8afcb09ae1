from __future__ import annotations

import math
from typing import Any

import pytest

from tests.trainers import small


@pytest.mark.parametrize(
    ("metric", "better", "worse"),
    [
        ("accuracy", {"accuracy": 0.5, "loss": 2.0}, {"accuracy": 0.4, "loss": 1.0}),
        ("accuracy", {"accuracy": 0.5, "loss": 1.0}, {"accuracy": 0.5, "loss": 2.0}),
        ("accuracy", {"accuracy": 0.0, "loss": 2.0}, {"accuracy": math.nan, "loss": 1.0}),
        ("f1", {"accuracy": 0.4, "f1": 0.5}, {"accuracy": 0.5, "f1": 0.4}),
        ("loss", {"accuracy": 0.4, "loss": 1.0}, {"accuracy": 0.5, "loss": 2.0}),
        ("loss", {"accuracy": 0.4, "loss": 9.0}, {"accuracy": 0.5, "loss": math.nan}),
    ],
)
def test_the_figure_that_chooses_decides(metric: str, better: dict[str, float], worse: dict[str, float]) -> None:
    worth: Any = small.task(metric=metric).worth
    assert worth(better) > worth(worse) and not worth(better) < worth(worse) and not worth(better) > worth(better)
