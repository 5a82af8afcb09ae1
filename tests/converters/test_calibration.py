from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgevision.converters import calibration
from edgevision.converters.calibration import CalibrationSet, PixelSet
from edgevision.datasets import open_images
from edgevision.runtime.errors import DatasetError, ImageError
from edgevision.runtime.images import decode
from edgevision.runtime.preprocess import resize
from edgevision.runtime.spec import Preprocessing
from tests.converters.models import SIZE, Pixels, pictures, write_folder

P = Preprocessing(SIZE, SIZE)


def save(path: Path, count: int) -> tuple[Path, Pixels]:
    images, _ = pictures(count)
    np.savez(path, images=images)
    return path, images


def content(pixels: PixelSet) -> list[bytes]:
    return [image.tobytes() for batch in pixels.batches() for image in batch["image"]]


def test_three_groups_that_do_not_overlap(tmp_path: Path) -> None:
    path, images = save(tmp_path / "d.npz", 50)
    data = CalibrationSet(path, P)
    groups = [content(group) for group in (data.ranges, data.choice, data.judgement)]
    assert [len(group) for group in groups] == [20, 10, 20] and not data.is_shared and data.count == 50
    assert len({image for group in groups for image in group}) == 50, "all of them, each once"
    assert {image for group in groups for image in group} == {image.tobytes() for image in images}


def test_ten_images_are_enough_for_three_groups_and_nine_are_not(tmp_path: Path) -> None:
    data = CalibrationSet(save(tmp_path / "ten.npz", 10)[0], P)
    assert [len(group) for group in (data.ranges, data.choice, data.judgement)] == [4, 2, 4] and not data.is_shared
    data = CalibrationSet(save(tmp_path / "nine.npz", 9)[0], P)
    assert [len(group) for group in (data.ranges, data.choice, data.judgement)] == [9, 9, 9] and data.is_shared
    data = CalibrationSet(save(tmp_path / "one.npz", 1)[0], P)
    assert len(data.ranges) == data.count == 1


def test_large_sets_are_cut(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2000, 4, 4, 3), dtype=np.uint8)
    np.savez(tmp_path / "d.npz", images=images)
    data = CalibrationSet(tmp_path / "d.npz", Preprocessing(4, 4))
    assert [len(group) for group in (data.ranges, data.choice, data.judgement)] == [500, 200, 1000]
    assert data.count == 1700


def test_groups_are_mixed_and_the_same_every_time(photos: Path) -> None:
    one, two, other = (CalibrationSet(photos, P, seed=seed) for seed in (0, 0, 1))
    assert content(one.ranges) == content(two.ranges) != content(other.ranges)
    names = {name.split("/")[0] for name in one.ranges.names}
    assert len(names) == 4, "folders are sorted by class; a group must not be"


def test_pixels_are_those_of_the_device(photos: Path) -> None:
    p = Preprocessing(9, 7, color="bgr", resize="crop", interpolation="nearest")
    images = open_images(photos)
    pixels = PixelSet(images, p)
    expected = [resize(decode(sample.image), p) for sample in images]
    found = np.concatenate([batch["image"] for batch in pixels.batches(17)])
    assert found.dtype == np.uint8 and found.shape == (80, 9, 7, 3)
    np.testing.assert_array_equal(found, expected)
    assert [len(batch["image"]) for batch in pixels.batches(32)] == [32, 32, 16]
    np.testing.assert_array_equal(pixels.head(5, 78)["image"], expected[78:])


def test_beyond_the_cache_images_are_decoded_anew(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = content(PixelSet(open_images(photos), P))
    monkeypatch.setattr(calibration, "_CACHE_BYTES", 3 * P.height * P.width * P.channels + 1)
    fresh = PixelSet(open_images(photos), P)
    assert content(fresh) == content(fresh) == cached and sorted(fresh._cache) == [0, 1, 2]


def test_the_hash_is_of_the_images(photos: Path, tmp_path: Path) -> None:
    reference = CalibrationSet(photos, P).sha256
    with zipfile.ZipFile(tmp_path / "same.zip", "w") as archive:
        for file in sorted(photos.rglob("*.png")):
            archive.write(file, file.relative_to(photos))
    assert CalibrationSet(tmp_path / "same.zip", P).sha256 == reference
    other = tmp_path / "other"
    shutil.copytree(photos, other)
    victim = next(other.rglob("*.png"))
    shutil.copy(next(file for file in photos.rglob("*.png") if file.name != victim.name), victim)
    assert CalibrationSet(other, P).sha256 != reference


def test_any_layout_of_folders_will_do(photos: Path, tmp_path: Path) -> None:
    for number, file in enumerate(sorted(photos.rglob("*.png"))[:12]):
        target = tmp_path / "deep" / str(number % 3) / "more" / str(number % 2) / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    assert CalibrationSet(tmp_path / "deep", P).count == 12


def test_test_images_take_no_part(tmp_path: Path) -> None:
    images, targets = pictures(40)
    for split, part in (("train", slice(0, 24)), ("test", slice(24, 40))):
        write_folder(tmp_path / "d" / split, images[part], targets[part])
    data = CalibrationSet(tmp_path / "d", P)
    assert data.count == 24
    used = content(data.ranges) + content(data.choice) + content(data.judgement)
    assert set(used) == {image.tobytes() for image in images[:24]}


def test_an_empty_folder_and_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="empty"):
        CalibrationSet(tmp_path / "empty", P)
    with pytest.raises(DatasetError, match=r"gone.*check the path"):
        CalibrationSet(tmp_path / "gone", P)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("x")
    with pytest.raises(DatasetError, match="texts"):
        CalibrationSet(tmp_path / "texts", P)
    np.savez(tmp_path / "none.npz", images=np.zeros((0, 4, 4, 3), np.uint8))
    with pytest.raises(DatasetError):
        CalibrationSet(tmp_path / "none.npz", P)


def test_a_damaged_image_is_named(photos: Path, tmp_path: Path) -> None:
    shutil.copytree(photos, tmp_path / "d")
    victim = sorted((tmp_path / "d").rglob("*.png"))[7]
    victim.write_bytes(victim.read_bytes()[:60])
    data = CalibrationSet(tmp_path / "d", P)
    with pytest.raises(ImageError, match=victim.name):
        for group in (data.ranges, data.choice, data.judgement):
            content(group)
