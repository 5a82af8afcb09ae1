from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgevision.runtime.errors import InputError
from edgevision.trainers.families import named_family
from edgevision.trainers.families.plain import NETWORKS, Network, check_size


def build(name: str, height: int, width: int, classes: int) -> Any:
    family = named_family(name)
    labels = tuple(map(str, range(classes)))
    return family.build((height, width, family.channels), labels, family.options).model


SIZES = [(name, size) for name in NETWORKS for size in ((32, 32), (48, 37))]


def test_the_tutorial_network_has_exactly_its_parameters() -> None:
    assert build("cnn-cifar", 32, 32, 10).count_params() == 122_570


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_networks_build_as_counted(name: str, size: tuple[int, int]) -> None:
    network = NETWORKS[name]
    model = build(name, *size, 7)
    assert model.count_params() == network.parameters(*size, 7)
    assert model.input_shape == (None, *size, network.channels) and model.output_shape == (None, 7)
    scores = model.predict_on_batch(np.zeros((2, *size, network.channels), np.float32))
    if network.scores == "probabilities":
        assert np.allclose(scores.sum(axis=1), 1)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())
def test_the_smallest_input_fits_and_one_less_does_not(network: Network) -> None:
    least = network.smallest()
    build(network.name, least, least, 2)
    with pytest.raises(InputError, match=f"too small for {network.name}: expected at least {least}x{least}, got"):
        build(network.name, least, least - 1, 2)


def test_an_input_that_needs_too_many_parameters() -> None:
    with pytest.raises(InputError, match="expected at most 100,000,000 parameters"):
        check_size(NETWORKS["cnn-cifar"], 1024, 1024, 10)


def test_unknown_network() -> None:
    with pytest.raises(InputError, match=r"expected cnn-cifar or .*, got 'cnn-cifer'"):
        named_family("cnn-cifer")
