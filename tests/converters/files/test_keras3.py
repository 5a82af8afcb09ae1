"""Files of Keras 3, and directories."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevision.converters.files import content_hash, read_model
from edgevision.converters.files.saved_model import SavedGraph
from edgevision.converters.native.source import network_of
from tests.converters.files import makers


def _network() -> Any:
    import keras

    layers = keras.layers
    source = keras.Input((8, 8, 3))
    inner = keras.Sequential([layers.Conv2D(3, 3, padding="same"), layers.BatchNormalization()])
    x = layers.ReLU()(inner(layers.Rescaling(1 / 255)(source)))
    x = keras.ops.mean(x + inner(source), axis=(1, 2))
    model = keras.Model(source, layers.Dense(2, kernel_regularizer="l2", activation=keras.activations.silu)(x))
    model.compile("sgd", "mse")
    return makers.shaken(model)


@pytest.mark.parametrize("name", ["new.keras", "new.h5"])
def test_outputs_stay(name: str, tmp_path: Path) -> None:
    new = _network()
    model = read_model(makers.save(new, tmp_path / name))
    np.testing.assert_allclose(makers.answers(model), makers.answers(new), rtol=1e-5, atol=1e-6)


def test_a_compressed_and_an_unpacked_file(tmp_path: Path) -> None:
    new = _network()
    path = makers.save(new, tmp_path / "new.keras")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "zip.keras", "w", zipfile.ZIP_DEFLATED) as file:
        old.extractall(tmp_path / "folder")
        for entry in old.namelist():
            file.writestr(entry, old.read(entry))
    for other in (tmp_path / "zip.keras", tmp_path / "folder"):
        np.testing.assert_allclose(makers.answers(read_model(other)), makers.answers(new), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MobileNetV2", "ConvNeXtTiny", "EfficientNetV2B0", "InceptionResNetV2"])
def test_applications(name: str, tmp_path: Path) -> None:
    import keras

    new = makers.shaken(getattr(keras.applications, name)(weights=None, classes=10, classifier_activation=None))
    before = makers.answers(new, 1)
    for path in (tmp_path / "new.keras", tmp_path / "new.h5"):
        after = makers.answers(read_model(makers.save(new, path)), 1)
        np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4 * float(np.abs(before).max()))


def test_the_hash_of_a_directory_is_of_names_and_contents(tmp_path: Path) -> None:
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_bytes(content)
    (tmp_path / "b" / "x").rename(tmp_path / "b" / "y")
    hashes = [content_hash(tmp_path / name) for name in "abc"]
    assert len(set(hashes)) == 3
    assert hashes[0] == content_hash(tmp_path / "a")


def test_an_exported_graph_is_called_without_its_layers(tmp_path: Path) -> None:
    model, values = _network(), np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)
    model.export(str(tmp_path / "graph"), verbose=False)
    found = read_model(tmp_path / "graph")
    assert isinstance(found, SavedGraph) and found.reason == "a TensorFlow graph without Keras layers"
    (answer,) = network_of(found, "graph").call(values)
    np.testing.assert_allclose(np.asarray(answer), np.asarray(model(values)), rtol=1e-4)


def test_a_subclassed_saved_model_is_called_without_its_layers(tmp_path: Path) -> None:
    tfk = makers.keras2()

    class Mine(tfk.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.dense = tfk.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    model, values = Mine(), np.ones((1, 3), np.float32)
    expected = np.asarray(model(values))
    found = read_model(makers.save(model, tmp_path / "mine"))
    assert isinstance(found, SavedGraph) and found.reason == "subclassed model Mine: its layers cannot be seen"
    (answer,) = network_of(found, "mine").call(values)
    np.testing.assert_allclose(np.asarray(answer), expected, rtol=1e-5)
