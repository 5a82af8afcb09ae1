from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgevision.datasets.masks import IGNORED
from edgevision.trainers.augment import Policy
from edgevision.trainers.examples import Example
from tests.trainers.augment.scenes import ellipses, flat, variants

BLACK, WHITE = flat(0, (1, 0)), flat(200, (0, 1))


def share_of(found: Example) -> float:
    """How much of it is WHITE's, by its label."""
    assert found.label is not None and found.label.sum() == pytest.approx(1, abs=1e-6)
    return float(found.label[1])


def test_mixup_mixes_labels_like_pixels() -> None:
    shares = []
    for found in variants(BLACK, "mixup=1", others=(WHITE,), count=60):
        shares.append(share_of(found))
        assert np.abs(found.pixels - 200 * shares[-1]).max() <= 0.51
        assert found.boxes is not None and found.boxes.tolist() == [[0, 0, 60, 40]] * 2
        assert found.class_ids is not None and found.class_ids.tolist() == [0, 200]
        assert found.mask is not None and (found.mask == (200 if shares[-1] > 0.5 else 0)).all()
    assert min(shares) < 0.1 and max(shares) > 0.9
    # With a small amount one of the two rules.
    mild = [share_of(found) for found in variants(BLACK, "mixup=0.05", others=(WHITE,), count=60)]
    assert np.mean([min(share, 1 - share) for share in mild]) < 0.1


def test_cutmix_mixes_labels_like_areas() -> None:
    counts = set()
    for found in variants(BLACK, "cutmix=1", others=(WHITE,), count=60):
        white = found.pixels[..., 0] == 200
        assert share_of(found) == pytest.approx(white.mean(), abs=1e-6)
        assert found.mask is not None and ((found.mask == 200) == white).all()
        assert found.boxes is not None and found.class_ids is not None
        kept = dict(zip(found.class_ids.tolist(), found.boxes.tolist()))
        rows, columns = np.flatnonzero(white.any(axis=1)), np.flatnonzero(white.any(axis=0))
        # A box of the whole picture is clipped to the rectangle, and kept where that is a quarter of it.
        assert (200 in kept) == (white.mean() >= 0.25) and (0 in kept) == (white.mean() <= 0.75)
        if 200 in kept:
            assert kept[200] == [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        counts.add(len(kept))
    assert counts == {1, 2}
    unmixed = sum(share_of(found) == 0 for found in variants(BLACK, "cutmix=0.5", others=(WHITE,), count=200))
    assert 70 < unmixed < 130


def test_mosaic_shows_four_examples_side_by_side() -> None:
    four = [flat(value, tuple(np.eye(4)[index])) for index, value in enumerate((10, 60, 110, 160))]
    middles, kept = set(), 0
    for found in variants(four[0], "mosaic=1", others=tuple(four[1:]), count=30):
        values = found.pixels[..., 0]
        assert found.mask is not None and (found.mask == values).all()
        assert found.label is not None
        assert found.label.tolist() == pytest.approx(
            [(values == value).mean() for value in (10, 60, 110, 160)], abs=1e-5
        )
        assert found.boxes is not None and found.class_ids is not None
        for (x1, y1, x2, y2), value in zip(found.boxes.astype(int), found.class_ids):
            assert (values[y1:y2, x1:x2] == value).all() and (x2 - x1) * (y2 - y1) == (values == value).sum()
        kept += len(found.boxes)
        width, height = int((values[0] == 10).sum()), int((values[:, 0] == 10).sum())
        middles.add((width, height))
        assert 15 <= width <= 45 and 10 <= height <= 30
    # A narrow part of an example that was not shrunk much is too little of its box.
    assert len(middles) > 15 and 90 < kept < 120


def test_objects_of_a_mosaic_lie_where_their_boxes_say() -> None:
    scenes = [
        ellipses((30, 20, 60, 45)),
        ellipses((10, 10, 50, 60)),
        ellipses((60, 40, 90, 70)),
        ellipses((5, 30, 40, 66)),
    ]
    seen = 0
    for found in variants(scenes[0], "mosaic=1", others=tuple(scenes[1:]), count=30):
        assert found.boxes is not None and found.mask is not None
        for x1, y1, x2, y2 in found.boxes:
            x, y = int((x1 + x2) / 2), int((y1 + y2) / 2)
            seen += found.mask[y, x] == 1
        light = found.pixels[..., 0] > 125
        assert (light == (found.mask == 1)).mean() > 0.97
    assert seen > 60


def test_a_mosaic_shows_any_part() -> None:
    ramp = np.arange(40, dtype=np.uint8)
    picture = Example(
        np.stack([ramp[:, None].repeat(40, 1), ramp[None].repeat(40, 0), ramp[None].repeat(40, 0)], axis=2)
    )
    corners = [one.pixels[0, 0].astype(int) for one in variants(picture, "mosaic=1", others=(picture,) * 3)]
    assert np.std(corners, axis=0)[:2].min() > 3


def test_cutout_hides_a_rectangle() -> None:
    whole = 0
    for found in variants(WHITE, "cutout=0.5", count=60):
        hidden = (found.pixels == 128).all(axis=-1)
        rows, columns = np.flatnonzero(hidden.any(axis=1)), np.flatnonzero(hidden.any(axis=0))
        assert hidden.sum() == len(rows) * len(columns) and 10 <= len(rows) <= 20 and 15 <= len(columns) <= 30
        assert (found.pixels[~hidden] == 200).all()
        assert found.mask is not None and ((found.mask == IGNORED) == hidden).all()
        assert found.label is not None and found.label.tolist() == [0, 1]
        whole += hidden.sum() == 20 * 30
    assert 5 < whole < 40


def test_boxes_below_a_cutout_go() -> None:
    # Left, middle and right; a cutout of a third of the width never hides more than two.
    scene = ellipses((0, 24, 24, 48), (36, 24, 60, 48), (72, 24, 96, 48))
    for found in variants(scene, "cutout=0.5", count=60):
        hidden = (found.pixels == 128).all(axis=-1)
        wanted = [index for index, left in enumerate((0, 36, 72)) if hidden[24:48, left : left + 24].mean() <= 0.75]
        assert found.class_ids is not None and found.class_ids.tolist() == wanted
        assert found.boxes is not None and set(found.boxes[:, 2] - found.boxes[:, 0]) <= {24}


def test_a_mixed_example_is_mixed_in_only_once() -> None:
    draws = []

    def draw() -> Example:
        draws.append(1)
        return dataclasses.replace(WHITE)

    Policy(["mixup", "cutmix=1"])(BLACK, np.random.default_rng(0), draw)
    assert len(draws) == 2
