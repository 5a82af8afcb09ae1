"""Models of Keras 2, made by tf-keras, which is Keras 2; and files by hand."""

from __future__ import annotations

import json
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def keras2() -> Any:
    """The tf_keras module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's, about its own modules
        import tf_keras
    return tf_keras


def save(model: Any, path: Path) -> Path:
    """Saves without what tf-keras has to say about its formats."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(str(path))
    return path


def shaken(model: Any) -> Any:
    """The model with weights of which every one matters: nothing is left at zero or one. Kernels are random already."""
    rng = np.random.default_rng(7)
    weights = model.get_weights()
    model.set_weights([value + rng.uniform(0.05, 0.3, value.shape) * (value.ndim == 1) for value in weights])
    return model


def mobile() -> Any:
    """MobileNet-like: strided convolution, depthwise blocks with batch norms and ReLU6."""
    tfk = keras2()
    layers = tfk.layers
    x = source = layers.Input((32, 32, 3))
    x = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(8, 3, strides=2, use_bias=False)(x)))
    for filters in (8, 16):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
        x = layers.Activation("relu6")(layers.Conv2D(filters, 1)(x)) if filters == 8 else layers.Conv2D(filters, 1)(x)
    x = layers.Dense(10)(layers.GlobalAveragePooling2D()(x))
    return shaken(tfk.Model(source, x, name="mobile"))


def plain() -> Any:
    """A sequential network with the normalisation inside, compiled."""
    tfk = keras2()
    layers = tfk.layers
    network = tfk.Sequential(
        [
            layers.Conv2D(4, 3, activation="relu", input_shape=(16, 16, 1), kernel_regularizer="l2"),
            layers.MaxPooling2D(),
            layers.LeakyReLU(0.1),
            layers.SeparableConv2D(6, 3),
            layers.Conv2DTranspose(4, 2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )
    network.compile("adam", "categorical_crossentropy")
    return shaken(network)


def branched() -> Any:
    """Functional: residual, batch norms, an inner model called twice, and names with slashes."""
    tfk = keras2()
    layers = tfk.layers
    inner = tfk.Sequential([layers.Input((8, 8, 4)), layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization()])
    x = source = layers.Input((8, 8, 3))
    x = layers.Conv2D(4, 1, name="stem/conv")(x)
    x = layers.Add(name="stem/add")([x, inner(inner(x))])
    return shaken(tfk.Model(source, layers.Dense(2)(layers.Flatten()(x))))


def recurrent() -> Any:
    """LSTM both ways and a GRU: time_major and implementation are in their configuration."""
    tfk = keras2()
    layers = tfk.layers
    frames = [layers.Bidirectional(layers.LSTM(4, return_sequences=True), input_shape=(5, 3)), layers.GRU(3)]
    return shaken(tfk.Sequential([*frames, layers.Dense(2)]))


def called() -> Any:
    """What arithmetic on tensors and TensorFlow's own functions leave in a Keras 2 model: TFOpLambda layers."""
    import tensorflow as tf

    tfk = keras2()
    layers = tfk.layers
    source = layers.Input((8, 8, 3))
    x = layers.Conv2D(4, 3)(source / 127.5 - 1.0)
    x = x * tf.nn.relu6(x + 3.0) * (1 / 6.0)
    x = tf.concat([x, 1.0 - x, tf.nn.silu(-x)], axis=-1)
    x = tf.reduce_mean(x, axis=[1, 2], keepdims=True)
    x = tf.clip_by_value(tf.reshape(x, (-1, 12)), 0.0, 6.0)
    return shaken(tfk.Model(source, layers.Dense(2)(x)))


def answers(model: Any, count: int = 3) -> NDArray[np.float32]:
    """Its outputs for the same random inputs, whichever Keras it is of."""
    rng = np.random.default_rng(1)
    # MobileNetV3 on 8 pixels reads beyond its memory: another answer each time.
    shape = [size or 64 for size in model.inputs[0].shape[1:]]
    return np.asarray(model(rng.uniform(0, 1, (count, *shape)).astype(np.float32), training=False))


def repack(source: Path, target: Path, **parts: bytes | None) -> Path:
    """A .keras file with some parts replaced (``config``, ``metadata``, ``weights``) or, with None, left out."""
    names = {"config": "config.json", "metadata": "metadata.json", "weights": "model.weights.h5"}
    changed = {names[key]: value for key, value in parts.items()}
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = changed.get(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target


def recipe(path: Path) -> dict[str, Any]:
    """The configuration in a .keras file."""
    with zipfile.ZipFile(path) as file:
        found: dict[str, Any] = json.loads(file.read("config.json"))
    return found


def declare(path: Path, name: str, size: int) -> None:
    """Makes the zip directory, and the header before the entry, say that an entry unpacks to ``size`` bytes."""
    content = bytearray(path.read_bytes())
    for magic, sizes, names in ((b"PK\x03\x04", 22, 30), (b"PK\x01\x02", 24, 46)):
        at = content.find(magic)
        while at >= 0:
            if content[at + names : at + names + len(name)] == name.encode():
                struct.pack_into("<I", content, at + sizes, size)
            at = content.find(magic, at + 4)
    path.write_bytes(bytes(content))
