"""Average pools as kernels: the same answers (that engines round them alike: ``test_integers``)."""

from __future__ import annotations

import numpy as np
import pytest
from keras import layers as kl

from edgevision.converters.quantize.averages import with_kernels
from edgevision.converters.quantize.build import build_model
from tests.converters.models import folded, pictures, sequential

PIXELS, _ = pictures(32, seed=5)
POOLS = {
    "halves": (kl.AveragePooling2D(2), "DepthwiseConv2D"),
    "overlapping": (kl.AveragePooling2D((2, 3), strides=1), "DepthwiseConv2D"),
    "padded, with nothing to pad": (kl.AveragePooling2D(2, padding="same"), "DepthwiseConv2D"),
    "padded": (kl.AveragePooling2D(2, strides=1, padding="same"), "AveragePooling2D"),
    "thirds": (kl.AveragePooling2D(3), "AveragePooling2D"),
    "large": (kl.AveragePooling2D(6), "AveragePooling2D"),
    "uneven steps": (kl.AveragePooling2D(2, strides=(1, 2)), "AveragePooling2D"),
}


@pytest.mark.parametrize("name", POOLS)
def test_answers_stay(name: str) -> None:
    layer, kind = POOLS[name]
    graph = folded(sequential(kl.Conv2D(4, 3, padding="same"), layer, kl.Flatten(), kl.Dense(3)))
    made = with_kernels(graph)
    assert [op.kind for op in graph].count("AveragePooling2D") == 1
    assert [op.kind for op in made][2] == kind
    values = PIXELS.astype(np.float32)
    np.testing.assert_allclose(build_model(made)(values), build_model(graph)(values), rtol=1e-4, atol=1e-4)
