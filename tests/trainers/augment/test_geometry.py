from __future__ import annotations

import numpy as np
import pytest

from edgevision.datasets.masks import IGNORED
from edgevision.trainers.augment import Policy
from edgevision.trainers.augment.affine import Affine, warped
from edgevision.trainers.examples import Example
from tests.trainers.augment.scenes import DARK, LIGHT, ellipses, variants

NOISE = np.random.default_rng(0).integers(0, 256, (32, 24, 3), dtype=np.uint8)
MOVES = ["flip", "vertical-flip", "rotate=180", "shift=0.3", "zoom=1", "shear=30", "crop=0.3"]


@pytest.mark.parametrize("names", [*([name] for name in MOVES), ["rotate=40", "zoom=0.5", "flip", "shear", "shift"]])
def test_boxes_and_masks_follow_the_pixels(names: list[str]) -> None:
    scene, moved = ellipses((33, 25, 57, 41)), 0
    for found in variants(scene, *names):
        assert found.boxes is not None and found.mask is not None
        light = found.pixels[..., 0] > (LIGHT + DARK) / 2
        inside = found.mask != IGNORED
        assert (light[inside] == (found.mask[inside] == 1)).mean() > 0.99
        moved += (found.pixels != scene.pixels).any()
        for x1, y1, x2, y2 in found.boxes:
            rows, columns = np.flatnonzero(light.any(axis=1)), np.flatnonzero(light.any(axis=0))
            edges = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
            assert np.abs(np.array([x1, y1, x2, y2]) - edges).max() < 1.6
    assert moved > 10


def test_what_comes_into_view_repeats_the_edge_and_is_ignored_in_masks() -> None:
    example = ellipses((33, 25, 57, 41))
    found = warped(example, Affine(c=10, f=-20))
    assert found.mask is not None and example.mask is not None
    assert (found.mask[:, :10] == IGNORED).all() and (found.mask[-20:] == IGNORED).all()
    assert (found.mask[:-20, 10:] == example.mask[20:, :-10]).all()
    noise = warped(Example(NOISE), Affine(c=10, f=-20)).pixels
    assert (noise[:-20, 10:] == NOISE[20:, :-10]).all()
    assert (noise[:-20, :10] == NOISE[20:, :1]).all() and (noise[-20:] == noise[-21]).all()


def test_turning_invents_no_values_at_the_border() -> None:
    plain = Example(np.full((32, 32, 3), 200, np.uint8))
    for found in variants(plain, "rotate=180", "zoom=1", "shear=45", "shift=0.5"):
        assert (found.pixels == 200).all()


def test_boxes_out_of_sight_go_and_others_are_clipped() -> None:
    # Moved 26 to the left: of 24 columns the first box keeps 4 (too few), the second 16, the third all.
    found = warped(ellipses((6, 5, 30, 21), (18, 30, 42, 46), (60, 30, 84, 46)), Affine(c=-26))
    assert found.boxes is not None and found.class_ids is not None
    assert found.class_ids.tolist() == [1, 2]
    assert found.boxes.tolist() == [[0, 30, 16, 46], [34, 30, 58, 46]]


def test_mirroring_is_exact_and_happens_half_the_time() -> None:
    for name, mirrored in (("flip", NOISE[:, ::-1]), ("vertical-flip", NOISE[::-1])):
        found = [one.pixels for one in variants(Example(NOISE), name, count=400)]
        same, other = sum((one == NOISE).all() for one in found), sum((one == mirrored).all() for one in found)
        assert same + other == 400 and 160 < other < 240


def test_shifts_move_whole_pixels_all_as_often() -> None:
    steps = {(down, right): 0 for down in (-1, 0, 1) for right in (-1, 0, 1)}
    for found in variants(Example(NOISE), "shift=0.03", count=450):
        inner = found.pixels[1:-1, 1:-1]
        for down, right in steps:
            steps[down, right] += bool((NOISE[1 - down : 31 - down, 1 - right : 23 - right] == inner).all())
    assert sum(steps.values()) == 450 and min(steps.values()) > 25


def test_amounts_are_the_limits() -> None:
    square = ellipses((40, 28, 56, 44))
    sides = [
        found.boxes[0, 2] - found.boxes[0, 0]
        for found in variants(square, "zoom=0.5", count=200)
        if found.boxes is not None
    ]
    assert min(sides) == pytest.approx(16 / 1.5, abs=0.3) and max(sides) == pytest.approx(24, abs=0.3)
    ramp = Example(np.arange(100, dtype=np.uint8)[None, :, None].repeat(100, 0).repeat(3, 2))
    spans = [int(np.ptp(found.pixels)) / 100 for found in variants(ramp, "crop=0.25", count=200)]
    # A quarter of the area at sides of 4/3 is 0.5 * sqrt(4/3) wide.
    assert min(spans) == pytest.approx(0.43, abs=0.04) and max(spans) > 0.95


def test_a_shrunken_picture_is_smoothed_not_thinned_out() -> None:
    stripes = np.zeros((66, 66, 3), np.uint8)
    stripes[:, ::2] = 255
    found = warped(Example(stripes), Affine(a=1 / 3, e=1 / 3), (22, 22)).pixels
    assert np.abs(found.astype(int) - 127).max() < 60


def test_examples_without_boxes_or_masks_stay_so() -> None:
    found = Policy(["rotate", "mosaic=1", "cutout"])(Example(NOISE), np.random.default_rng(0), lambda: Example(NOISE))
    assert found.boxes is None and found.mask is None and found.class_ids is None and found.label is None
