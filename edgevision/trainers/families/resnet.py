"""Residual networks for small images (He et al. 2016, "Deep Residual Learning for Image Recognition", section 4.2)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from edgevision.trainers.engine import import_keras
from edgevision.trainers.families.family import Built, Family
from edgevision.trainers.families.units import conv_unit, linear_unit, shortcut


def build(
    shape: tuple[int, ...], labels: tuple[str, ...], options: Mapping[str, Any], *, blocks: int, early: bool
) -> Built:
    """The untrained network: float32 (batch, height, width, channels) in, (batch, classes) logits out.

    Shortcuts that change the shape are 1x1 convolutions (the paper's option B).

    Args:
        shape: Of the input.
        labels: Class names.
        options: "width": filters of the first stage; the second and third have twice and four times as many.
        blocks: Residual blocks of each of the three stages.
        early: Whether the first stage halves the size, too, after a stem of half its filters.
    """
    keras, width = import_keras(), options["width"]
    image = keras.Input(shape, name="image")
    x = conv_unit(image, max(1, width // 2) if early else width)
    for stage in range(3):
        for block in range(blocks):
            strides = 2 if block == 0 and (stage > 0 or early) else 1
            x = _residual(x, width << stage, strides)
    x = keras.layers.GlobalAveragePooling2D()(x)
    outputs = keras.layers.Dense(len(labels), name="logits")(x)
    return Built(keras.Model(image, outputs), scores="logits")


def _residual(x: Any, filters: int, strides: int) -> Any:
    layers = import_keras().layers
    y = linear_unit(conv_unit(x, filters, strides=strides), filters)
    return layers.ReLU()(layers.Add()([shortcut(x, filters, strides), y]))


def _family(name: str, summary: str, width: int, blocks: int, early: bool = False, **defaults: Any) -> Family:
    common = {
        "input_size": (32, 32),
        "batch_size": 128,
        "epochs": 40,
        "optimizer": "momentum",
        "learning_rate": 0.1,
        "weight_decay": 5e-4,
        "warmup": 2.0,
        "label_smoothing": 0.1,
        "augment": ("flip", "shift=0.125"),
    }
    make = functools.partial(build, blocks=blocks, early=early)
    return Family(name, "classification", summary, make, {**common, **defaults}, {"width": width})


FAMILIES = (
    _family("resnet-8", "Residual, 79 thousand parameters: small images on small processors", 16, 1),
    _family("resnet-20", "Residual, 274 thousand parameters: small images", 16, 3),
    _family("resnet-quick", "Residual, halves the image at once: most accuracy for minutes of training", 32, 1, True),
)
