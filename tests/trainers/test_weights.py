from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from edgevision.converters.metadata import read_metadata
from edgevision.runtime.errors import InputError, ModelError
from edgevision.trainers import checkpoint, optimizers
from edgevision.trainers.families import named_family
from edgevision.trainers.history import Epoch
from edgevision.trainers.recipe import recipe_of
from edgevision.trainers.train import train
from edgevision.trainers.weights import check_weights, load_weights, weighted_layers

SMALL: dict[str, Any] = {
    "model": "resnet-8",
    "options": {"width": 4},
    "input_size": (16, 16),
    "batch_size": 16,
    "augment": (),
    "warmup": 0.0,
    "validation_split": 0.0,
}


def images(path: Path, names: list[str]) -> Path:
    random = np.random.default_rng(len(names))
    labels = np.arange(32) % len(names)
    pixels = random.integers(0, 128, (32, 16, 16, 3)) + 60 * labels[:, None, None, None] // len(names)
    np.savez(path, images=pixels.astype(np.uint8), labels=labels, label_names=np.array(names))
    return path


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained network of three classes."""
    folder = tmp_path_factory.mktemp("own")
    train(images(folder / "d.npz", ["a", "b", "c"]), folder / "own.keras", epochs=1, **SMALL)
    return folder / "own.keras"


def weights_of(path: Path) -> list[list[Any]]:
    return [layer.get_weights() for layer in weighted_layers(keras.saving.load_model(path))]


def same(one: list[Any], other: list[Any]) -> bool:
    return all(np.array_equal(mine, theirs) for mine, theirs in zip(one, other))


def untrained(labels: tuple[str, ...], width: int = 4, model: str = "resnet-8") -> Any:
    return named_family(model).build((16, 16, 3), labels, {"width": width}).model


@pytest.mark.parametrize(("labels", "missing"), [("abcd", 1), ("abx", 1), ("abc", 0)])
def test_all_layers_but_those_of_other_classes(own: Path, labels: str, missing: int) -> None:
    model = untrained(tuple(labels))
    copied = load_weights(own, model, tuple(labels))
    layers, source = weighted_layers(model), weights_of(own)
    assert copied == layers[: len(layers) - missing]
    assert [same(layer.get_weights(), theirs) for layer, theirs in zip(layers, source)] == (
        [True] * len(copied) + [False] * missing
    )


def test_layers_that_another_network_has_too(own: Path) -> None:
    model = untrained(("a", "b"), model="resnet-20")
    copied = load_weights(own, model, ("a", "b"))
    assert len(weighted_layers(keras.saving.load_model(own))) - 1 == len(copied) < len(weighted_layers(model))


@pytest.mark.parametrize("name", ["w.weights.h5", "w.h5"])
def test_weights_without_a_network(own: Path, tmp_path: Path, name: str) -> None:
    source, model = keras.saving.load_model(own), untrained(tuple("abcde"))
    if name == "w.h5":
        for theirs, ours in zip(source.layers, model.layers):  # those of Keras 2 go by name
            theirs.name = ours.name
        source.save(tmp_path / name)
        import h5py

        with h5py.File(tmp_path / name, "a") as file:  # what save_weights wrote there
            del file.attrs["model_config"]
            for key, value in file["model_weights"].attrs.items():
                file.attrs[key] = value
            for key in file["model_weights"]:
                file.copy(f"model_weights/{key}", key)
            del file["model_weights"]
    else:
        source.save_weights(tmp_path / name)
    before = model.layers[-1].get_weights()
    copied = load_weights(tmp_path / name, model, tuple("abcde"))
    assert copied == weighted_layers(model)[:-1]
    assert all(same(layer.get_weights(), theirs) for layer, theirs in zip(copied, weights_of(own)))
    assert same(model.layers[-1].get_weights(), before), "what is not in the file stays as it was"


def test_while_frozen_only_the_new_head_is_trained(own: Path, tmp_path: Path) -> None:
    data = images(tmp_path / "d.npz", ["a", "b"])
    begun = {**SMALL, "weights": str(own), "learning_rate": 0.05}
    result = train(data, tmp_path / "m.keras", epochs=2, freeze=2, **begun)
    layers = len(weights_of(own))
    assert result.transfer is not None and (result.transfer.copied, result.transfer.layers) == (layers - 1, layers)
    found = weights_of(tmp_path / "m.keras")
    assert all(same(one, other) for one, other in zip(found[:-1], weights_of(own)[:-1])), "averages of norms too"
    assert result.history[1].figures["loss"] < result.history[0].figures["loss"], "the head learns"
    assert all(layer.trainable for layer in keras.saving.load_model(tmp_path / "m.keras").layers)
    metadata = read_metadata(tmp_path / "m.keras")
    assert metadata is not None and metadata["provenance"]["transfer"]["copied"] == layers - 1

    train(data, tmp_path / "m.keras", epochs=2, freeze=1, force=True, **begun)
    assert not any(same(one, other) for one, other in zip(weights_of(tmp_path / "m.keras"), weights_of(own)))


def test_a_resumed_training_knows_what_is_frozen(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, begun = images(tmp_path / "d.npz", ["a", "b"]), {**SMALL, "weights": str(own), "epochs": 3, "freeze": 2}
    monkeypatch.setattr(checkpoint, "APART", 0.0)
    train(data, tmp_path / "whole.keras", **begun)

    def stop(epoch: Epoch) -> None:
        raise KeyboardInterrupt

    for _ in range(2):  # after the first frozen epoch, and after the second
        with pytest.raises(KeyboardInterrupt):
            train(data, tmp_path / "parts.keras", resume=True, on_epoch=stop, **begun)
    train(data, tmp_path / "parts.keras", resume=True, **begun)
    whole, parts = weights_of(tmp_path / "whole.keras"), weights_of(tmp_path / "parts.keras")
    assert all(np.allclose(a, b, atol=1e-5) for one, other in zip(whole, parts) for a, b in zip(one, other))


def test_the_learning_rate_falls_when_all_is_trained() -> None:
    base = {"task": "classification", "model": "resnet-8", "input_size": [16, 16], "weights": "w.keras"}
    recipe = recipe_of({**base, "epochs": 10, "freeze": 4, "learning_rate": 0.5, "schedule": "cosine", "warmup": 1.0})
    rate = optimizers.make_optimizer(recipe, 100)._learning_rate
    found = [float(rate(step)) for step in (0, 39, 40, 45, 50, 75, 100)]
    assert found == pytest.approx([0.5, 0.5, 0.0, 0.025, 0.05, 0.025, 0.0], abs=1e-3)
    constant = recipe_of({**base, "epochs": 10, "freeze": 4, "learning_rate": 0.5, "schedule": "constant"})
    rate = optimizers.make_optimizer(constant, 100)._learning_rate
    assert [float(rate(step)) for step in (39, 40, 99)] == pytest.approx([0.5, 0.05, 0.05])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"freeze": 1}, "nothing to freeze: expected weights to begin with"),
        ({"freeze": 11, "weights": "w.keras"}, "freeze is not usable: expected at most 10 epochs, got 11"),
        ({"weights": "imagenet"}, "no imagenet weights of resnet-8"),
        ({"model": "vgg16", "options": {}, "weights": "imagenet", "preprocess": "unit"}, "expected preprocess caffe"),
        ({"model": "efficientnet-b0", "options": {}, "preprocess": "torch"}, "normalises pixels itself: expected.*raw"),
        ({"options": {"width": 5}}, "no layer of resnet-8 can have its weights from"),
    ],
)
def test_what_cannot_be_begun_with(own: Path, tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    asked = {**SMALL, "weights": None if "freeze" in fields else str(own), "epochs": 10, **fields}
    with pytest.raises(InputError, match=message):
        train(images(tmp_path / "d.npz", ["a", "b"]), tmp_path / "m.keras", **asked)


def test_a_network_that_loses_channels_is_not_frozen() -> None:
    base = {"task": "classification", "model": "resnet-8", "input_size": [16, 16], "weights": "w.keras"}
    with pytest.raises(InputError, match="nothing to freeze"):
        check_weights(recipe_of({**base, "freeze": 1, "keep_channels": 0.5}), named_family("resnet-8"))


def test_files_that_hold_no_weights(tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_bytes(b"no model")
    with pytest.raises(ModelError, match="no model file"):
        load_weights(tmp_path / "m.keras", untrained(("a", "b")), ("a", "b"))
    with pytest.raises(ModelError, match="nothing at that path"):
        load_weights(tmp_path / "none.keras", untrained(("a", "b")), ("a", "b"))


def test_imagenet_weights_below_a_new_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keras.utils.set_random_seed(3)
    theirs = keras.applications.MobileNet(include_top=False, weights=None, alpha=0.25, input_shape=(224, 224, 3))
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    module = keras.src.applications.mobilenet
    asked: list[str] = []

    def downloaded(name: str, *_: Any, **__: Any) -> str:
        asked.append(name)
        return str(tmp_path / "theirs.weights.h5")

    monkeypatch.setattr(module.file_utils, "get_file", downloaded)
    family = named_family("mobilenet")
    assert family.pretrained is not None
    built = family.pretrained((32, 32, 3), ("a", "b"), {"alpha": 0.25, "dropout": 0.2})
    assert asked == ["mobilenet_2_5_224_tf_no_top.h5"]
    wanted = [layer.get_weights() for layer in weighted_layers(theirs)]
    found = [layer.get_weights() for layer in weighted_layers(built.model)]
    assert len(found) == len(wanted) + 1 and all(same(one, other) for one, other in zip(found, wanted))

    def refused(*_: Any, **__: Any) -> str:
        raise Exception("URL fetch failure on https://weights.example/m.h5:\nNone -- no route")

    monkeypatch.setattr(module.file_utils, "get_file", refused)
    message = (
        r"imagenet weights of mobilenet are not to be had: got URL fetch failure .* no route; try again .*--weights"
    )
    with pytest.raises(InputError, match=message):
        family.pretrained((32, 32, 3), ("a", "b"), {"alpha": 0.25, "dropout": 0.2})
