"""Toy models that are no image classifiers, and what calibrates them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers as kl

from tests.converters.models import SIZE, scrambled

Arrays = dict[str, Any]
SAMPLES = 120


def two_heads() -> Any:
    """An image and a vector in, class scores and a number out."""
    photo, facts = keras.Input((SIZE, SIZE, 3), name="photo"), keras.Input((5,), name="facts")
    seen = kl.GlobalAveragePooling2D()(kl.Conv2D(8, 3, activation="relu")(photo))
    both = kl.Concatenate()([seen, kl.Dense(8, activation="relu")(facts)])
    both = kl.Dense(8, activation="relu")(both)
    ends = [kl.Dense(4, activation="softmax", name="kind")(both), kl.Dense(1, name="age")(both)]
    return keras.Model([photo, facts], ends, name="two_heads")


def tokens() -> Any:
    """Integers of any number in, class scores out."""
    ids = keras.Input((None,), dtype="int32", name="tokens")
    return keras.Model(ids, kl.Dense(3, name="topic")(kl.LSTM(8)(kl.Embedding(40, 6)(ids))), name="tokens")


def frames() -> Any:
    """Short films in, class scores out."""
    film = keras.Input((4, 8, 8, 3), name="frames")
    seen = kl.TimeDistributed(kl.Conv2D(4, 3, activation="relu"))(kl.BatchNormalization()(film))
    seen = kl.TimeDistributed(kl.GlobalAveragePooling2D())(seen)
    return keras.Model(film, kl.Dense(3, name="motion")(kl.LSTM(6)(seen)), name="frames")


def generator() -> Any:
    """A latent vector in, an image -1..1 out."""
    layers = [keras.Input((12,), name="latent"), kl.Dense(4 * 4 * 8), kl.Reshape((4, 4, 8)), kl.BatchNormalization()]
    layers += [kl.LeakyReLU(), kl.Conv2DTranspose(8, 4, strides=2, padding="same"), kl.BatchNormalization(), kl.ReLU()]
    layers += [kl.Conv2DTranspose(3, 4, strides=2, padding="same", activation="tanh", name="image")]
    return keras.Sequential(layers, name="generator")


def unet() -> Any:
    """An image in, class scores per pixel out."""
    image = keras.Input((SIZE, SIZE, 3), name="image")
    wide = kl.Conv2D(6, 3, padding="same", activation="relu")(kl.Rescaling(1 / 255)(image))
    deep = kl.Conv2D(8, 3, padding="same", activation="relu")(kl.MaxPooling2D()(wide))
    back = kl.Concatenate()([wide, kl.UpSampling2D()(deep)])
    back = kl.Conv2D(6, 3, padding="same", activation="relu")(back)
    return keras.Model(image, kl.Conv2D(3, 1, activation="softmax", name="mask")(back), name="unet")


def fcn() -> Any:
    """An image in, the best class per pixel out, enlarged bilinearly."""
    image = keras.Input((SIZE, SIZE, 3), name="image")
    small = kl.Conv2D(8, 3, strides=2, padding="same", activation="relu")(kl.Rescaling(1 / 255)(image))
    wide = kl.UpSampling2D(2, interpolation="bilinear", name="scores")(kl.Conv2D(4, 1)(small))
    return keras.Model(image, {"scores": wide, "best": keras.ops.argmax(wide, axis=-1)}, name="fcn")


#: Model -> how it is made.
MAKERS: dict[str, Callable[[], Any]] = {
    maker.__name__: maker for maker in (two_heads, tokens, frames, generator, unet, fcn)
}


def made(name: str) -> Any:
    """One of ``MAKERS``' models with weights that matter."""
    keras.utils.set_random_seed(0)
    return scrambled(MAKERS[name]())


def arrays(name: str, count: int = SAMPLES, seed: int = 0) -> Arrays | None:
    """Calibration arrays for a model; None for those that take an image."""
    random = np.random.default_rng(seed)
    light = random.uniform(0.1, 1, (count, 1, 1, 1))  # without it all noise would look alike
    if name == "two_heads":
        return {
            "photo": light * random.uniform(-1, 1, (count, SIZE, SIZE, 3)),
            "facts": random.normal(0, 2, (count, 5)),
        }
    if name == "frames":
        colours, grain = random.uniform(-1, 1, (count, 4, 1, 1, 3)), random.uniform(-0.3, 0.3, (count, 4, 8, 8, 3))
        return {"frames": colours + grain}
    if name == "tokens":
        return {"tokens": random.integers(0, 40, (count, 9))}
    return {"latent": random.uniform(-2, 2, (count, 12))} if name == "generator" else None
