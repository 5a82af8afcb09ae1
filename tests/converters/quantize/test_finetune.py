from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import keras
import numpy as np
import pytest
from keras import layers as kl
from numpy.typing import NDArray

from edgevision.converters.quantize import trainable, weights
from edgevision.converters.quantize.build import build_model
from edgevision.converters.quantize.distil import UNKNOWN
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.finetune import Finetuning, finetune
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.logits import Logits, moved_logits
from edgevision.converters.quantize.observe import Batch
from edgevision.converters.quantize.quantize import Quantized, quantize
from edgevision.converters.quantize.weights import quantize_kernels
from tests.converters.models import SIZE, as_batch, folded, pictures, train

IMAGES, TARGETS = pictures(512, seed=1)
HELD_OUT, ITS_TARGETS = pictures(240, seed=2)


def chosen() -> list[Batch]:
    return [as_batch(HELD_OUT[:100])]


class Images:
    """All of IMAGES, in order."""

    def __init__(self, has_labels: bool = False) -> None:
        self.targets = TARGETS if has_labels else np.full(len(IMAGES), UNKNOWN)
        self.epochs: list[int] = []

    def __len__(self) -> int:
        return len(IMAGES)

    def batches(self, size: int, epoch: int) -> Iterator[tuple[Batch, NDArray[np.int64]]]:
        self.epochs.append(epoch)
        for start in range(0, len(IMAGES), size):
            yield as_batch(IMAGES[start : start + size]), self.targets[start : start + size]


@pytest.fixture(scope="module")
def graph() -> Graph:
    """A trained depthwise network."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((SIZE, SIZE, 3)), kl.Rescaling(1 / 127.5, -1)]
    for channels, size in ((12, 3), (24, 1)):
        layers += [kl.Conv2D(channels, size), kl.BatchNormalization(), kl.ReLU(6)]
        layers += [kl.DepthwiseConv2D(3, strides=2), kl.BatchNormalization(), kl.ReLU(6)]
    model = keras.Sequential([*layers, kl.Flatten(), kl.Dense(4)])
    return folded(train(model, IMAGES.astype(np.float32), TARGETS, epochs=25))


@pytest.fixture
def coarse(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> Quantized:
    """With weights that are -1, 0 or 1 times their channel's scale."""
    fine = quantized(graph)
    assert not fine.equalized, "its ranges fit the graph as it is"
    monkeypatch.setattr(weights, "LIMIT", 1)
    monkeypatch.setattr(trainable, "LIMIT", 1)
    return dataclasses.replace(fine, graph=quantize_kernels(graph))


def quantized(graph: Graph) -> Quantized:
    return quantize(graph, "logits", lambda: [as_batch(IMAGES[:64])], as_batch(IMAGES[:64]), chosen)


def right(found: Quantized) -> float:
    """Share of fresh images, not those that choose, that are classified rightly."""
    outputs = np.asarray(found.model()(HELD_OUT[100:].astype(np.float32)))
    return float((outputs.argmax(1) == ITS_TARGETS[100:]).mean())


@pytest.mark.parametrize("has_labels", [False, True])
def test_a_network_damaged_by_coarse_weights_recovers(has_labels: bool, graph: Graph, coarse: Quantized) -> None:
    exact = np.asarray(build_model(graph)(HELD_OUT[100:].astype(np.float32)))
    assert (exact.argmax(1) == ITS_TARGETS[100:]).mean() > 0.9
    before, told = right(coarse), []
    kept = [weight.copy() for op in coarse.graph for weight in op.weights]
    best, found = finetune(
        graph, coarse, "logits", Images(has_labels), chosen, 6,
        learning_rate=5e-3, tell=lambda epoch, least: told.append((epoch, least)),
    )  # fmt: skip
    assert found.distance[0] > 10 * min(coarse.errors.values()), "what calibration alone makes of 8 bits"
    assert found.kept and found.distance[found.kept] == min(found.distance) < 0.5 * found.distance[0]
    assert right(best) > before + 0.03
    assert told[0] == (1, found.distance[0]) and [epoch for epoch, _ in told] == [*range(1, found.epochs + 1)]
    assert f"of number {found.kept} kept" in found.words
    now = [weight for op in coarse.graph for weight in op.weights]
    assert all((one == two).all() for one, two in zip(kept, now)), "what it began with is not changed"
    for op in (op for op in best.graph if op.has_kernel):
        largest = np.abs(op.weights[0]).max()
        assert len(np.unique(np.rint(op.weights[0] / largest * 1e4))) <= 2 * op.shape[-1] + 1, "still on three values"


def test_outputs_that_are_no_class_scores_come_nearer_too(graph: Graph, coarse: Quantized) -> None:
    _, found = finetune(graph, coarse, None, Images(), chosen, 8, learning_rate=5e-3)
    assert found.distance[found.kept] < 0.5 * found.distance[0] < 0.5


@pytest.mark.parametrize("rate", [30.0, float("inf")])
def test_an_absurd_learning_rate_leaves_everything_as_it_was(rate: float, graph: Graph) -> None:
    start, images = quantized(graph), Images()
    best, found = finetune(graph, start, "logits", images, chosen, 9, learning_rate=rate)
    assert best is start and found.kept == 0
    assert found.distance[0] == pytest.approx(min(start.errors.values()), rel=1e-3)
    assert "nothing of it was kept" in found.words
    assert len(images.epochs) < 9, "it ends early"


def test_what_lost_little_is_moved_little(graph: Graph) -> None:
    start = quantized(graph)
    _, found = finetune(graph, start, "logits", Images(), chosen, 2)
    assert max(found.distance) < 3 * found.distance[0]


def test_the_same_images_give_the_same_model(graph: Graph, coarse: Quantized) -> None:
    results = [finetune(graph, coarse, "logits", Images(), chosen, 1) for _ in range(2)]
    assert results[0][1] == results[1][1] and isinstance(results[0][1], Finetuning)


def test_logits_that_training_moved_still_fit_their_grid() -> None:
    before = np.array([[-4.0, 0.0, 4.0]], np.float32)
    for windows in (1, 4):
        logits = Logits("dense", Range.covering(-5, 5), windows)
        for factor in (0.5, 3.0):
            grid = moved_logits(logits, before * factor, "logits").grid
            assert grid.high >= max(4.9, 4 * factor - grid.scale)
            assert windows == 1 or grid.low <= min(-4.9, -4 * factor)
