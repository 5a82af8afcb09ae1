"""A picture of what augmentation makes of examples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.datasets.masks import IGNORED
from edgevision.runtime.drawing import Canvas
from edgevision.runtime.files import replaced
from edgevision.runtime.spec import ColorOrder
from edgevision.trainers.augment.policy import Policy
from edgevision.trainers.examples import Example, Examples
from edgevision.trainers.images import rgb

#: Pictures are enlarged by whole factors to at least so many pixels a side.
_LEAST_SIDE = 160
_GAP = 6
#: Boxes of a picture with more than so many bear no names.
_NAMED = 12


def augmentation_sheet(
    examples: Examples,
    policy: Policy,
    path: str | Path,
    *,
    rows: int = 6,
    columns: int = 6,
    seed: int = 0,
    color: ColorOrder = "rgb",
) -> None:
    """Write a PNG: a row an example, as it is on the left, beside it as training may see it.

    Boxes and masks are drawn, what is ``IGNORED`` is dark, and labels are written with their shares. Of a window of
    frames the first is shown.

    Args:
        examples: Some are drawn.
        policy: What is done to them.
        path: The PNG to write.
        rows: How many examples, at most.
        columns: How many variants beside the original.
        seed: Chooses examples and changes.
        color: Colour order of the examples.
    """
    random = np.random.default_rng(seed)
    places = random.permutation(len(examples))[:rows]

    def draw() -> Example:
        return examples[int(random.integers(len(examples)))]

    grid = [
        [example, *(policy(example, random, draw) for _ in range(columns))]
        for example in (examples[int(place)] for place in places)
    ]
    sheet = _sheet([[_cell(example, examples.labels, color) for example in row] for row in grid])
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replaced(target) as temporary:
        sheet.save(temporary, "PNG")


def _sheet(cells: list[list[Image.Image]]) -> Image.Image:
    """A row an example; the originals, on the left, stand apart from what was made of them."""
    height, width = cells[0][0].height + _GAP, cells[0][0].width + _GAP
    sheet = Image.new("RGB", (width * len(cells[0]) + 2 * _GAP, height * len(cells) + _GAP), "white")
    for row, line in enumerate(cells):
        for column, cell in enumerate(line):
            sheet.paste(cell, (_GAP + column * width + (_GAP if column else 0), _GAP + row * height))
    return sheet


def _cell(example: Example, labels: tuple[str, ...], color: ColorOrder) -> Image.Image:
    pixels = example.pixels if example.pixels.ndim == 3 else example.pixels[0]
    pixels = rgb(pixels, color)
    factor = -(-_LEAST_SIDE // max(pixels.shape[:2]))
    if example.mask is not None:
        pixels = np.where((example.mask == IGNORED)[..., None], pixels // 4, pixels)
    canvas = Canvas(_enlarged(pixels, factor))
    if example.mask is not None:
        large = _enlarged(example.mask, factor)
        for index in np.unique(large[large != IGNORED]):
            canvas.tint(large == index, (0, 0, *large.shape), int(index))
    if example.boxes is not None and example.class_ids is not None:
        crowded = len(example.boxes) > _NAMED  # names would hide what is in the boxes
        for box, index in zip(example.boxes, example.class_ids):
            canvas.box(box * factor, "" if crowded else labels[int(index)], int(index))
    for row, (text, index) in enumerate(_captions(example.label, labels)):
        canvas.caption(text, index, row)
    return canvas.image


def _captions(shares: NDArray[np.float32] | None, labels: tuple[str, ...]) -> list[tuple[str, int]]:
    if shares is None:
        return []
    order = [int(index) for index in np.argsort(-shares, kind="stable") if shares[index] > 0.005]
    return [
        (labels[index] if shares[index] > 0.995 else f"{shares[index]:.2f} {labels[index]}", index) for index in order
    ]


def _enlarged(array: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    return array.repeat(factor, axis=0).repeat(factor, axis=1)
