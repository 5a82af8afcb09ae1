from __future__ import annotations

import keras
import pytest
from keras import layers as kl

from edgevision.converters.quantize.macs import mac_shares, macs
from tests.converters.conftest import Exported
from tests.converters.models import SIZE, folded, sequential


def test_as_counted_by_hand(exported: Exported) -> None:
    graph = exported.graph
    assert sum(macs(graph, op) for op in graph) == exported.trained.macs
    assert sum(mac_shares(graph).values()) == pytest.approx(1)


def test_transposed_products_and_kept_layers() -> None:
    graph = folded(sequential(kl.Conv2DTranspose(5, 3, strides=2), shape=(4, 4, 3)), (4, 4, 3))
    assert sum(macs(graph, op) for op in graph) == 16 * 3 * 9 * 5
    image = keras.Input((SIZE, SIZE, 3))
    steps = kl.Reshape((SIZE, SIZE * 3))(image)
    graph = folded(keras.Model(image, kl.LSTM(5)(kl.MultiHeadAttention(2, 4)(steps, steps))))
    counts = {op.kind: macs(graph, op) for op in graph if macs(graph, op)}
    assert counts["Kept"] == SIZE * (48 * 20 + 5 * 20)
    assert counts["MatMul"] == 2 * SIZE * SIZE * 4


def test_nothing_to_multiply() -> None:
    graph = folded(sequential(kl.MaxPooling2D()))
    assert set(mac_shares(graph).values()) == {0.0}
