from __future__ import annotations

import dataclasses
import hashlib
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

from edgevision.converters.metadata import read_metadata, write_metadata
from edgevision.converters.quantize.build import build_model
from edgevision.converters.source import SourceModel, load_source
from edgevision.runtime.errors import EdgevisionError, InputError, MissingPackageError, ModelError
from edgevision.runtime.manifest import to_plain
from edgevision.runtime.preprocess import normalize
from edgevision.runtime.spec import NORMALIZATIONS, Preprocessing, named_preprocessing
from tests.converters.models import CLASSES, SIZE, folded, pictures, scrambled, sequential


def tiny(*layers: Any, shape: tuple[int | None, int | None, int] = (SIZE, SIZE, 3)) -> Any:
    return sequential(*layers, kl.GlobalAveragePooling2D(), kl.Dense(4), shape=shape)


# -- files ---------------------------------------------------------------------------------------------------------


def test_a_file_with_metadata_says_everything(keras_file: Path) -> None:
    source = load_source(keras_file)
    assert source.name == "plain.keras" and source.labels == CLASSES and source.classes == 4
    assert source.sha256 == hashlib.sha256(keras_file.read_bytes()).hexdigest()
    assert source.preprocessing == named_preprocessing("unit", SIZE, SIZE) and source.scores == "logits"
    pixels, _ = pictures(5)
    expected = np.asarray(source.model(normalize(pixels, prepared(source))))
    np.testing.assert_allclose(np.asarray(build_model(source.graph)(pixels.astype(np.float32))), expected, atol=1e-4)


def test_metadata_travels_in_the_file_and_back(keras_file: Path, tmp_path: Path) -> None:
    """Every field of a preprocessing, the labels in any script, and what nobody here knows."""
    path = tmp_path / "m.keras"
    shutil.copy(keras_file, path)
    preprocessing = dataclasses.replace(
        named_preprocessing("torch", SIZE, SIZE, resize="letterbox", interpolation="lanczos", antialias=False), fill=114
    )
    labels = ["кот", "犬", 'quote " and \\', "naïve café"]
    metadata = {"labels": labels, "preprocessing": to_plain(preprocessing), "task": "classification", "more": [1, None]}
    write_metadata(path, metadata)
    assert read_metadata(path) == metadata
    source = load_source(path)
    assert source.preprocessing == preprocessing and source.labels == tuple(labels)
    assert load_source(path, resize="crop", interpolation="nearest").preprocessing == preprocessing


def test_a_file_of_another_trainer(keras_file: Path, tmp_path: Path) -> None:
    for name in ("other.keras", "other.h5"):
        path = tmp_path / name
        model = keras.models.load_model(keras_file)
        model.save(path)
        source = load_source(path, preprocess="unit", resize="crop", interpolation="bicubic", antialias=False)
        assert source.labels is None
        assert source.preprocessing == named_preprocessing(
            "unit", SIZE, SIZE, resize="crop", interpolation="bicubic", antialias=False
        )


def test_a_model_in_memory_has_a_name_and_no_hash(bare_model: Any) -> None:
    source = load_source(bare_model, preprocess="unit")
    assert (source.name, source.sha256, source.labels) == ("plain", "", None)


def nothing(path: Path, good: bytes) -> None:
    pass


def folder(path: Path, good: bytes) -> None:
    path.mkdir()


def empty(path: Path, good: bytes) -> None:
    path.write_bytes(b"")


