"""Grids that fit each other."""

from __future__ import annotations

import keras
from keras import layers as kl

from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.grids import matched
from edgevision.converters.quantize.points import measured_points
from tests.converters.models import SIZE, folded, scrambled


def test_parts_lie_on_the_grid_of_the_whole_where_that_costs_little() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    first = kl.Conv2D(4, 3, padding="same", name="first")(image)
    alone = kl.MaxPooling2D(1, name="moved")(kl.Conv2D(4, 3, padding="same", name="alone")(first))
    inner = kl.Concatenate(name="inner")([first, alone])
    small = kl.Conv2D(4, 1, name="small")(inner)
    bounded = kl.ReLU(6, name="bounded")(kl.Conv2D(4, 1, name="wide")(inner))
    pooled = kl.AveragePooling2D(1, name="pooled")(kl.Conv2D(4, 1, name="larger")(inner))
    cut = kl.MaxPooling2D(1, name="still")(kl.Conv2D(4, 1, name="cut")(inner))
    whole = kl.Concatenate(name="whole")([inner, small, bounded, pooled, cut])
    ends = [kl.Conv2D(2, 1, name="end")(whole), kl.Conv2D(2, 1, name="other")(small)]
    graph = folded(scrambled(keras.Model(image, kl.Add(name="sum")(ends))))
    scales = {
        "first": 0.6,
        "alone": 0.1,
        "inner": 1.0,
        "small": 0.4,
        "bounded": 6 / 255,
        "larger": 2.0,
        "cut": 2.0,
        "whole": 1.1,
    }
    scales |= dict.fromkeys(("end", "other", "sum"), 1.0)
    measured = {name: Range(scale, 0) for name, scale in scales.items()}
    assert set(measured) == set(measured_points(graph))
    found = {name: grid.scale for name, grid in matched(graph, measured).items()}
    assert found == {**scales, **dict.fromkeys(("first", "alone", "inner", "cut"), 1.1)}, (
        "small is read by another, larger would be cut before its average, cut is cut a moment later anyway"
    )


def test_a_relu_takes_the_steps_of_the_grid_that_it_reads() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    read_twice = kl.Conv2D(4, 3, name="read_twice")(image)
    plain, bounded = kl.ReLU(name="plain")(read_twice), kl.ReLU(6, name="bounded")(read_twice)
    fused = kl.ReLU(name="fused")(kl.Conv2D(4, 1, name="inside")(plain))
    whole = kl.Concatenate(name="whole")([kl.ReLU(name="part")(read_twice), fused])
    last = [kl.Conv2D(4, 1, name=f"end{number}")(each) for number, each in enumerate((whole, bounded, fused))]
    graph = folded(scrambled(keras.Model(image, kl.Concatenate(name="last")(last))))
    measured = {name: Range(0.1 * number, 7) for number, name in enumerate(measured_points(graph), 1)}
    measured |= {"whole": Range(0.7, 7), "last": Range(0.01, 7), "bounded": Range(6 / 255, 0)}
    found = {name: grid for name, grid in matched(graph, measured).items() if grid != measured[name]}
    ends = dict.fromkeys(("end0", "end1", "end2"), measured["last"])
    assert found == {"plain": Range(measured["read_twice"].scale, 0), "part": measured["whole"], **ends}, (
        "a fused one reads no grid, a bounded one has to cut, what is joined is rounded once"
    )
