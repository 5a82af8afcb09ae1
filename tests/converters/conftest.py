"""Two small trained models, quantised and exported once, and data on disk, for all tests of the converters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

from edgevision.converters import formats
from edgevision.converters.formats.exported import Source
from edgevision.converters.metadata import write_metadata
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.quantize import Quantized, quantize
from edgevision.converters.source import load_source
from edgevision.runtime.manifest import Scores, to_plain
from edgevision.runtime.spec import Preprocessing, named_preprocessing
from tests.converters.models import CLASSES, SIZE, Pixels, as_batch, pictures, train, write_folder


def plain() -> Any:
    """A tutorial's network: everything in a row, logits; its preprocessing is outside."""
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            kl.Conv2D(8, 3, activation="relu"),
            kl.BatchNormalization(),
            kl.MaxPooling2D(),
            kl.Conv2D(12, 3),
            kl.BatchNormalization(),
            kl.ReLU(),
            kl.Flatten(),
            kl.Dropout(0.2),
            kl.Dense(16, activation="relu"),
            kl.Dense(4),
        ],
        name="plain",
    )


def branched() -> Any:
    """Everything else: branches, depthwise and separable kernels, padding, closing softmax; normalises itself."""
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.Rescaling(1 / 127.5, offset=-1)(kl.RandomFlip()(image))
    stem = kl.ReLU(6)(kl.BatchNormalization()(kl.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)))
    deep = kl.LeakyReLU()(kl.BatchNormalization()(kl.DepthwiseConv2D(3, padding="same")(stem)))
    wide = kl.SeparableConv2D(8, 3, depth_multiplier=2, padding="same", activation="relu")(stem)
    joined = kl.ReLU()(kl.Add()([stem, deep, wide]))
    pooled = kl.AveragePooling2D(2)(kl.ZeroPadding2D(1)(joined))
    both = kl.Concatenate()([kl.Conv2D(6, 1, activation="tanh")(pooled), kl.Conv2D(6, 1, activation="sigmoid")(pooled)])
    ends = kl.Concatenate()([kl.GlobalAveragePooling2D()(both), kl.GlobalMaxPooling2D()(pooled)])
    return keras.Model(image, kl.Dense(4, activation="softmax")(ends), name="branched")


def grey() -> Any:
    """One channel, one sigmoid: rows or columns."""
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            kl.Conv2D(6, 3, padding="same", activation="relu"),
            kl.BatchNormalization(),
            kl.MaxPooling2D(),
            kl.Conv2D(8, 3, padding="same", activation="relu"),
            kl.GlobalAveragePooling2D(),
            kl.Dense(1, activation="sigmoid"),
        ],
        name="grey",
    )


@dataclass(frozen=True)
class Trained:
    """A trained model and what it was trained on.

    Attributes:
        name: Of the network.
        model: keras.Model; normalised pixels in.
        preprocess: Convention to convert it with; None where the model normalises itself.
        scores: What it ends in.
        images: Fresh images, uint8 (n, H, W, C).
        macs: Multiply-accumulates for one image, counted by hand.
        pool_macs: What small average pools add to them in int8, where they are depthwise kernels.
        pool_weights: How many weights they have there.
    """

    name: str
    model: Any
    preprocess: str | None
    scores: Scores
    images: Pixels
    macs: int
    pool_macs: int = 0
    pool_weights: int = 0


@functools.cache
def _plain() -> Trained:
    keras.utils.set_random_seed(0)
    images, targets = pictures(640, seed=1)
    model = train(plain(), (images / 255).astype(np.float32), targets, epochs=12)
    # 14x14x8 outputs of 3x3x3, 5x5x12 of 3x3x8, 300 -> 16, 16 -> 4
    macs = 14 * 14 * 8 * 27 + 5 * 5 * 12 * 72 + 300 * 16 + 16 * 4
    return Trained("plain", model, "unit", "logits", pictures(120, seed=2)[0], macs)


