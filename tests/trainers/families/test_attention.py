from __future__ import annotations

import keras
import numpy as np
import pytest

from edgevision.runtime.errors import InputError
from edgevision.trainers.families import named_family


@pytest.mark.parametrize("name", ["vit-small", "attention-cnn"])
def test_any_size_and_every_place_is_seen(name: str) -> None:
    family = named_family(name)
    options = {**family.options, "width": 16, "heads": 2}
    model = family.build((14, 9, 3), ("a", "b", "c"), options).model
    assert model.output_shape == (None, 3)
    images = np.random.default_rng(0).random((1, 14, 9, 3), np.float32)
    attention = next(layer for layer in model.layers if isinstance(layer, keras.layers.MultiHeadAttention))
    inner = keras.Model(model.inputs, attention.output)
    changed = images.copy()
    changed[:, :4, :4] += 1.0
    moved = np.abs(inner.predict_on_batch(changed) - inner.predict_on_batch(images)).max(axis=-1)
    assert (moved > 0).all(), "a change in one corner reaches all places"


@pytest.mark.parametrize("name", ["vit-small", "attention-cnn"])
def test_options_and_inputs_that_cannot_be_used(name: str) -> None:
    family = named_family(name)
    with pytest.raises(InputError, match="expected a divisor of its width 30, got 4"):
        family.build((16, 16, 3), ("a", "b"), {**family.options, "width": 30})
    with pytest.raises(InputError, match="too small for its patches: expected at least 4x4, got 16x3"):
        family.build((16, 3, 3), ("a", "b"), family.options)
