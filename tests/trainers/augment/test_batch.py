"""Moves of a whole batch against the same moves one by one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgevision.trainers.augment import Policy
from edgevision.trainers.augment.affine import Affine, warped
from edgevision.trainers.augment.batch import is_pixels_alone, warped_pixels
from edgevision.trainers.examples import Example

RANDOM = np.random.default_rng(5)
#: Smooth, as photos are, with noise on top.
PIXELS = (RANDOM.integers(0, 200, (6, 1, 1, 3)) + RANDOM.integers(0, 56, (6, 20, 16, 3))).astype(np.uint8)
EXAMPLES = [Example(pixels) for pixels in PIXELS]


@pytest.mark.parametrize(
    "names", [("rotate=90",), ("shear=40", "zoom=0.9"), ("rotate", "shift=0.4", "flip"), ("zoom",)]
)
def test_as_one_by_one_to_a_grey_level(names: tuple[str, ...]) -> None:
    policy = Policy(names)
    pairs = [policy.unmoved(example, np.random.default_rng(i), list) for i, example in enumerate(EXAMPLES)]  # type: ignore[arg-type]
    found = warped_pixels(*zip(*pairs))
    wanted = [policy(example, np.random.default_rng(i), list).pixels for i, example in enumerate(EXAMPLES)]  # type: ignore[arg-type]
    assert found.dtype == np.uint8 and np.abs(found.astype(int) - np.stack(wanted)).max() <= 1
    assert (found != PIXELS).any()


def test_mirrored_shifted_and_kept_pixels_are_the_very_ones() -> None:
    moves = [Affine(a=-1.0, c=16.0), None, Affine(c=3.0, f=-2.0), Affine(), None, Affine(0.8, 0.6, 0.0, -0.6, 0.8, 5.0)]
    found = warped_pixels(EXAMPLES, moves)
    assert (found[0] == PIXELS[0][:, ::-1]).all() and (found[[1, 3, 4]] == PIXELS[[1, 3, 4]]).all()
    assert (found[2] == warped(EXAMPLES[2], Affine(c=3.0, f=-2.0)).pixels).all()
    assert (found[5] != PIXELS[5]).mean() > 0.9


def test_what_shrinks_upright_keeps_its_wide_kernel() -> None:
    third = Affine(a=1 / 3, e=1 / 3)
    found = warped_pixels(EXAMPLES, [third] * 6)
    assert (found == np.stack([warped(example, third).pixels for example in EXAMPLES])).all()


def test_boxes_masks_and_windows_are_moved_with_their_pixels() -> None:
    policy = Policy(("rotate",))
    mask = dataclasses.replace(EXAMPLES[0], mask=np.zeros((20, 16), np.uint8))
    boxes = dataclasses.replace(EXAMPLES[0], boxes=np.zeros((1, 4), np.float32), class_ids=np.zeros(1, np.int64))
    for example in (mask, boxes, Example(PIXELS)):
        assert not is_pixels_alone(example)
        moved, pending = policy.unmoved(example, np.random.default_rng(0), list)  # type: ignore[arg-type]
        assert pending is None and (moved.pixels != example.pixels).any()
