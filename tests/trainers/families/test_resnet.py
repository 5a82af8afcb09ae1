from __future__ import annotations

import pytest

from edgevision.trainers.families import named_family

LABELS = tuple("abcdefghij")


@pytest.mark.parametrize(("name", "parameters", "smallest"), [("resnet-8", 78_714, 8), ("resnet-20", 274_042, 8)])
def test_sizes_of_the_papers(name: str, parameters: int, smallest: int) -> None:
    family = named_family(name)
    model = family.build((32, 32, 3), LABELS, family.options).model
    assert model.count_params() == parameters and model.output_shape == (None, 10)
    assert model.layers[-2].input.shape == (None, smallest, smallest, 64)


def test_the_quick_one_halves_the_size_at_once() -> None:
    model = named_family("resnet-quick").build((30, 23, 1), LABELS, {"width": 8}).model
    assert model.layers[-2].input.shape == (None, 4, 3, 32) and model.input_shape == (None, 30, 23, 1)
