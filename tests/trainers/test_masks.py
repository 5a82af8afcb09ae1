from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevision.datasets import open_masks
from edgevision.datasets.masks import IGNORED
from edgevision.runtime.errors import DatasetError
from edgevision.runtime.preprocess import resize
from edgevision.runtime.spec import Preprocessing
from edgevision.trainers.masks import MaskedImages, class_names, resized_mask

SIZES = [(20, 30), (5, 7), (37, 16)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("policy", ["stretch", "crop", "letterbox"])
def test_a_mask_goes_where_its_image_goes(size: tuple[int, int], policy: str) -> None:
    mask = np.random.default_rng(0).integers(0, 9, size, dtype=np.uint8)
    p = Preprocessing(12, 18, resize=policy, interpolation="nearest", antialias=False, fill=IGNORED)  # type: ignore[arg-type]
    expected = resize(np.repeat(mask[..., None], 3, 2), p)[..., 0]
    assert np.array_equal(resized_mask(mask, p), expected)


def write(folder: Path, masks: list[list[int]], names: str = "") -> Path:
    """Images of 2x3 pixels; each mask is one row, twice."""
    for number, row in enumerate(masks):
        for kind, pixels in (("images", np.full((2, 3, 3), 9 * number)), ("masks", np.array([row, row]))):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / kind / f"{number}.png")
    if names:
        (folder / "classes.txt").write_text(names)
    return folder


def test_what_is_void_is_no_class(tmp_path: Path) -> None:
    data = open_masks(write(tmp_path, [[0, 1, 2], [2, 2, 1]], "sky\nVoid\nroad"))
    assert class_names(data) == ("sky", "road")
    found = MaskedImages(data.aligned_to(class_names(data)), Preprocessing(2, 3))
    assert found.masks[0].tolist() == [[0, IGNORED, 1]] * 2 and found.pixels_of().tolist() == [2, 6]
    assert found[1].mask is found.masks[1] or np.array_equal(found[1].mask, found.masks[1])  # type: ignore[arg-type]
    assert np.array_equal(found[1].pixels, np.full((2, 3, 3), 9)) and found.name(1).endswith("1.png")


def test_the_hash_is_of_images_and_masks(tmp_path: Path) -> None:
    hashes = set()
    for name, masks in (("a", [[0, 1, 1]]), ("b", [[0, 1, 0]]), ("c", [[0, 1, 1]])):
        data = open_masks(write(tmp_path / name, masks))
        hashes.add(MaskedImages(data.aligned_to(class_names(data)), Preprocessing(2, 3)).content_hash())
    assert len(hashes) == 2


def test_classes_without_names_are_counted(tmp_path: Path) -> None:
    assert class_names(open_masks(write(tmp_path / "a", [[0, 1, 1], [3, 0, IGNORED]]))) == ("0", "1", "2", "3")
    with pytest.raises(DatasetError, match="masks of two or more classes, got 0"):
        class_names(open_masks(write(tmp_path / "b", [[0, 0, IGNORED]])))
