"""Small Keras models and images for the converters' tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.converters.quantize.build import call
from edgevision.converters.quantize.fold import fold
from edgevision.converters.quantize.graph import Graph, Op
from edgevision.converters.quantize.observe import Batch
from edgevision.converters.quantize.trace import trace

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

SIZE = 16
CLASSES = ("rows", "columns", "checks", "spots")


def sequential(*layers: Any, shape: tuple[int | None, int | None, int] = (SIZE, SIZE, 3)) -> Any:
    """A sequential model with weights that are not the layers' tidy first ones."""
    return scrambled(keras.Sequential([keras.Input(shape), *layers]))


def scrambled(model: Any, seed: int = 1) -> Any:
    """Random weights; batch norms get means, variances, gains (some negative) and offsets that matter."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        role, shape = variable.path.rsplit("/", 1)[-1], tuple(variable.shape)
        if not str(variable.dtype).startswith("float"):
            continue  # state of random generators
        if role in ("variance", "moving_variance"):
            value = random.uniform(0.3, 3.0, shape)
        elif role == "gamma":
            value = random.uniform(0.5, 1.5, shape) * random.choice([1, 1, -1], shape)
        elif "kernel" in role:
            value = random.normal(0, 1.4 / np.sqrt(max(1, np.prod(shape[:-1]))), shape)
        else:
            value = random.normal(0, 0.3, shape)
        variable.assign(value.astype(np.float32))
    return model


def folded(model: Any, shape: tuple[int, int, int] = (SIZE, SIZE, 3)) -> Graph:
    """The model's graph, ready for quantising."""
    graph = trace(model, shape)
    fold(graph)
    return graph


def evaluate(graph: Graph, values: Floats) -> Floats:
    """What a graph computes, "Affine" included, one operation after the other; values (n, H, W, C)."""
    results: dict[str, Any] = {}
    for op in graph:
        inputs = [results[name] for name in op.inputs]
        results[op.name] = values if op.kind == "Input" else _run(op, inputs)
    return np.asarray(results[graph.output])


def _run(op: Op, inputs: list[Any]) -> Any:
    if op.kind == "Affine":
        return inputs[0] * op.weights[0] + op.weights[1]
    return call(op, inputs)


def signals(count: int, shape: tuple[int, int, int] = (SIZE, SIZE, 3), seed: int = 0) -> Floats:
    """Random values -1..1, float32 (count, H, W, C)."""
    return np.random.default_rng(seed).uniform(-1, 1, (count, *shape)).astype(np.float32)


def as_batch(pixels: Pixels) -> Batch:
    """Pixels as what goes through quantisation: named arrays."""
    return {"image": pixels}


def pictures(count: int, seed: int = 0, size: int = SIZE) -> tuple[Pixels, NDArray[np.int64]]:
    """Images of four classes that a few steps of training tell apart: uint8 (count, size, size, 3), int64 (count,)."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    targets = np.arange(count) % len(CLASSES)
    images = np.empty((count, size, size, 3), np.uint8)
    for index, target in enumerate(targets):
        period, phase = random.integers(3, 6), random.integers(0, 6)
        first, second = (rows + phase) // period % 2, (columns + phase) // period % 2
        center = random.integers(4, size - 4, 2)
        spot = (rows - center[0]) ** 2 + (columns - center[1]) ** 2 < random.integers(9, 30)
        pattern = (first, second, first ^ second, spot)[target][..., None]
        dark, light = random.integers(0, 110, 3), random.integers(140, 256, 3)
        noisy = np.where(pattern, light, dark) + random.normal(0, 20, (size, size, 3))
        images[index] = np.clip(noisy, 0, 255)
    return images, targets


def write_folder(path: Path, images: Pixels, targets: NDArray[np.int64] | None = None) -> Path:
    """The images as PNG files: CLASS/NUMBER.png, or all in one folder without targets."""
    for index, image in enumerate(images):
        folder = path if targets is None else path / CLASSES[targets[index]]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{index:04}.png")
    return path


def train(model: Any, images: Floats, targets: NDArray[np.int64], epochs: int = 6) -> Any:
    """A few steps of Adam on a classifier that ends in logits, softmax or one sigmoid."""
    last = keras.activations.serialize(getattr(model.layers[-1], "activation", keras.activations.linear))
    if model.output_shape[-1] == 1:
        loss: Any = keras.losses.BinaryCrossentropy(from_logits=last == "linear")
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=last == "linear")
    model.compile(keras.optimizers.Adam(5e-3), loss)
    model.fit(images, targets, batch_size=32, epochs=epochs, verbose=0)
    return model


def poisoned_network() -> Any:
    """A network whose layer "poisoned" has one weight per channel that ruins the int8 scale of all the others.

    The large weight reads a channel that is always zero, so it changes nothing in float.
    """
    kl = keras.layers
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = kl.Conv2D(12, 3, strides=2, activation="relu", name="first")(image)
    x = kl.Conv2D(12, 3, activation="relu", name="poisoned")(x)
    x = kl.Conv2D(16, 3, activation="relu", name="third")(x)
    x = kl.Conv2D(16, 1, activation="relu", name="fourth")(x)
    model = scrambled(keras.Model(image, kl.Dense(4, name="logits")(kl.Flatten(name="flat")(x))), seed=3)
    first, second = model.get_layer("first"), model.get_layer("poisoned")
    kernel, bias = first.get_weights()
    kernel[..., 0], bias[0] = 0, -1  # never above zero
    first.set_weights([kernel / 255, bias])
    kernel, bias = second.get_weights()
    kernel[0, 0, 0, :] = 40
    second.set_weights([kernel, bias])
    return model


def numbers(seed: int, images: int = 40, values: int = 5) -> Floats:
    """Outputs (images, values)."""
    return np.random.default_rng(seed).normal(0, 2, (images, values)).astype(np.float32)
