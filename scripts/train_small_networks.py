"""Small networks of the kinds people deploy, trained on CIFAR-10 for comparing quantisers.

    python scripts/train_small_networks.py DIR [--only residual depthwise] [--epochs 8]

Trains on the 10,000 images that train_cifar.py trains on (the same 3,000 are held out) and writes DIR/NAME.keras, a
few minutes each on two cores. How well they do matters little; that they are trained does: random weights have none of
the skewed channels that quantisation stumbles over.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from train_cifar import SHARED, divided

from edgevision.converters.metadata import write_metadata
from edgevision.datasets import open_dataset
from edgevision.runtime.manifest import to_plain
from edgevision.runtime.preprocess import normalize
from edgevision.runtime.spec import Preprocessing, named_preprocessing
from edgevision.trainers.examples import TrainingData
from edgevision.trainers.families import Built
from edgevision.trainers.fit import fit
from edgevision.trainers.history import Epoch
from edgevision.trainers.images import LabelledImages
from edgevision.trainers.recipe import Recipe
from edgevision.trainers.tasks.classification import Classification

CLASSES = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to write the models")
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "cifar10_png.zip")
    parser.add_argument("--only", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    p = named_preprocessing("unit", 32, 32)
    everything, test = open_dataset(options.data, "train"), open_dataset(options.data, "test")
    kept, held = (LabelledImages(everything.subset(part), p) for part in divided(everything))
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        train_one(name, options, p, everything.labels, kept, {"test": LabelledImages(test, p), "held out": held})


def train_one(
    name: str,
    options: argparse.Namespace,
    p: Preprocessing,
    labels: tuple[str, ...],
    kept: LabelledImages,
    judged: dict[str, LabelledImages],
) -> None:
    keras.utils.set_random_seed(options.seed)
    image = keras.Input((p.height, p.width, p.channels), name="image")
    model = keras.Model(image, NETWORKS[name](image), name=name)
    start = time.perf_counter_ns()
    recipe = Recipe(
        task="classification",
        model=name,
        epochs=options.epochs,
        batch_size=64,
        input_size=(p.height, p.width),
        augment=("flip", "shift=0.03"),
        learning_rate=3e-3,
        seed=options.seed,
    )
    task = Classification(recipe, Built(model, scores="logits"), labels, p)
    fit(task, TrainingData(kept, None), on_epoch=show)
    path = options.folder / f"{name}.keras"
    temporary = path.with_name(f".{name}.{os.getpid()}.tmp.keras")
    model.save(temporary)
    write_metadata(
        temporary,
        {"task": "classification", "labels": list(labels), "preprocessing": to_plain(p), "scores": "logits"},
    )
    temporary.replace(path)
    found = ", ".join(f"{key} {top1(model, images, p) * 100:.1f} %" for key, images in judged.items())
    seconds = (time.perf_counter_ns() - start) / 1e9
    print(f"{name}: {model.count_params():,} parameters, {found}, {seconds:.0f} s", flush=True)


def show(epoch: Epoch) -> None:
    figures = ", ".join(f"{name} {value:.3f}" for name, value in epoch.figures.items())
    print(f"  epoch {epoch.number}: {figures}, {epoch.seconds:.1f} s", flush=True)


def top1(model: Any, images: LabelledImages, p: Preprocessing) -> float:
    outputs = model.predict(normalize(images.pixels[:], p), batch_size=250, verbose=0)
    return float((np.argmax(outputs, -1) == images.targets).mean())


def convolution(x: Any, filters: int, size: int = 3, strides: int = 1, activation: str | None = "relu") -> Any:
    """Convolution, batch norm, activation."""
    x = layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return x if activation is None else layers.Activation(activation)(x)


def depthwise(x: Any, size: int = 3, strides: int = 1, activation: str = "relu6") -> Any:
    """Depthwise convolution, batch norm, activation."""
    x = layers.DepthwiseConv2D(size, strides, padding="same", use_bias=False)(x)
    return layers.Activation(activation)(layers.BatchNormalization()(x))


def residual(x: Any) -> Any:
    """Three stages of one residual block (ResNet-8)."""
    x = convolution(x, 16)
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        y = convolution(convolution(x, filters, strides=strides), filters, activation=None)
        if strides != 1:
            x = convolution(x, filters, 1, strides, None)
        x = layers.ReLU()(layers.Add()([x, y]))
    return layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x))


def separable(x: Any) -> Any:
    """Depthwise-separable stack with ReLU6 (MobileNet)."""
    x = convolution(x, 24, strides=2, activation="relu6")
    for filters, strides in ((48, 1), (64, 2), (96, 1), (128, 2), (128, 1)):
        x = convolution(depthwise(x, strides=strides), filters, 1, activation="relu6")
    return layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x))


def squeeze_excite(x: Any) -> Any:
    """Inverted residual blocks with squeeze-excite and hard swish (MobileNetV3)."""
    x = convolution(x, 16, strides=2, activation="hard_swish")
    for filters, strides in ((16, 1), (24, 2), (24, 1), (40, 2)):
        y = depthwise(convolution(x, 4 * x.shape[-1], 1, activation="hard_swish"), 3, strides, "hard_swish")
        channels = y.shape[-1]
        gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
        gate = layers.Conv2D(channels // 4, 1, activation="relu")(gate)
        gate = layers.Conv2D(channels, 1, activation="hard_sigmoid")(gate)
        y = convolution(layers.Multiply()([y, gate]), filters, 1, activation=None)
        x = layers.Add()([x, y]) if x.shape == y.shape else y
    x = convolution(x, 128, 1, activation="hard_swish")
    return layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x))


def swish(x: Any) -> Any:
    """Depthwise-separable stack with swish and residual sums (EfficientNet without its gates)."""
    x = convolution(x, 24, strides=2, activation="swish")
    for filters, strides in ((32, 1), (48, 2), (48, 1), (96, 2)):
        y = depthwise(convolution(x, 2 * x.shape[-1], 1, activation="swish"), 3, strides, "swish")
        y = convolution(y, filters, 1, activation=None)
        x = layers.Add()([x, y]) if x.shape == y.shape else y
    x = convolution(x, 128, 1, activation="swish")
    return layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x))


def transformer(x: Any) -> Any:
    """Two encoder blocks on 64 patches; a padded depthwise convolution tells them where they are."""
    width = 64
    x = layers.Conv2D(width, 4, 4)(convolution(x, 32))
    x = layers.Add()([x, layers.DepthwiseConv2D(3, padding="same")(x)])
    x = layers.Reshape((64, width))(x)
    for _ in range(2):
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, width // 4)(y, y)])
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        y = layers.Dense(width)(layers.Dense(2 * width, activation="gelu")(y))
        x = layers.Add()([x, y])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-6)(x))
    return layers.Dense(CLASSES)(x)


NETWORKS: dict[str, Callable[[Any], Any]] = {
    "residual": residual,
    "depthwise": separable,
    "squeeze-excite": squeeze_excite,
    "swish": swish,
    "transformer": transformer,
}


if __name__ == "__main__":
    main()
