from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from edgevision.trainers.augment import Policy, augmentation_sheet
from edgevision.trainers.examples import Example, Examples
from tests.trainers.augment.scenes import ellipses


class Few(Examples):
    labels = ("one", "two")

    def __init__(self, *examples: Example) -> None:
        self._examples = examples

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> Example:
        return self._examples[index]

    def name(self, index: int) -> str:
        return str(index)

    def content_hash(self) -> str:
        return ""


def test_a_row_an_example(tmp_path: Path) -> None:
    scene = ellipses((20, 15, 60, 60))
    augmentation_sheet(Few(scene, scene), Policy(["rotate=30", "zoom"]), tmp_path / "new" / "s.png", rows=5, columns=3)
    # 96 x 72 is doubled to reach 160 pixels.
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["s.png"]
    sheet = np.asarray(Image.open(tmp_path / "new" / "s.png"))
    assert sheet.shape == (2 * (144 + 6) + 6, 4 * (192 + 6) + 12, 3)
    original = sheet[6:150, 6:198]
    frame = original[30, 45:115]  # the upper edge of the box, twice as large, between name and corner
    assert (frame == frame[-1]).all() and (original[75, 80] != original[75, 20]).any()


def test_colors_come_in_the_right_order(tmp_path: Path) -> None:
    blue = Example(np.tile(np.array([250, 20, 10], np.uint8), (80, 80, 1)))
    augmentation_sheet(Few(blue), Policy(()), tmp_path / "s.png", columns=1, color="bgr")
    assert np.asarray(Image.open(tmp_path / "s.png"))[50, 50].tolist() == [10, 20, 250]
    gray = Example(np.full((80, 80, 1), 90, np.uint8))
    for color in ("gray", "rgb"):
        augmentation_sheet(Few(gray), Policy(()), tmp_path / "s.png", columns=1, color=color)
        assert np.asarray(Image.open(tmp_path / "s.png"))[50, 50].tolist() == [90, 90, 90]
