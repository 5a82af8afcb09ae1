"""What formats would compute more coarsely than the quantised Keras model: they are kept from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl
from numpy.typing import NDArray

from edgevision.converters import formats
from edgevision.converters.formats.exported import Source
from edgevision.converters.quantize.quantize import quantize
from edgevision.converters.source import load_source
from edgevision.converters.sqnr import sqnr_db
from tests.converters.formats.test_any_layer import run
from tests.converters.models import SIZE, as_batch, pictures


def both_ways() -> Any:
    """Every state is read in 8 bits and by the next step; it is some hundredths."""
    image = keras.Input((SIZE, SIZE, 3))
    steps = kl.Dense(6)(kl.Reshape((SIZE, SIZE * 3))(image))
    states = kl.Bidirectional(kl.LSTM(4, return_sequences=True))(steps)
    return keras.Model(image, kl.Dense(4)(kl.GlobalAveragePooling1D()(kl.Dense(6, activation="relu")(states))))


def even_attention() -> Any:
    """Each of 64 places gets about a 64th of the attention: four steps of 1/256."""
    image = keras.Input((SIZE, SIZE, 3))
    steps = kl.Reshape((64, 8))(kl.Conv2D(8, 2, strides=2)(image))
    return keras.Model(image, kl.Dense(4)(kl.GlobalAveragePooling1D()(kl.MultiHeadAttention(2, 4)(steps, steps))))


def dot_attention() -> Any:
    """The layer stays in float, its softmax too: there is nothing to free."""
    image = keras.Input((SIZE, SIZE, 3))
    steps = kl.Reshape((16, 16))(kl.Conv2D(16, 4, strides=4)(image))
    query, key, value = (kl.Dense(8)(steps) for _ in range(3))
    steps = kl.Add()([kl.Dense(8)(steps), kl.Attention(use_scale=True)([query, value, key])])
    return keras.Model(image, kl.Dense(4)(kl.GlobalAveragePooling1D()(steps)))


def leaky() -> Any:
    """With a slope of 0.3 one negative integer in ten comes to lie half way between two."""
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.LeakyReLU(negative_slope=0.3)(kl.Conv2D(8, 3, strides=2)(image))
    x = kl.LeakyReLU(negative_slope=0.3)(kl.Conv2D(8, 3)(x))
    return keras.Model(image, kl.Dense(4)(kl.Flatten()(x)))


def vectors() -> Any:
    """What two dense layers made is added, and a third takes it."""
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.GlobalAveragePooling2D()(kl.Conv2D(12, 3, activation="relu")(image))
    return keras.Model(image, kl.Dense(4)(kl.Add()([kl.Dense(16, activation="relu")(x), kl.Dense(16)(x)])))


def squeezed() -> Any:
    """Vectors are added that were maps of one place, and a map of one place that was vectors."""
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.GlobalAveragePooling2D(keepdims=True)(kl.Conv2D(12, 3, activation="relu")(image))
    x = kl.Conv2D(16, 1, activation="relu")(x)
    vector = kl.Dense(16)(kl.Flatten()(x))
    both = kl.Add()([keras.ops.squeeze(x, (1, 2)), vector])
    maps = kl.Add()([x, keras.ops.expand_dims(keras.ops.expand_dims(vector, 1), 1)])
    return keras.Model(image, kl.Dense(4)(kl.Concatenate()([both, keras.ops.squeeze(kl.Conv2D(16, 1)(maps), (1, 2))])))


CASES = [
    *((make, "openvino") for make in (vectors, squeezed)),
    (both_ways, "tflite"),
    *((make, name) for make in (even_attention, dot_attention, leaky, squeezed) for name in ("tflite", "onnx")),
]


@pytest.mark.parametrize(("make", "format_name"), CASES)
def test_files_follow_the_quantised_model(make: Any, format_name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    batch = as_batch(pictures(64)[0])
    source = load_source(make(), preprocess="unit")
    found = quantize(source.graph, source.scores, lambda: iter([batch]), batch, lambda: iter([batch]))
    path = tmp_path / f"m{formats.SUFFIXES[format_name]}"
    formats.of(format_name).export(Source(found.graph, found.ranges, tmp_path, found.logits), path)
    pixels: NDArray[np.uint8] = pictures(24, seed=9)[0]
    expected = np.asarray(found.model()(pixels.astype(np.float32)))
    assert sqnr_db(expected, run(path, format_name, pixels)) >= 35