def _branched() -> Trained:
    keras.utils.set_random_seed(0)
    images, targets = pictures(320, seed=3)
    model = train(branched(), images.astype(np.float32), targets, epochs=12)
    # The first convolution pads, so the normalisation's offset is a 1x1 depthwise step of its own; then the stem 8x8x8
    # of 3x3x3, depthwise 8x8x8 of 3x3, separable 8x8x16 of 3x3 and 8x8x8 of 16, two 5x5x6 of 8, 20 -> 4
    macs = 16 * 16 * 3 + 512 * 27 + 512 * 9 + 1024 * 9 + 512 * 16 + 2 * 150 * 8 + 20 * 4
    return Trained("branched", model, None, "probabilities", pictures(120, seed=4)[0], macs, 5 * 5 * 8 * 4, 8 * 4)


def _grey() -> Trained:
    keras.utils.set_random_seed(0)
    images, targets = pictures(320, seed=5)
    pixels = images.mean(-1, keepdims=True).astype(np.uint8)
    kept = targets < 2
    model = train(grey(), np.asarray(pixels[kept] / 127.5 - 1, np.float32), targets[kept], epochs=10)
    fresh, targets = pictures(240, seed=6)
    fresh = fresh.mean(-1, keepdims=True).astype(np.uint8)[targets < 2]
    # 1x1 depthwise for the offset before padding, 16x16x6 of 3x3x1, 1x1 depthwise for the batch norm whose offset may
    # not pass the padding behind the pool, 8x8x8 of 3x3x6, 8 -> 1
    macs = 256 + 256 * 6 * 9 + 256 * 6 + 64 * 8 * 54 + 8
    return Trained("grey", model, "tf", "sigmoid", fresh, macs)


MAKERS: dict[str, Callable[[], Trained]] = {"plain": _plain, "branched": _branched, "grey": _grey}


@dataclass(frozen=True)
class Exported:
    """A trained model with its float graph, its quantised one, and its six files."""

    trained: Trained
    graph: Graph
    preprocessing: Preprocessing
    quantized: Quantized
    folder: Path

    def path(self, format_name: str, precision: str) -> Path:
        """One of the files."""
        return self.folder / f"{precision}{formats.SUFFIXES[format_name]}"


#: pytest gives up a parametrised fixture whenever the parameter changes, and with it every file would make all anew.
_EXPORTED: dict[str, Exported] = {}


@pytest.fixture(scope="session", params=list(MAKERS))
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    if request.param not in _EXPORTED:
        _EXPORTED[request.param] = _export(request.param, tmp_path_factory.mktemp(request.param))
    return _EXPORTED[request.param]


def _export(name: str, folder: Path) -> Exported:
    trained = MAKERS[name]()
    source = load_source(trained.model, preprocess=trained.preprocess)
    half = len(trained.images) // 2
    calibration, held = as_batch(trained.images[:half]), as_batch(trained.images[half:])
    assert source.preprocessing is not None
    quantized = quantize(source.graph, source.scores, lambda: [calibration], calibration, lambda: [held])
    made = Exported(trained, source.graph, source.preprocessing, quantized, folder)
    int8 = Source(quantized.graph, quantized.ranges, folder, quantized.logits)
    for export in (Source(source.graph, None, folder), int8):
        for kind in formats.SUFFIXES:
            formats.of(kind).export(export, made.path(kind, export.precision))
    return made


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled images: CLASS/IMAGE, 80 in four classes."""
    return write_folder(tmp_path_factory.mktemp("photos"), *pictures(80, seed=7))


@pytest.fixture(scope="session")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model that knows its labels and its preprocessing."""
    path = tmp_path_factory.mktemp("model") / "plain.keras"
    _plain().model.save(path)
    preprocessing = to_plain(named_preprocessing("unit", SIZE, SIZE))
    write_metadata(path, {"labels": list(CLASSES), "preprocessing": preprocessing, "task": "classification"})
    return path


@pytest.fixture(scope="session")
def bare_model() -> Any:
    """The same network untrained, in memory, that knows nothing."""
    return plain()
