from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgevision.runtime.errors import InputError
from edgevision.trainers.augment import OPERATIONS, Policy
from edgevision.trainers.augment.affine import Affine
from edgevision.trainers.augment.geometry import Rotate, Zoom
from edgevision.trainers.augment.operation import Geometry
from edgevision.trainers.examples import Example

NOISE = np.random.default_rng(0).integers(0, 256, (32, 24, 3), dtype=np.uint8)
STILL_WHEN_GRAY = ("color", "gray")


def changed(example: Example, *names: str, seed: int = 5) -> Example:
    other = dataclasses.replace(example, pixels=255 - example.pixels)
    return Policy(names)(example, np.random.default_rng(seed), lambda: other)


def example_of(shape: tuple[int, ...]) -> Example:
    boxes, ids = np.array([[2, 3, 20, 28]], np.float32), np.array([1])
    pixels = np.random.default_rng(0).integers(20, 200, shape, dtype=np.uint8)
    mask = np.random.default_rng(1).integers(0, 3, shape[-3:-1], dtype=np.uint8)
    return Example(pixels, np.array([1, 0], np.float32), boxes, ids, mask)


@pytest.mark.parametrize("shape", [(32, 24, 3), (32, 24, 1), (4, 32, 24, 3)])
@pytest.mark.parametrize("name", OPERATIONS)
def test_shapes_and_types_stay_and_the_seed_decides(name: str, shape: tuple[int, ...]) -> None:
    example, untouched = example_of(shape), example_of(shape)
    found = [changed(example, name, seed=seed) for seed in range(20)]
    for item in dataclasses.fields(Example):
        assert (getattr(example, item.name) == getattr(untouched, item.name)).all()
        assert {getattr(one, item.name).dtype for one in found} == {getattr(example, item.name).dtype}
    assert all(one.pixels.shape == shape for one in found)
    assert all(
        one.boxes is not None and one.class_ids is not None and len(one.boxes) == len(one.class_ids) for one in found
    )
    assert (found[7].pixels == changed(example, name, seed=7).pixels).all()
    if shape[-1] == 3 or name not in STILL_WHEN_GRAY:
        assert any((one.pixels != example.pixels).any() for one in found)


@pytest.mark.parametrize("name", OPERATIONS)
def test_all_frames_of_a_window_are_changed_alike(name: str) -> None:
    example = dataclasses.replace(example_of((32, 24, 3)), pixels=np.stack([NOISE] * 3))
    for seed in range(5):
        frames = changed(example, name, seed=seed).pixels
        assert (frames[0] == frames[1]).all() and (frames[0] == frames[2]).all()


class _Turned(Geometry):
    name, most = "turned", 360.0

    def map(self, height: int, width: int, random: np.random.Generator) -> Affine:
        return _turn(self.amount, height, width)


def _turn(degrees: float, height: int, width: int) -> Affine:
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return Affine(cosine, sine, 0, -sine, cosine, 0).about(width / 2, height / 2)


def test_moves_in_a_row_are_one_resampling() -> None:
    policy = Policy(())
    policy.operations = (_Turned(20), _Turned(33), _Turned(-53))
    # Turned three times one after another, noise would be a blur.
    assert (policy(Example(NOISE), np.random.default_rng(0), lambda: Example(NOISE)).pixels == NOISE).all()


class _Moved(Geometry):
    name = "moved"

    def map(self, height: int, width: int, random: np.random.Generator) -> Affine:
        return Affine(c=8)


def test_moves_follow_each_other_in_the_given_order() -> None:
    dot = np.zeros((32, 32, 3), np.uint8)
    dot[15:17, 7:9] = 255
    policy = Policy(())
    for operations, place in (((_Moved(), _Turned(90)), (16, 16)), ((_Turned(90), _Moved()), (24, 24))):
        policy.operations = operations
        found = policy(Example(dot), np.random.default_rng(0), lambda: Example(dot)).pixels
        assert np.argwhere(found[..., 0]).mean(axis=0).tolist() == pytest.approx([place[0] - 0.5, place[1] - 0.5])


def test_the_composed_map_is_the_maps_one_after_another() -> None:
    operations = (Zoom(0.5), Rotate(40.0))
    random = np.random.default_rng(3)
    first, second = (operation.map(30, 40, random) for operation in operations)
    whole = first.then(second)
    for x, y in ((0, 0), (7, 3), (40, 30)):
        between = (first.a * x + first.b * y + first.c, first.d * x + first.e * y + first.f)
        there = (
            second.a * between[0] + second.b * between[1] + second.c,
            second.d * between[0] + second.e * between[1] + second.f,
        )
        assert (whole.a * x + whole.b * y + whole.c, whole.d * x + whole.e * y + whole.f) == pytest.approx(there)
        back = whole.inverse()
        assert (back.a * there[0] + back.b * there[1] + back.c, back.d * there[0] + back.e * there[1] + back.f) == (
            pytest.approx((x, y), abs=1e-9)
        )


def test_what_is_mixed_in_went_through_the_operations_before() -> None:
    light = Example(np.full((8, 8, 3), 200, np.uint8), np.array([1, 0], np.float32))
    colored = Example(np.tile(np.array([250, 10, 40], np.uint8), (8, 8, 1)), np.array([0, 1], np.float32))
    found = Policy(["gray=1", "cutmix=1"])(light, np.random.default_rng(1), lambda: colored)
    assert len(np.unique(found.pixels)) == 2 and (found.pixels[..., :1] == found.pixels).all()


@pytest.mark.parametrize("text", ["sparkle", "flip=1", "shift=2", "rotate=x", "shift=-0.1", "rotate=nan", "crop=0"])
def test_unusable_augmentations(text: str) -> None:
    with pytest.raises(InputError, match="augmentation is"):
        Policy([text])


def test_the_document_lists_every_operation_with_its_amounts() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "augmentation.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in text.splitlines() if line.startswith("| `")]
    written = [tuple(row) for row in rows]
    kinds = OPERATIONS.values()
    amounts = [(f"`{kind.name}`", kind.default, f"{kind.least:g}..{kind.most:g}") for kind in kinds]
    assert written == [
        (name, "" if default is None else f"{default:g}", "" if default is None else limits)
        for name, default, limits in amounts
    ]
