from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras import layers as kl

from edgevision.converters.quantize.build import build_model
from edgevision.converters.quantize.logits import narrow_logits, wide_logits
from edgevision.converters.quantize.observe import observe
from edgevision.converters.quantize.quantize import quantize
from edgevision.converters.quantize.scoring import logits_range
from tests.converters.models import as_batch, folded, pictures, sequential

PIXELS, _ = pictures(24)
BATCH = as_batch(PIXELS)


def found(*layers: Any, scores: Any = "logits") -> Any:
    graph = folded(sequential(*layers))
    observers = observe(graph, lambda: [BATCH])
    (last,) = [name for name in observers if name == [op.name for op in graph if op.has_kernel][-1]]
    return graph, observers[last], wide_logits(graph, observers[last], lambda: [BATCH], scores)


def test_as_many_windows_as_add_a_twentieth_of_the_work() -> None:
    # 14 x 14 x 10 x 27 = 52,920 multiply-accumulates, then C -> 4
    for channels, windows in ((10, 8), (90, 8), (700, 2)):
        stem = [kl.Conv2D(10, 3, activation="relu"), kl.GlobalAveragePooling2D()]
        hidden = [] if channels == 10 else [kl.Dense(channels, activation="relu")]
        graph, _, logits = found(*stem, *hidden, kl.Dense(4))
        macs = 52_920 + (0 if channels == 10 else 10 * channels) + channels * 4
        assert logits.windows == min(8, 1 + int(0.05 * macs / (channels * 4))) == windows
        assert logits.name == graph.output


def test_the_grid_goes_beyond_what_was_seen_where_windows_make_it_fine() -> None:
    _, seen, logits = found(kl.Conv2D(6, 3, activation="relu"), kl.GlobalAveragePooling2D(), kl.Dense(4))
    margin = (0.04 * logits.windows - 0.01) * (seen.high - seen.low)
    assert logits.grid.low < min(0, seen.low - margin) and logits.grid.high > max(0, seen.high + margin)


def test_one_window_is_the_best_8_bit_grid() -> None:
    """Nothing but dense layers: each window would cost as much as the model."""
    graph, _, logits = found(kl.Flatten(), kl.Dense(4))
    outputs = np.asarray(build_model(graph)(PIXELS.astype(np.float32)))
    assert logits.windows == 1 and logits.grid == logits_range(outputs, "logits")
    assert logits.grid == narrow_logits(graph, lambda: [BATCH], "logits")


def test_a_closing_function_stays_behind_wide_logits() -> None:
    graph, _, logits = found(kl.Conv2D(6, 3), kl.Flatten(), kl.Dense(3, activation="softmax"), scores="probabilities")
    assert logits.name != graph.output and graph.ops[logits.name].kind == "Dense"


@pytest.mark.parametrize("last", [lambda: kl.Conv2D(3, 3), lambda: kl.Conv2DTranspose(3, 3)])
def test_kernels_that_engines_end_in_8_bits_keep_their_grid(last: Any) -> None:
    _, _, logits = found(kl.Conv2D(4, 3, activation="relu"), last())
    assert logits is None
    graph = folded(sequential(kl.Conv2D(4, 3, activation="relu"), kl.Conv2D(3, 14)))
    made = quantize(graph, "logits", lambda: [BATCH], BATCH, lambda: [BATCH])
    assert made.logits is None
    assert made.ranges[graph.output] == narrow_logits(graph, lambda: [BATCH], "logits")