def truncated(path: Path, good: bytes) -> None:
    path.write_bytes(good[: len(good) // 2])


def text(path: Path, good: bytes) -> None:
    path.write_text("not a model")


def other_zip(path: Path, good: bytes) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("photo.jpg", b"123")


def broken_config(path: Path, good: bytes) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", b"{")


@pytest.mark.parametrize("spoil", [nothing, folder, empty, truncated, text, other_zip, broken_config])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_unreadable_models(spoil: Callable[[Path, bytes], None], suffix: str, keras_file: Path, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    spoil(path, keras_file.read_bytes())
    with pytest.raises(ModelError) as caught:
        load_source(path)
    assert str(path) in str(caught.value) and caught.value.got and caught.value.cure
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.parametrize("name", ["model.onnx", "model.pt", "model"])
def test_files_of_other_kinds(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"123")
    with pytest.raises(ModelError, match=r"expected a \.keras or \.h5 file"):
        load_source(tmp_path / name)


def test_damaged_metadata_is_named(keras_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    for metadata, message in (
        ({"preprocessing": {"height": 1}}, "preprocessing stored with the model is damaged"),
        ({"preprocessing": to_plain(named_preprocessing("unit", 8, SIZE))}, "does not fit its input"),
        ({"preprocessing": 5}, "preprocessing stored with the model is damaged"),
        ({"preprocessing": to_plain(named_preprocessing("unit", SIZE, SIZE)), "labels": 5}, "labels"),
        ({"preprocessing": to_plain(named_preprocessing("unit", SIZE, SIZE)), "labels": "abcd"}, "labels"),
        ({"preprocessing": to_plain(named_preprocessing("unit", SIZE, SIZE)), "labels": [1, 2, 3, 4]}, "labels"),
    ):
        shutil.copy(keras_file, path)
        write_metadata(path, metadata)
        with pytest.raises(ModelError, match=message):
            load_source(path)


def test_without_keras_the_cure_is_named(keras_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'edgevision\[convert\]'"):
        load_source(keras_file)


# -- what is no image classifier -----------------------------------------------------------------------------------


def two_inputs() -> Any:
    one, two = keras.Input((SIZE, SIZE, 3)), keras.Input((SIZE, SIZE, 3))
    return keras.Model([one, two], kl.GlobalAveragePooling2D()(kl.Add()([one, two])))


def two_outputs() -> Any:
    image = keras.Input((SIZE, SIZE, 3))
    return keras.Model(image, [kl.Flatten()(image), kl.GlobalAveragePooling2D()(image)])


class Subclassed(keras.Model):  # type: ignore[misc]
    def call(self, inputs: Any) -> Any:
        return inputs


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Subclassed, "does not say what it takes: expected an input"),
        (lambda: ["no", "model"], "0 inputs and 0 outputs"),
        (lambda: sequential(kl.Rescaling(0.1), kl.Flatten(), kl.Dense(2, activation="tanh")), "ends in tanh"),
    ],
)
def test_models_that_cannot_be_converted(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load_source(make())


@pytest.mark.parametrize(
    ("make", "inputs", "outputs"),
    [
        (two_inputs, [("float32", (SIZE, SIZE, 3))] * 2, 1),
        (two_outputs, [("uint8", (SIZE, SIZE, 3))], 2),
        (lambda: keras.Sequential([keras.Input((9,)), kl.Dense(2)]), [("float32", (9,))], 1),
        (lambda: keras.Sequential([keras.Input((SIZE, SIZE, 4)), kl.Flatten()]), [("float32", (SIZE, SIZE, 4))], 1),
        (lambda: keras.Sequential([keras.Input((SIZE, SIZE, 3)), kl.Conv2D(2, 3)]), [("uint8", (SIZE, SIZE, 3))], 1),
    ],
)
def test_what_is_no_image_classifier_is_named_arrays(
    make: Callable[[], Any], inputs: list[tuple[str, tuple[int, ...]]], outputs: int
) -> None:
    """A single image stays raw pixels, whatever comes out; anything else is in the model's own units."""
    is_image = inputs[0][0] == "uint8"
    source = load_source(make(), preprocess="unit" if is_image else None)
    assert (source.task, source.scores, source.preprocessing is not None) == ("tensors", None, is_image)
    assert [(op.dtype, op.shape) for op in source.graph.inputs] == inputs and len(source.graph.outputs) == outputs


def test_options_for_images_are_refused_where_there_are_none() -> None:
    model = keras.Sequential([keras.Input((9,)), kl.Dense(2)])
    with pytest.raises(InputError, match="--preprocess is for images"):
        load_source(model, preprocess="unit")
    with pytest.raises(InputError, match="--input-size is for images"):
        load_source(model, input_size=(3, 3))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers(value: float) -> None:
    """What a training that diverged leaves behind."""
    model = tiny(kl.Rescaling(1 / 255), kl.Conv2D(4, 3, name="burst"))
    kernel, bias = model.layers[1].get_weights()
    kernel[0, 0, 0, 0] = value
    model.layers[1].set_weights([kernel, bias])
    with pytest.raises(ModelError, match=r"'burst'.* no numbers"):
        load_source(model)


# -- preprocessing -------------------------------------------------------------------------------------------------


def test_preprocessing_that_nobody_told_is_never_guessed(bare_model: Any) -> None:
    with pytest.raises(InputError, match="not known: expected a convention; give --preprocess raw") as caught:
        load_source(bare_model)
    assert all(name in caught.value.cure for name in NORMALIZATIONS)


def test_an_unknown_convention_lists_the_known(bare_model: Any) -> None:
    with pytest.raises(InputError, match="raw or unit or tf or torch or caffe, got 'imagenet'"):
        load_source(bare_model, preprocess="imagenet")


def prepared(source: SourceModel) -> Preprocessing:
    assert source.preprocessing is not None
    return source.preprocessing


INSIDE = {
    "Rescaling": lambda: kl.Rescaling(1 / 255, name="inside"),
    "Normalization": lambda: kl.Normalization(mean=[120.0, 110, 100], variance=[3000.0] * 3, name="inside"),
}


@pytest.mark.parametrize("kind", INSIDE)
def test_a_normalisation_inside_means_raw_pixels(kind: str) -> None:
    for layers in ([INSIDE[kind]()], [kl.RandomFlip(), INSIDE[kind]()]):
        source = load_source(tiny(*layers))
        assert prepared(source).is_raw and prepared(source).color == "rgb"
    assert prepared(load_source(tiny(INSIDE[kind]()), preprocess="raw")).is_raw
    assert prepared(load_source(tiny(INSIDE[kind]()), preprocess="caffe")).color == "bgr"


@pytest.mark.parametrize("convention", ["unit", "tf", "torch"])
@pytest.mark.parametrize("kind", INSIDE)
def test_normalising_twice_is_refused(kind: str, convention: str) -> None:
    with pytest.raises(InputError, match=r"normalised twice.*'inside'"):
        load_source(tiny(INSIDE[kind]()), preprocess=convention)


def test_normalising_inside_a_nested_model_is_seen() -> None:
    inner = keras.Sequential([keras.Input((SIZE, SIZE, 3)), kl.Rescaling(1 / 255, name="inside"), kl.Conv2D(4, 3)])
    with pytest.raises(InputError, match=r"normalised twice.*'inside'"):
        load_source(tiny(inner), preprocess="unit")


def test_a_batch_norm_in_front_tells_nothing() -> None:
    """It was trained on whatever came in: raw pixels would be a guess, and pixels / 255 no double normalisation."""
    model = tiny(kl.BatchNormalization(), kl.Conv2D(4, 3))
    with pytest.raises(InputError, match="not known"):
        load_source(model)
    assert load_source(model, preprocess="unit").preprocessing == named_preprocessing("unit", SIZE, SIZE)


@pytest.mark.parametrize("convention", ["raw", "tf", "torch", "caffe"])
def test_a_convention_that_contradicts_the_stored_one(convention: str, keras_file: Path) -> None:
    with pytest.raises(InputError, match="contradicts what the model was trained with"):
        load_source(keras_file, preprocess=convention)
    assert load_source(keras_file, preprocess="unit").preprocessing == named_preprocessing("unit", SIZE, SIZE)


@pytest.mark.parametrize("convention", list(NORMALIZATIONS))
def test_every_convention_reaches_the_graph(convention: str, bare_model: Any) -> None:
    source = load_source(bare_model, preprocess=convention)
    pixels, _ = pictures(4)
    expected = np.asarray(bare_model(normalize(pixels, prepared(source)), training=False))
    found = np.asarray(build_model(source.graph)(pixels.astype(np.float32)))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("convention", ["torch", "caffe"])
def test_colour_conventions_on_grey_models(convention: str) -> None:
    with pytest.raises(InputError, match="for colour images"):
        load_source(tiny(kl.Conv2D(3, 3), shape=(SIZE, SIZE, 1)), preprocess=convention)


def test_grey_models() -> None:
    source = load_source(tiny(kl.Conv2D(3, 3), shape=(SIZE, SIZE, 1)), preprocess="unit")
    assert source.preprocessing == named_preprocessing("unit", SIZE, SIZE, 1)
    assert source.graph.input.shape == (SIZE, SIZE, 1)


# -- input size ----------------------------------------------------------------------------------------------------


def open_model(height: int | None = None, width: int | None = None) -> Any:
    return tiny(kl.Rescaling(1 / 255), kl.Conv2D(4, 3), kl.MaxPooling2D(), kl.Conv2D(4, 3), shape=(height, width, 3))


def test_an_open_input_size_is_required() -> None:
    for model in (open_model(), open_model(height=SIZE), open_model(width=SIZE)):
        with pytest.raises(InputError, match=r"leaves its input size open.*--input-size HxW"):
            load_source(model)
    source = load_source(open_model(), input_size=(20, 24))
    assert (prepared(source).height, prepared(source).width) == (20, 24)


def test_an_input_size_that_contradicts_the_model() -> None:
    for model in (open_model(SIZE, SIZE), open_model(height=SIZE), open_model(width=SIZE)):
        with pytest.raises(InputError, match=r"--input-size contradicts the model: expected .*16.*, got 20x24"):
            load_source(model, input_size=(20, 24))
        assert load_source(model, input_size=(SIZE, SIZE)).graph.input.shape == (SIZE, SIZE, 3)


@pytest.mark.parametrize("size", [(0, 16), (16, -4), (5, 5), (1, 1)])
def test_input_sizes_that_leave_nothing(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="input-size") as caught:
        load_source(open_model(), input_size=size)
    assert isinstance(caught.value, EdgevisionError) and "\n" not in str(caught.value)


# -- scores --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "scores", "classes"),
    [
        (lambda: [kl.Flatten(), kl.Dense(3)], "logits", 3),
        (lambda: [kl.Flatten(), kl.Dense(3, activation="softmax")], "probabilities", 3),
        (lambda: [kl.Flatten(), kl.Dense(3), kl.Softmax(), kl.Dropout(0.1)], "probabilities", 3),
        (lambda: [kl.Flatten(), kl.Dense(3, activation="sigmoid")], "sigmoid", 3),
        (lambda: [kl.Flatten(), kl.Dense(1, activation="sigmoid")], "sigmoid", 2),
        (lambda: [kl.Flatten(), kl.Dense(1)], "sigmoid_logits", 2),
        (lambda: [kl.Conv2D(3, SIZE, activation="softmax"), kl.Flatten()], "probabilities", 3),
        (lambda: [kl.Conv2D(3, SIZE), kl.Softmax(), kl.Reshape((3,))], "probabilities", 3),
        (lambda: [kl.Conv2D(1, SIZE, activation="sigmoid"), kl.Flatten()], "sigmoid", 2),
        (lambda: [kl.Conv2D(3, SIZE), kl.Reshape((3,)), kl.Softmax()], "probabilities", 3),
    ],
)
def test_what_the_outputs_are(layers: Callable[[], list[Any]], scores: str, classes: int) -> None:
    model = sequential(kl.Rescaling(1 / 255), *layers())
    source = load_source(model)
    assert (source.scores, source.classes) == (scores, classes)
    pixels, _ = pictures(3)
    expected = np.asarray(model(pixels.astype(np.float32)))
    np.testing.assert_allclose(np.asarray(build_model(source.graph)(pixels.astype(np.float32))), expected, atol=1e-5)


def test_the_source_model_is_not_changed() -> None:
    model = scrambled(tiny(kl.Rescaling(1 / 255), kl.Conv2D(4, 3), kl.BatchNormalization()))
    before = [weight.copy() for weight in model.get_weights()]
    load_source(model)
    assert folded(model).output
    for was, now in zip(before, model.get_weights()):
        np.testing.assert_array_equal(was, now)
