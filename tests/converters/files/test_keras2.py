"""Models of Keras 2 compute the same after they were read as Keras 3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevision.converters.files import read_model
from tests.converters.files import makers


def _cases() -> Iterator[Any]:
    for make in (makers.mobile, makers.plain, makers.branched, makers.recurrent, makers.called):
        for suffix in (".h5", ".keras", ""):
            # Saving recurrent layers as a SavedModel traces them for many seconds.
            marks = [pytest.mark.slow] if make is makers.recurrent and not suffix else []
            yield pytest.param(make, suffix, marks=marks, id=f"{make.__name__}{suffix}")


@pytest.mark.parametrize(("make", "suffix"), list(_cases()))
def test_every_format_keeps_the_outputs(make: Callable[[], Any], suffix: str, tmp_path: Path) -> None:
    import keras

    old = make()
    model = read_model(makers.save(old, tmp_path / f"old{suffix}"))
    assert isinstance(model, keras.Model)
    assert not any("tf_keras" in type(layer).__module__ for layer in model.layers)
    np.testing.assert_allclose(makers.answers(model), makers.answers(old), rtol=1e-4, atol=1e-5)


def test_layers_are_keras_own_and_not_subclasses(tmp_path: Path) -> None:
    import keras

    model = read_model(makers.save(makers.mobile(), tmp_path / "old.h5"))
    assert all(type(layer) is getattr(keras.layers, type(layer).__name__) for layer in model.layers)


def test_open_sizes_stay_open(tmp_path: Path) -> None:
    tfk = makers.keras2()
    layers = tfk.layers
    old = tfk.Sequential([layers.Conv2D(2, 3, input_shape=(None, None, 3)), layers.GlobalMaxPooling2D()])
    for name in ("old.h5", "old"):
        assert read_model(makers.save(old, tmp_path / name)).input_shape == (None, None, None, 3)


def test_normalisation_with_the_count_that_keras_2_kept(tmp_path: Path) -> None:
    tfk = makers.keras2()
    old = tfk.Sequential([tfk.layers.Input((8, 8, 3)), tfk.layers.Normalization(), tfk.layers.Flatten()])
    old.layers[0].adapt(np.random.default_rng(0).uniform(0, 9, (8, 8, 8, 3)))
    for name in ("old.h5", "old.keras", "old"):
        model = read_model(makers.save(old, tmp_path / name))
        np.testing.assert_allclose(makers.answers(model), makers.answers(old), rtol=1e-4, atol=1e-5)


def test_a_suffix_that_says_something_else_does_not_matter(tmp_path: Path) -> None:
    path = makers.save(makers.plain(), tmp_path / "old.h5").rename(tmp_path / "model.bin")
    assert read_model(path).output_shape == (None, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MobileNet", "MobileNetV3Small", "EfficientNetB0", "DenseNet121", "NASNetMobile"])
def test_keras_2_applications(name: str, tmp_path: Path) -> None:
    tfk = makers.keras2()
    build = getattr(tfk.applications, name)
    old = makers.shaken(build(weights=None, classes=10, classifier_activation=None))
    model = read_model(makers.save(old, tmp_path / "old.h5"))
    before, after = makers.answers(old, 1), makers.answers(model, 1)
    assert np.isfinite(before).all()
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-3 * float(np.abs(before).max()))
