from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from edgevision.runtime.errors import InputError
from edgevision.runtime.preprocess import normalize
from edgevision.runtime.spec import named_preprocessing
from edgevision.trainers.families import FAMILIES, named_family
from edgevision.trainers.families.applications import APPLICATIONS

MODULES = {
    "ResNet50": "resnet50",
    "ResNet50V2": "resnet_v2",
    "VGG16": "vgg16",
    "InceptionV3": "inception_v3",
    "InceptionResNetV2": "inception_resnet_v2",
    "Xception": "xception",
    "DenseNet121": "densenet",
    "MobileNet": "mobilenet",
    "MobileNetV2": "mobilenet_v2",
    "MobileNetV3Small": "mobilenet_v3",
    "EfficientNetB0": "efficientnet",
    "EfficientNetV2B0": "efficientnet_v2",
    "NASNetMobile": "nasnet",
    "ConvNeXtTiny": "convnext",
}


def test_every_one_is_in_keras() -> None:
    assert all(callable(getattr(keras.applications, item.function)) for item in APPLICATIONS)
    assert len({item.name for item in APPLICATIONS}) == len(APPLICATIONS) == 39
    assert all(FAMILIES[item.name].defaults["input_size"] == (item.size, item.size) for item in APPLICATIONS)


@pytest.mark.parametrize("function", MODULES)
def test_pixels_are_prepared_as_keras_does_it(function: str) -> None:
    (item,) = (item for item in APPLICATIONS if item.function == function)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 4, 5, 3), np.uint8)
    wanted = getattr(keras.applications, MODULES[function]).preprocess_input(pixels.astype(np.float32))
    p = named_preprocessing(item.preprocess, 4, 5)
    images = pixels[..., ::-1] if p.color == "bgr" else pixels
    assert np.allclose(normalize(images, p), wanted, atol=1e-4)


def test_a_new_head_on_a_narrow_network() -> None:
    family = named_family("mobilenet")
    built = family.build((40, 33, 3), ("a", "b", "c"), {"alpha": 0.25, "dropout": 0.0})
    assert built.model.output_shape == (None, 3) and built.scores == "logits"
    assert built.model.count_params() == 218_544 + (256 + 1) * 3


@pytest.mark.parametrize("name", ["mobilenet-v2", "efficientnet-b0"])
def test_statistics_follow_within_dozens_of_steps(name: str) -> None:
    family = named_family(name)
    layers = family.build((32, 32, 3), ("a", "b"), family.options).model.layers
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(norms) > 20 and max(norm.momentum for norm in norms) <= 0.95


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("xception", {}, "too small for xception: expected at least 71x71, got 64x80"),
        ("mobilenet-v2", {"alpha": float("nan")}, "mobilenet-v2 cannot be built"),
    ],
)
def test_what_cannot_be_built(name: str, options: dict[str, Any], message: str) -> None:
    family = named_family(name)
    with pytest.raises(InputError, match=message):
        family.build((64, 80, 3), ("a", "b"), {**family.options, **options})
