"""Which tensor holds which operation's output, where grids alone do not tell."""

from __future__ import annotations

from edgevision.converters.layers import Tensor
from edgevision.converters.layers.match import Point, match
from edgevision.converters.quantize.fake_quant import Range

SIX = Range(6 / 255, 0)
OTHER = Range(0.031, 97)


def point(name: str, *sources: str, grid: Range = SIX, size: int = 64) -> Point:
    return Point(name, frozenset(sources), grid, size)


def tensor(name: str, *sources: str, grid: Range | None = SIX, size: int | None = 64) -> Tensor:
    return Tensor(name, sources, grid, size)


def test_equal_grids_are_told_apart_by_what_they_come_from() -> None:
    points = [point("a", "image"), point("b", "a"), point("c", "b"), point("side", "a")]
    tensors = [
        Tensor("image", ()),
        tensor("1", "image"),
        tensor("moved", "1", grid=None),
        tensor("2", "moved"),
        tensor("3", "2"),
    ]
    assert match([*points[:3]], tensors) == {"a": "1", "b": "2", "c": "3"}
    # Of two that come from the same, one order is as good as the other; none is used twice.
    twins = match(points, [*tensors[:4], tensor("4", "1"), tensor("5", "2")])
    assert sorted(twins.values()) == ["1", "2", "4", "5"] and twins["c"] == "5"


def test_a_file_s_order_of_branches_does_not_matter() -> None:
    points = [point("left", "image", grid=OTHER), point("l2", "left"), point("right", "image"), point("r2", "right")]
    tensors = [
        Tensor("image", ()),
        tensor("r", "image"),
        tensor("rr", "r"),
        tensor("l", "image", grid=OTHER),
        tensor("ll", "l"),
    ]
    assert match(points, tensors) == {"left": "l", "l2": "ll", "right": "r", "r2": "rr"}


def test_what_is_not_there_is_left_out_and_the_rest_is_found() -> None:
    points = [point("a", "image"), point("lost", "a", grid=OTHER), point("b", "lost")]
    tensors = [Tensor("image", ()), tensor("1", "image"), tensor("odd", "1", grid=Range(0.5, 3)), tensor("2", "odd")]
    assert match(points, tensors) == {"a": "1", "b": "2"}
    assert match(points, [Tensor("image", ()), tensor("1", "image", size=63)]) == {}


def test_grids_come_back_from_float32() -> None:
    grid = Range(OTHER.scale * (1 + 1e-6), OTHER.zero_point)
    assert match([point("a", "image", grid=OTHER)], [Tensor("image", ()), tensor("1", "image", grid=grid, size=None)])
    assert not match(
        [point("a", "image", grid=OTHER)], [Tensor("image", ()), tensor("1", "image", grid=Range(0.031, 98))]
    )
