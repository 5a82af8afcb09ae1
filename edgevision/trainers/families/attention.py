"""Classifiers with self-attention, small enough for small images and made of what int8 kernels know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgevision.runtime.errors import InputError
from edgevision.trainers.engine import import_keras
from edgevision.trainers.families.family import Built, Family
from edgevision.trainers.families.units import conv_unit, normalized


def build_transformer(shape: tuple[int, ...], labels: tuple[str, ...], options: Mapping[str, Any]) -> Built:
    """A vision transformer (Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words"), in small.

    float32 (batch, height, width, channels) in, (batch, classes) logits out. One convolution comes before the patches
    (Xiao et al. 2021, "Early Convolutions Help Transformers See Better"), and a depthwise one with zeros around its
    edge tells where a patch lies (Chu et al. 2021, "Conditional Positional Encodings for Vision Transformers"): so any
    size will do, and there is no table of positions whose range would share a grid with the patches. The classes are
    read from the mean over patches.

    Args:
        shape: Of the input.
        labels: Class names.
        options: "patch": pixels a side; "width": features of a patch; "heads" and "blocks".

    Raises:
        InputError: The width is not a multiple of the heads, or the image is smaller than a patch.
    """
    layers, width = import_keras().layers, _checked_width("vit-small", options)
    _check_patches(shape, options["patch"])
    image = import_keras().Input(shape, name="image")
    x = conv_unit(image, width // 2)
    x = layers.Conv2D(width, options["patch"], options["patch"])(x)
    x = layers.Add()([x, layers.DepthwiseConv2D(3, padding="same")(x)])
    x = layers.Reshape((x.shape[1] * x.shape[2], width))(x)
    for _ in range(options["blocks"]):
        x = _encoder(x, width, options["heads"])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-6)(x))
    return Built(import_keras().Model(image, layers.Dense(len(labels), name="logits")(x)), scores="logits")


def build_attention(shape: tuple[int, ...], labels: tuple[str, ...], options: Mapping[str, Any]) -> Built:
    """Convolutions to an eighth of the size, self-attention between the places left, their mean, the classes.

    float32 (batch, height, width, channels) in, (batch, classes) logits out. Attention is residual and normalised
    by batch, which folds into its weights (Wang et al. 2018, "Non-local Neural Networks").

    Args:
        shape: Of the input.
        labels: Class names.
        options: "width": features of a place; "heads" of the attention.

    Raises:
        InputError: The width is not a multiple of the heads, or the image is too small.
    """
    layers, width = import_keras().layers, _checked_width("attention-cnn", options)
    _check_patches(shape, 4)
    image = import_keras().Input(shape, name="image")
    x = layers.MaxPooling2D()(conv_unit(image, max(1, width // 4)))
    x = layers.MaxPooling2D()(conv_unit(x, max(1, width // 2)))
    x = conv_unit(x, width)
    x = layers.Reshape((x.shape[1] * x.shape[2], width))(x)
    attended = layers.MultiHeadAttention(options["heads"], width // options["heads"])(x, x)
    x = layers.Add()([x, normalized(attended)])
    x = layers.Dense(width, activation="relu", kernel_initializer="he_normal")(x)
    x = layers.GlobalAveragePooling1D()(x)
    return Built(import_keras().Model(image, layers.Dense(len(labels), name="logits")(x)), scores="logits")


def _encoder(x: Any, width: int, heads: int) -> Any:
    layers = import_keras().layers
    y = layers.LayerNormalization(epsilon=1e-6)(x)
    x = layers.Add()([x, layers.MultiHeadAttention(heads, width // heads)(y, y)])
    y = layers.LayerNormalization(epsilon=1e-6)(x)
    y = layers.Dense(width)(layers.Dense(2 * width, activation="gelu")(y))
    return layers.Add()([x, y])


def _checked_width(name: str, options: Mapping[str, Any]) -> int:
    width, heads = int(options["width"]), int(options["heads"])
    if heads < 1 or width < heads or width % heads:
        raise InputError(
            f"the heads of {name} are not usable", expected=f"a divisor of its width {width}", got=str(heads)
        )
    return width


def _check_patches(shape: tuple[int, ...], patch: int) -> None:
    if not 1 <= patch <= min(shape[:2]):
        got = f"{shape[0]}x{shape[1]}"
        raise InputError("the input is too small for its patches", expected=f"at least {patch}x{patch}", got=got)


_DEFAULTS: dict[str, Any] = {
    "input_size": (32, 32),
    "batch_size": 128,
    "epochs": 40,
    "optimizer": "adamw",
    "learning_rate": 2e-3,
    "weight_decay": 0.02,
    "warmup": 2.0,
    "label_smoothing": 0.1,
    "augment": ("flip", "shift=0.125"),
}
FAMILIES = (
    Family(
        "vit-small",
        "classification",
        "A small vision transformer: small images",
        build_transformer,
        _DEFAULTS,
        {"patch": 4, "width": 96, "heads": 4, "blocks": 4},
    ),
    Family(
        "attention-cnn",
        "classification",
        "Convolutions, then self-attention between places: small images",
        build_attention,
        _DEFAULTS,
        {"width": 96, "heads": 4},
    ),
)
