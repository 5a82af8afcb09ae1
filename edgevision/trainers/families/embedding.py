"""Networks that give a vector. Its length means nothing: whoever compares vectors divides it out, in float, so that
no root and no division has to be done in 8 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgevision.runtime.heads.embedding import EmbeddingHead
from edgevision.trainers.engine import import_keras
from edgevision.trainers.families.family import Built, Family
from edgevision.trainers.families.units import conv_unit, normalized, shortcut


def face_net(shape: tuple[int, ...], labels: tuple[str, ...], options: Mapping[str, Any]) -> Built:
    """Residual blocks at four strides, then a weight per cell and channel, and a vector.

    Aligned faces have their eyes and mouths at places of their own: a depthwise kernel as large as the map keeps
    apart what a mean would mix (Chen et al. 2018, MobileFaceNets).

    Args:
        shape: (H, W, C).
        labels: None; people are no classes.
        options: ``width`` (filters of the first block), ``dimensions`` (of the vector), ``dropout``.
    """
    keras = import_keras()
    layers, width = keras.layers, options["width"]
    image = keras.Input(shape, name="image")
    tensor = conv_unit(image, width, strides=2)
    for times in (1, 2, 4):
        tensor = _block(tensor, width * times, 1 if times == 1 else 2)
    rows, columns = tensor.shape[1:3]
    tensor = normalized(layers.DepthwiseConv2D((rows, columns), use_bias=False)(tensor))
    tensor = layers.Dropout(options["dropout"])(layers.Flatten()(tensor))
    # These two take up the whitening (``whitening.fold``).
    vector = normalized(layers.Dense(options["dimensions"], use_bias=False)(tensor))
    return Built(keras.Model(image, vector, name="face_net"), EmbeddingHead())


def _block(tensor: Any, filters: int, strides: int) -> Any:
    """Two convolutions and a way around them (He et al. 2016)."""
    layers = import_keras().layers
    way = shortcut(tensor, filters, strides)
    # Made before the convolution that it follows: in the order in which seeds give first weights.
    last = layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal")
    tensor = normalized(last(conv_unit(tensor, filters, strides=strides)))
    return layers.ReLU()(layers.Add()([tensor, way]))


FAMILIES = (
    Family(
        "face-net",
        "embedding",
        "Faces that were cut out: are two the same person, and who is it",
        face_net,
        {
            "input_size": (64, 56),
            "batch_size": 16,
            "epochs": 120,
            "optimizer": "adamw",
            "learning_rate": 2e-3,
            "weight_decay": 5e-4,
            "warmup": 2.0,
            "augment": (
                *("flip", "shift=0.06", "rotate=8", "zoom=0.1"),
                *("brightness=0.3", "contrast=0.3", "noise=0.03", "cutout=0.25"),
            ),
        },
        {"width": 24, "dimensions": 128, "dropout": 0.2},
        channels=1,
    ),
)
