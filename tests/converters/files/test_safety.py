"""Models that would run code: refused by name, read when trusted."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevision.converters.files import read_model
from edgevision.runtime.errors import ModelError, UnsafeModelError
from tests.converters.files import makers

_MODULE = """
import keras
class Twice(keras.layers.Layer):
    def call(self, x):
        return 2 * x
"""


def _with_lambda(api: Any) -> Any:
    layers = api.layers
    return api.Sequential([layers.Input((4,)), layers.Lambda(lambda x: x * 2, name="double"), layers.Dense(2)])


@pytest.mark.parametrize("name", ["new.keras", "new.h5", "old.keras", "old.h5", "old"])
def test_lambda_layers(name: str, tmp_path: Path) -> None:
    import keras
    from keras.src.saving import serialization_lib

    made = _with_lambda(keras if name.startswith("new") else makers.keras2())
    path = makers.save(made, tmp_path / name)
    with pytest.raises(UnsafeModelError, match=r"layer 'double' of .* needs a Lambda's code.*--trust"):
        read_model(path)
    if name in ("new.keras", "new.h5", "old.h5"):
        np.testing.assert_allclose(makers.answers(read_model(path, trust=True)), makers.answers(made), rtol=1e-5)
        assert serialization_lib.in_safe_mode() is None, "unsafe reading ended with the call"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "my_layers_.py").write_text(_MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__("my_layers_")
    sys.modules.pop("my_layers_", None)


def test_classes_of_other_modules(module: Any, tmp_path: Path) -> None:
    import keras

    layers = [keras.Input((4,)), module.Twice(name="mine"), module.Twice(name="mine_too")]
    model = keras.Sequential([*layers, keras.layers.Dense(2)])
    path = makers.save(model, tmp_path / "new.keras")
    with pytest.raises(UnsafeModelError, match=r"layer 'mine' .* 'Twice' of my_layers_ .1 more layers need code"):
        read_model(path)
    np.testing.assert_allclose(makers.answers(read_model(path, trust=True)), makers.answers(model), rtol=1e-5)


def test_trust_cannot_find_what_is_nowhere(tmp_path: Path) -> None:
    import keras

    path = makers.save(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="it")]), tmp_path / "new.keras")
    config = makers.recipe(path)
    config["config"]["layers"][1].update(module="no_such_module_", class_name="Gone", registered_name="Gone")
    changed = makers.repack(path, tmp_path / "changed.keras", config=json.dumps(config).encode())
    with pytest.raises(UnsafeModelError, match=r"'it'.*'Gone' of no_such_module_"):
        read_model(changed)
    with pytest.raises(ModelError, match=r"cannot be imported.*PYTHONPATH"):
        read_model(changed, trust=True)


@pytest.mark.parametrize(
    "node",
    [
        {"module": "builtins", "class_name": "function", "config": "exec", "registered_name": "exec"},
        {"module": "os", "class_name": "function", "config": "system", "registered_name": None},
        {"module": "keras.utils", "class_name": "get_file", "config": {}, "registered_name": None},
        {"class_name": "__lambda__", "config": {"value": ["4wA=", None, None]}},
        "my_own_activation",
    ],
)
def test_code_hidden_in_an_activation(node: Any, tmp_path: Path) -> None:
    import keras

    path = makers.save(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="it")]), tmp_path / "new.keras")
    config = makers.recipe(path)
    config["config"]["layers"][1]["config"]["activation"] = node
    with pytest.raises(UnsafeModelError, match="layer 'it'"):
        read_model(makers.repack(path, tmp_path / "changed.keras", config=json.dumps(config).encode()))


def test_code_that_only_training_needs_does_not_matter(tmp_path: Path) -> None:
    import keras

    path = makers.save(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]), tmp_path / "new.keras")
    config = makers.recipe(path)
    config["config"]["layers"][1]["config"]["kernel_regularizer"] = {"module": "mine", "class_name": "R", "config": {}}
    config["compile_config"] = {"loss": {"module": "mine", "class_name": "function", "config": "loss"}}
    assert read_model(makers.repack(path, tmp_path / "changed.keras", config=json.dumps(config).encode())).built


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_are_never_opened(protocol: int, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"weights": [1.0]}, protocol=protocol))
    for trust in (False, True):
        with pytest.raises(UnsafeModelError, match="is a pickle"):
            read_model(tmp_path / "model.pkl", trust)
