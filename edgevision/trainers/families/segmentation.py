"""Networks that name a class for every pixel. Each gives a map smaller than its input, which the runtime enlarges:
bilinear interpolation of probabilities costs less there than in the graph, and has no grid of 8 bits to lose by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgevision.runtime.heads.maps import SegmentationHead
from edgevision.trainers.engine import import_keras
from edgevision.trainers.families.family import Built, Family
from edgevision.trainers.families.units import check_divisible, conv_unit, separable_unit

#: Filters of U-Net's levels double up to so many times the first one's.
_WIDEST = 8
#: Steps of MobileNet's blocks and how many times the first block's filters they have, up to a stride of 16.
_BLOCKS = ((1, 2), (2, 4), (1, 4), (2, 8), (1, 8), (2, 16), (1, 16), (1, 16), (1, 16))


def unet(shape: tuple[int, ...], labels: tuple[str, ...], options: Mapping[str, Any]) -> Built:
    """An encoder and a decoder that meet on every level (Ronneberger et al. 2015).

    Nearest neighbours and a convolution take the place of transposed convolutions, which integer kernels do not know in
    all formats. With ``stride`` 2 the first convolution halves the image and the last level is left to the head.

    Args:
        shape: (H, W, C), both sides multiples of ``stride * 2 ** (levels - 1)``.
        labels: Class names.
        options: ``width``, ``levels``, ``stride``, ``dropout``.

    Raises:
        InputError: The input does not suit it.
    """
    levels, stride = max(1, options["levels"]), 2 if options["stride"] > 1 else 1
    check_divisible("unet", shape, stride * 2 ** (levels - 1))
    keras = import_keras()
    layers = keras.layers
    image = tensor = keras.Input(shape, name="image")
    kept: list[Any] = []
    for level in range(levels):
        filters = options["width"] * min(2**level, _WIDEST)
        if level:
            tensor = layers.MaxPooling2D()(tensor)
        tensor = conv_unit(tensor, filters, strides=1 if level else stride)
        tensor = conv_unit(tensor, filters)
        kept.append(tensor)
    tensor = layers.Dropout(options["dropout"])(kept.pop())
    for skip in reversed(kept):
        filters = int(skip.shape[-1])
        tensor = layers.UpSampling2D()(conv_unit(tensor, filters, 1))
        tensor = conv_unit(layers.Concatenate()([tensor, skip]), filters)
    return _ended(image, tensor, labels, "unet")


def fcn(shape: tuple[int, ...], labels: tuple[str, ...], options: Mapping[str, Any]) -> Built:
    """Class scores at strides 32, 16 and 8, summed as in FCN-8s (Long et al. 2015), on five stages of convolutions.

    Args:
        shape: (H, W, C), both sides multiples of 32.
        labels: Class names.
        options: ``width``, ``dropout``.

    Raises:
        InputError: The input does not suit it.
    """
    check_divisible("fcn", shape, 32)
    keras = import_keras()
    layers = keras.layers
    image = tensor = keras.Input(shape, name="image")
    stages = []
    for stage in range(5):
        filters = options["width"] * min(2**stage, _WIDEST)
        tensor = conv_unit(layers.MaxPooling2D()(tensor) if stage else tensor, filters, strides=1 if stage else 2)
        tensor = conv_unit(tensor, filters)
        stages.append(tensor)
    scores = None
    for stage in (4, 3, 2):
        own = layers.Conv2D(len(labels), 1)(layers.Dropout(options["dropout"])(stages[stage]))
        scores = own if scores is None else layers.Add()([layers.UpSampling2D(interpolation="bilinear")(scores), own])
    return _named(keras.Model(image, scores, name="fcn"))


def deeplab_mobilenet(shape: tuple[int, ...], labels: tuple[str, ...], options: Mapping[str, Any]) -> Built:
    """DeepLabV3+ (Chen et al. 2018) on depthwise separable convolutions (MobileNet, Howard et al. 2017).

    Atrous spatial pyramid pooling at a stride of 16: a 1x1 convolution, three dilated ones and the whole image's mean,
    side by side; then enlarged and joined with the features at a stride of 4, where the map comes out.

    Args:
        shape: (H, W, C), both sides multiples of 16.
        labels: Class names.
        options: ``width``, ``pyramid`` (filters of each branch), ``rates`` (dilations), ``dropout``.

    Raises:
        InputError: The input does not suit it.
    """
    check_divisible("deeplab-mobilenet", shape, 16)
    keras = import_keras()
    layers = keras.layers
    image = keras.Input(shape, name="image")
    tensor = fine = conv_unit(image, options["width"], strides=2)
    for strides, times in _BLOCKS:
        tensor = separable_unit(tensor, options["width"] * times, strides)
        fine = tensor if tensor.shape[1] * 4 == shape[0] else fine
    filters, (rows, columns) = options["pyramid"], tensor.shape[1:3]
    branches = [conv_unit(tensor, filters, 1)]
    branches += [separable_unit(tensor, filters, dilation=int(rate)) for rate in options["rates"]]
    mean = conv_unit(layers.GlobalAveragePooling2D(keepdims=True)(tensor), filters, 1)
    branches.append(layers.UpSampling2D((rows, columns))(mean))
    tensor = layers.Dropout(options["dropout"])(conv_unit(layers.Concatenate()(branches), filters, 1))
    tensor = layers.UpSampling2D(4, interpolation="bilinear")(tensor)
    tensor = layers.Concatenate()([tensor, conv_unit(fine, max(1, filters // 4), 1)])
    return _ended(image, separable_unit(separable_unit(tensor, filters), filters), labels, "deeplab_mobilenet")


def _ended(image: Any, tensor: Any, labels: tuple[str, ...], name: str) -> Built:
    keras = import_keras()
    return _named(keras.Model(image, keras.layers.Conv2D(len(labels), 1)(tensor), name=name))


def _named(model: Any) -> Built:
    return Built(model, SegmentationHead(scores="logits", upsample="bilinear"))


_COMMON: dict[str, Any] = {
    "input_size": (192, 256),
    "batch_size": 4,
    "epochs": 40,
    "optimizer": "adamw",
    "learning_rate": 1.5e-3,
    "weight_decay": 1e-4,
    "gradient_clip": 1.0,
    "warmup": 1.0,
    "class_balance": 0.5,
    "augment": ("flip", "crop=0.5", "brightness=0.2", "contrast=0.2", "color=0.2"),
}

FAMILIES = (
    Family(
        "unet",
        "segmentation",
        "Fine outlines from few images; the default",
        unet,
        _COMMON,
        {"width": 24, "levels": 5, "stride": 2, "dropout": 0.2},
    ),
    Family(
        "fcn",
        "segmentation",
        "Plain convolutions and a coarse map: large regions, no fine outlines",
        fcn,
        _COMMON,
        {"width": 24, "dropout": 0.2},
    ),
    Family(
        "deeplab-mobilenet",
        "segmentation",
        "Wide view at few multiply-accumulates: made for small processors",
        deeplab_mobilenet,
        _COMMON,
        {"width": 16, "pyramid": 128, "rates": [2, 4, 6], "dropout": 0.2},
    ),
)
