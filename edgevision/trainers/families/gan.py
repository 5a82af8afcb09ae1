"""Generative adversarial networks for small images (Goodfellow et al. 2014), convolutional (Radford et al. 2016)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from edgevision.runtime.errors import InputError
from edgevision.runtime.heads.maps import ImageHead
from edgevision.trainers.engine import import_keras
from edgevision.trainers.families.family import Built, Family
from edgevision.trainers.families.units import SLOW, rectified

#: Sides of the map that the latent becomes, at most; it is doubled until it has the image's size.
_FIRST = 8
_UPSAMPLING = ("transposed", "resize")


def build(
    shape: tuple[int, ...], labels: tuple[str, ...], options: Mapping[str, Any], *, conditional: bool = False
) -> Built:
    """The generator, float32 "latent" (batch, latent) to an image -1..1, and the critic it is trained against.

    Both of a conditional one have the class as a second input "label", float32 (batch, classes), 1 at the class.

    Raises:
        InputError: The size or an option is not usable.
    """
    if options["upsample"] not in _UPSAMPLING:
        expected = " or ".join(_UPSAMPLING)
        raise InputError("option upsample is not usable", expected=expected, got=repr(options["upsample"]))
    classes = len(labels) if conditional else 0
    head = ImageHead(color="gray" if shape[-1] == 1 else "rgb")
    return Built(_generator(shape, classes, options), head, rival=_critic(shape, classes, options["width"]))


def doublings(height: int, width: int) -> int:
    """How often the first map is doubled.

    Raises:
        InputError: It cannot become an image of that size.
    """
    count = 0
    while max(height, width) > _FIRST and height % 2 == width % 2 == 0:
        height, width, count = height // 2, width // 2, count + 1
    if not count or max(height, width) > _FIRST:
        got, expected = f"{height << count}x{width << count}", f"sides of up to {_FIRST} times the same power of two"
        raise InputError("the images' size is not usable", expected=expected, got=got, cure="such as 28x28 or 64x64")
    return count


def _generator(shape: tuple[int, ...], classes: int, options: Mapping[str, Any]) -> Any:
    keras = import_keras()
    layers, (height, width, channels) = keras.layers, shape
    count = doublings(height, width)
    inputs = [keras.Input((options["latent"],), name="latent")]
    inputs += [keras.Input((classes,), name="label")] if classes else []
    x = layers.Concatenate()(inputs) if classes else inputs[0]
    first, filters = (height >> count, width >> count), options["width"] << count
    x = layers.Dense(first[0] * first[1] * filters, use_bias=False)(x)
    x = rectified(layers.Reshape((*first, filters))(x), momentum=SLOW)
    for _ in range(count):
        filters //= 2
        if options["upsample"] == "resize":  # what integer kernels of every engine know
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(layers.UpSampling2D()(x))
        else:
            x = layers.Conv2DTranspose(filters, 4, 2, padding="same", use_bias=False)(x)
        x = rectified(x, momentum=SLOW)
    image = layers.Conv2D(channels, 3, padding="same", activation="tanh", name="image")(x)
    return keras.Model(inputs if classes else inputs[0], image, name="generator")


def _critic(shape: tuple[int, ...], classes: int, width: int) -> Any:
    """Logits of being real, (batch, 1)."""
    keras = import_keras()
    layers = keras.layers
    inputs = [keras.Input(shape, name="image")]
    x = inputs[0]
    if classes:
        inputs.append(keras.Input((classes,), name="label"))
        plane = layers.Reshape((*shape[:2], 1))(layers.Dense(shape[0] * shape[1])(inputs[1]))
        x = layers.Concatenate()([x, plane])
    for filters in (width, 2 * width):
        x = layers.LeakyReLU(0.2)(layers.Conv2D(filters, 4, 2, padding="same")(x))
        x = layers.Dropout(0.3)(x)
    return keras.Model(inputs if classes else inputs[0], layers.Dense(1)(layers.Flatten()(x)), name="critic")


def _family(name: str, summary: str, conditional: bool) -> Family:
    defaults = {"input_size": (32, 32), "batch_size": 64, "epochs": 30, "learning_rate": 2e-4, "schedule": "constant"}
    options = {"latent": 100, "width": 64, "upsample": "transposed"}
    build_it = functools.partial(build, conditional=conditional)
    return Family(name, "generation", summary, build_it, defaults, options, channels=0)


FAMILIES = (
    _family("dcgan", "Small images out of random numbers", False),
    _family("dcgan-conditional", "Small images of a class that is asked for", True),
)
