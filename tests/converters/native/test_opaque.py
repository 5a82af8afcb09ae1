"""Reading models whose layers cannot be seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from edgevision.converters.files import read_model
from edgevision.converters.native.opaque import OpaqueModel, is_opaque
from edgevision.converters.source import load_source
from edgevision.runtime.errors import EdgevisionError, InputError, ModelError
from edgevision.runtime.preprocess import normalize
from tests.converters.models import SIZE, as_batch, pictures
from tests.converters.native.models import Hidden


def _read(model: Any, photos: Path, **options: Any) -> OpaqueModel:
    source = load_source(model, calibration=photos, **{"preprocess": "unit", **options})
    assert isinstance(source, OpaqueModel)
    return source


@pytest.mark.parametrize("kind", ["in memory", "graph"])
def test_what_is_known_of_it(kind: str, hidden: Any, graph: Path, photos: Path) -> None:
    source = _read(hidden if kind == "in memory" else graph, photos)
    assert (source.task, source.scores, source.classes) == ("classification", "logits", 4)
    assert source.scores_from == "its answers to 32 calibration images"
    assert ("subclassed" in source.reason) == (kind == "in memory")
    assert [(op.dtype, op.shape) for op in source.graph.inputs] == [("uint8", (SIZE, SIZE, 3))]
    assert source.preprocessing is not None
    images = pictures(5, seed=3)[0]
    expected = np.asarray(hidden(normalize(images, source.preprocessing)))
    np.testing.assert_allclose(source.answer(as_batch(images))["output"], expected, atol=1e-5)


def test_scores_that_are_given_count(hidden: Any, photos: Path) -> None:
    source = _read(hidden, photos, scores="sigmoid_logits")
    assert (source.scores, source.scores_from) == ("sigmoid_logits", "what was given")
    with pytest.raises(InputError, match=r"layers of plain say.*leave --scores out"):
        plain = keras.Sequential([keras.Input((SIZE, SIZE, 3)), kl.Flatten(), kl.Dense(4)], name="plain")
        load_source(plain, preprocess="unit", scores="logits")


def test_a_model_with_layers_inside_is_none_of_them(hidden: Any) -> None:
    image = keras.Input((SIZE, SIZE, 3))
    assert is_opaque(hidden) and is_opaque(Hidden())
    assert not is_opaque(keras.Model(image, hidden(image))) and not is_opaque(keras.Sequential([kl.Dense(2)]))


@pytest.mark.parametrize("kind", ["in memory", "graph"])
def test_missing_preprocessing(kind: str, hidden: Any, graph: Path, photos: Path) -> None:
    with pytest.raises(InputError, match=r"how pixels were prepared.*layers cannot be seen.*give --preprocess"):
        _read(hidden if kind == "in memory" else graph, photos, preprocess=None)


def test_an_open_size(photos: Path, tmp_path: Path) -> None:
    model = Hidden()
    model(keras.Input((None, None, 3)))
    model.export(str(tmp_path / "open"), verbose=False)
    for opened in (model, tmp_path / "open"):
        with pytest.raises(InputError, match=r"leaves its input size open.*give --input-size HxW"):
            _read(opened, photos)
        assert _read(opened, photos, input_size=(20, 24)).graph.input.shape == (20, 24, 3)
        with pytest.raises(InputError, match=r"cannot take images of 3x3.*another --input-size"):
            _read(opened, photos, input_size=(3, 3))


def _images_at_once(path: Path) -> Any:
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), kl.Flatten(), kl.Dense(4)])
    spec = [keras.InputSpec(shape=(2, SIZE, SIZE, 3), dtype="float32")]
    model.export(str(path), verbose=False, input_signature=spec)
    return path


def _without_signature(path: Path) -> Any:
    tf.saved_model.save(tf.Module(), str(path))
    return path


class _Two(keras.Model):  # type: ignore[misc]
    def call(self, inputs: Any) -> Any:
        mean = keras.ops.mean(inputs, axis=(1, 2))
        return mean, mean


class _Pixels(keras.Model):  # type: ignore[misc]
    def call(self, inputs: Any) -> Any:
        return inputs * 2.0


class _Nothing(keras.Model):  # type: ignore[misc]
    def call(self, inputs: Any) -> Any:
        return keras.ops.mean(inputs, axis=(1, 2)) / 0.0


def _called(model: Any, *shape: int) -> Any:
    model(np.zeros((1, *shape), np.float32))
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: Hidden(), r"does not say what it takes.*call it once with images"),
        (lambda path: _called(_Two(), 8, 8, 3), r"no classifier of one image.*2 outputs \(1, 3\), \(1, 3\)"),
        (lambda path: _called(_Pixels(), 8, 8, 3), r"1 outputs \(1, 8, 8, 3\).*keras\.Model\(inputs, outputs\)"),
        (lambda path: _called(_Pixels(), 9), r"an input float32 \(None, 9\)"),
        (lambda path: _called(_Nothing(), 8, 8, 3), r"answers what is no number"),
        (_images_at_once, r"takes 2 images at once"),
        (_without_signature, r"cannot be called.*no signature"),
    ],
)
def test_what_is_not_supported(make: Callable[[Path], Any], message: str, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(EdgevisionError, match=message) as caught:
        _read(make(tmp_path / "model"), photos)
    assert isinstance(caught.value, (ModelError, InputError)) and caught.value.problem


def test_a_graph_for_one_image_at_a_time(photos: Path, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), kl.Flatten(), kl.Dense(4, activation="softmax")])
    path = tmp_path / "one"
    spec = [keras.InputSpec(shape=(1, SIZE, SIZE, 3), dtype="float32")]
    model.export(str(path), verbose=False, input_signature=spec)
    source = _read(path, photos)
    assert source.scores == "probabilities"
    images = pictures(3, seed=3)[0]
    expected = np.asarray(model((images / 255).astype(np.float32)))
    np.testing.assert_allclose(source.answer(as_batch(images))["output"], expected, atol=1e-5)
    assert read_model(path).reason == source.reason
