from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

from edgevision.converters.quantize.functions import FUNCTIONS, function_behind
from tests.converters.models import SIZE, folded, scrambled

VALUES = np.linspace(-30, 30, 601).astype(np.float32)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_keras_own(name: str) -> None:
    expected = np.asarray(keras.activations.get(name)(VALUES))
    np.testing.assert_allclose(FUNCTIONS[name](VALUES), expected, atol=1e-3)


def found(behind: Any) -> Any:
    image = keras.Input((SIZE, SIZE, 3))
    value = kl.Conv2D(4, 3, name="kernel")(image)
    graph = folded(scrambled(keras.Model(image, kl.Flatten()(behind(value)))))
    return function_behind(graph, "kernel")


@pytest.mark.parametrize("name", [*FUNCTIONS, "swish"])
def test_the_function_of_an_activation_is_found(name: str) -> None:
    function = found(lambda value: kl.Conv2D(2, 1)(kl.Activation(name)(value)))
    np.testing.assert_allclose(function(VALUES), np.asarray(keras.activations.get(name)(VALUES)), atol=1e-3)


def test_it_is_found_behind_what_only_moves_values() -> None:
    function = found(lambda value: kl.Conv1D(2, 1)(kl.Activation("gelu")(kl.Reshape((-1, 4))(value))))
    assert function is FUNCTIONS["gelu"]


@pytest.mark.parametrize(
    "behind",
    [
        lambda value: kl.Conv2D(2, 1)(value),
        lambda value: kl.Add()([value, kl.Activation("sigmoid")(value)]),
        lambda value: kl.Concatenate()([value, kl.Activation("swish")(value)]),
        lambda value: kl.Multiply()([value, kl.Activation("sigmoid")(kl.Conv2D(4, 1)(value))]),
        lambda value: kl.Softmax()(value),
        lambda value: value,
    ],
)
def test_whatever_else_is_read_counts_as_it_is(behind: Any) -> None:
    assert found(behind) is None
