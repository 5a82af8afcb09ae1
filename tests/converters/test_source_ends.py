from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

from edgevision.converters.quantize.build import answer, build_model
from edgevision.converters.source import load_source
from edgevision.converters.source_ends import settle_ends
from edgevision.runtime.errors import DatasetError, InputError, ModelError
from edgevision.runtime.heads.classes import SequenceHead
from tests.converters import tensor_models
from tests.converters.models import SIZE, scrambled


def vector(name: str | None = None) -> Any:
    return keras.Input((4,), name=name)


def test_names_are_the_models_own_made_valid_and_unique() -> None:
    one, two = vector("a-1"), vector("2 b")
    both = kl.Add()([one, two])
    model = keras.Model([one, two], [kl.Dense(2, name="a_1")(both), kl.Dense(2, name="end.of")(both)])
    ends = settle_ends(model, "m")
    assert [op.name for op in ends.inputs] == ["a_1", "tensor_2_b"] and ends.outputs == ("a_1_1", "end_of")


def test_names_nobody_gave_are_those_of_the_layers() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    model = keras.Model(image, kl.Conv2D(2, 3, name="map")(image))
    (op,) = settle_ends(model, "m").inputs
    assert op.name == model.layers[0].name != model.inputs[0].name


def test_a_window_of_frames_is_raw_pixels_where_the_head_says_so() -> None:
    def film(frames: int | None) -> Any:
        given = keras.Input((frames, SIZE, SIZE, 3), name="film")
        return keras.Model(given, kl.Dense(2, name="class")(kl.GlobalAveragePooling3D()(given)))

    ends = settle_ends(film(4), "m", head=SequenceHead())
    (op,) = ends.inputs
    assert ends.is_classifier and ends.image == (SIZE, SIZE, 3) and ends.outputs == ("class",)
    assert (op.name, op.shape, op.dtype) == ("film", (4, SIZE, SIZE, 3), "uint8")
    source = load_source(film(4), preprocess="tf", head=SequenceHead())
    assert (source.frames, source.classes, source.scores, source.task) == (4, 2, "logits", "sequence")
    plain = settle_ends(film(4), "m")
    assert not plain.is_classifier and plain.inputs[0].dtype == "float32"
    with pytest.raises(InputError, match="leaves its number of frames open"):
        settle_ends(film(None), "m", head=SequenceHead())


def test_outputs_of_a_dict_are_named_by_its_keys() -> None:
    given = vector("x")
    model = keras.Model(given, {"late": kl.Dense(1, name="one")(given), "early": kl.Dense(2, name="two")(given)})
    graph = load_source(scrambled(model)).graph
    assert {key: graph.ops[name].shape for key, name in graph.outputs.items()} == {"early": (2,), "late": (1,)}


def test_inputs_in_a_dict_are_fed_by_name() -> None:
    one, two = vector("one"), vector("two")
    model = scrambled(keras.Model({"two": two, "one": one}, {"y": kl.Dense(3)(kl.Subtract()([one, two]))}))
    source = load_source(model)
    random = np.random.default_rng(0)
    batch = {name: random.normal(size=(5, 4)).astype(np.float32) for name in ("one", "two")}
    expected = np.asarray(model(batch)["y"])
    np.testing.assert_allclose(source.answer(batch)["y"], expected, atol=1e-6)
    np.testing.assert_allclose(answer(build_model(source.graph), source.graph, batch)["y"], expected, atol=1e-5)


def test_an_output_is_traced_where_others_read_it_too() -> None:
    given = vector("x")
    gate = kl.Dense(4, activation="sigmoid", name="gate")(given)
    model = scrambled(keras.Model(given, [gate, kl.Dense(2, name="end")(kl.Multiply()([given, gate]))]))
    source = load_source(model)
    batch = {"x": np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)}
    found = answer(build_model(source.graph), source.graph, batch)
    for name, expected in source.answer(batch).items():
        np.testing.assert_allclose(found[name], expected, atol=1e-5)


@pytest.mark.parametrize(
    "ends",
    [
        lambda x: [kl.Dense(2)(x), x],
        lambda x: [y := kl.Dense(2)(x), y],
        lambda x: [y := kl.Dense(2)(x), kl.Dropout(0.1)(y)],
    ],
)
def test_the_same_value_twice_is_refused(ends: Any) -> None:
    given = vector("x")
    with pytest.raises(ModelError, match="one of its inputs or another output again"):
        load_source(keras.Model(given, ends(given)))


def test_open_lengths_are_fixed_by_the_calibration_arrays(tmp_path: Path) -> None:
    model = tensor_models.made("tokens")
    with pytest.raises(InputError, match=r"leaves a size of its inputs open.*tokens int32 \(samples, any\)"):
        load_source(model)
    np.savez(tmp_path / "d.npz", tokens=np.zeros((5, 13), np.int64))
    source = load_source(model, calibration=tmp_path / "d.npz")
    assert [(op.shape, op.dtype) for op in source.graph.inputs] == [((13,), "int32")]
    np.savez(tmp_path / "e.npz", tokens=np.zeros((5, 13, 1), np.int64))
    with pytest.raises(DatasetError, match=r"expected tokens int32 \(samples, any\)"):
        load_source(model, calibration=tmp_path / "e.npz")


def test_an_open_image_size_is_asked_for_as_ever() -> None:
    image = keras.Input((None, None, 3), name="image")
    model = keras.Model(image, kl.Conv2D(2, 3, padding="same")(kl.Rescaling(1 / 255)(image)))
    with pytest.raises(InputError, match="give --input-size HxW"):
        load_source(model)
    source = load_source(model, input_size=(8, 12))
    assert source.graph.input.shape == (8, 12, 3) and source.graph.ops[source.graph.output].shape == (8, 12, 2)


def test_what_cannot_be_fed_is_refused() -> None:
    words = keras.Input((3,), dtype="string", name="words")
    with pytest.raises(ModelError, match=r"'words' of m cannot be fed.*got string"):
        settle_ends(keras.Model(words, kl.Identity()(words)), "m")
