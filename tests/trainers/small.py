"""A network with everything that a training has to remember, and a handful of images for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from edgevision.datasets import Dataset, open_dataset
from edgevision.runtime.spec import Preprocessing, named_preprocessing
from edgevision.trainers.examples import TrainingData
from edgevision.trainers.families import Built
from edgevision.trainers.images import LabelledImages
from edgevision.trainers.recipe import Recipe, recipe_of
from edgevision.trainers.tasks.classification import Classification

SIDE = 12


def preprocessing() -> Preprocessing:
    return named_preprocessing("unit", SIDE, SIDE)


def recipe(**fields: Any) -> Recipe:
    plain = {"task": "classification", "model": "small", "input_size": (SIDE, SIDE), "epochs": 4, "batch_size": 8}
    return recipe_of({**plain, "augment": ("flip",), **fields})


def images(folder: Path, count: int = 24) -> Dataset:
    """Random images of two classes, one of them darker."""
    labels = np.arange(count) % 2
    pixels = np.random.default_rng(0).integers(0, 200, (count, SIDE, SIDE, 3)) + 50 * labels[:, None, None, None]
    path = folder / "few.npz"
    np.savez(path, images=pixels.astype(np.uint8), labels=labels, label_names=np.array(["dark", "light"]))
    return open_dataset(path)


def data(folder: Path, held: bool = True) -> TrainingData:
    found, p = images(folder), preprocessing()
    half = LabelledImages(found.subset(np.arange(16)), p)
    return TrainingData(half, LabelledImages(found.subset(np.arange(16, 24)), p) if held else None)


def task(**fields: Any) -> Classification:
    """Dropout and batch normalisation, from the same weights every time."""
    keras.utils.set_random_seed(3)
    layers, inputs = keras.layers, keras.Input((SIDE, SIDE, 3))
    tensor = layers.BatchNormalization()(layers.Conv2D(4, 3, strides=2, activation="relu")(inputs))
    outputs = layers.Dense(2, name="logits")(layers.Dropout(0.5)(layers.Flatten()(tensor)))
    built = Built(keras.Model(inputs, outputs), scores="logits")
    return Classification(recipe(**fields), built, ("dark", "light"), preprocessing())
