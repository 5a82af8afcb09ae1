from __future__ import annotations

import os
import pickle
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgevision.datasets import open_dataset, open_images
from edgevision.runtime.errors import DatasetError, ImageError

Make = Callable[..., Path]
CLASSES = ["cat/1.png", "cat/2.png", "dog/1.png"]
SPLITS = ["train/cat/1.png", "train/dog/2.png", "val/cat/1.png", "test/dog/9.png"]


@pytest.fixture(params=["folder", "packed"])
def make(request: pytest.FixtureRequest) -> Make:
    """Everything here holds for a folder and for a zip."""
    built: Make = request.getfixturevalue(request.param)
    return built


def test_classes_are_the_folder_names_in_order(make: Make) -> None:
    data = open_dataset(make(["dog/1.png", "cat/2.png", "cat/1.png"]))
    assert data.labels == ("cat", "dog")
    assert [(sample.name, sample.label) for sample in data] == [("cat/1.png", 0), ("cat/2.png", 0), ("dog/1.png", 1)]
    assert data.split == "all" and data.splits == ("all",)
    assert data.targets.tolist() == [0, 0, 1] and data.targets.dtype == np.int64


def test_images_decode_to_rgb(make: Make) -> None:
    image = open_dataset(make(CLASSES))[2].decode()
    assert image.shape == (3, 4, 3) and image.dtype == np.uint8
    assert image[0, 0].tolist() == [2, 2, 253]


def test_splits_on_top(make: Make) -> None:
    path = make(SPLITS)
    assert open_dataset(path).split == "test"
    assert open_dataset(path, prefer="train").split == "train"
    assert open_dataset(path, "val").targets.tolist() == [0]
    assert open_dataset(path).splits == ("train", "val", "test")
    assert open_dataset(path, "test").labels == ("cat", "dog"), "labels are those of all splits"


@pytest.mark.parametrize("name", ["valid", "Validation", "VAL"])
def test_other_spellings_of_val(make: Make, name: str) -> None:
    assert open_dataset(make(["train/a/1.png", f"{name}/a/1.png"])).split == "val"


def test_without_a_test_split_val_is_judged_on(make: Make) -> None:
    path = make(["train/a/1.png", "val/a/1.png"])
    assert open_dataset(path).split == "val"
    with pytest.raises(DatasetError, match="no split 'test': expected train or val"):
        open_dataset(path, "test")


def test_training_never_falls_back_on_another_split(make: Make) -> None:
    with pytest.raises(DatasetError, match="no split 'train'"):
        open_dataset(make(["val/a/1.png", "test/a/1.png"]), prefer="train")


def test_one_wrapping_folder_is_looked_through(make: Make) -> None:
    assert open_dataset(make([f"my data/{path}" for path in CLASSES])).labels == ("cat", "dog")


def test_wrapping_folder_around_splits(make: Make) -> None:
    data = open_dataset(make([f"a/b/{path}" for path in SPLITS]))
    assert data.split == "test" and data[0].name == "a/b/test/dog/9.png"


def test_a_class_may_be_called_train(make: Make) -> None:
    assert open_dataset(make(["car/1.png", "train/1.png"])).labels == ("car", "train")


def test_nested_folders_belong_to_the_class_on_top(make: Make) -> None:
    data = open_dataset(make(["cat/indoor/a/1.png", "cat/2.png", "dog/1.png"]))
    assert data.labels == ("cat", "dog") and len(data) == 3


@pytest.mark.parametrize("name", ["1.PNG", "1.JpEg", "photo.2024.png", "naïve käse 猫.png", "a%20b#c?.png", "-x.png"])
def test_odd_file_names(make: Make, name: str) -> None:
    data = open_dataset(make([f"cat/{name}", "dög/1.png"]))
    assert data.labels == ("cat", "dög") and data[0].name == f"cat/{name}"
    assert data[0].decode().shape == (3, 4, 3)


@pytest.mark.parametrize("clutter", [".DS_Store", "cat/._1.png", "__MACOSX/cat/._1.png", ".git/x.png", "cat/Thumbs.db"])
def test_system_clutter_is_ignored(make: Make, clutter: str) -> None:
    assert len(open_dataset(make([*CLASSES, clutter]))) == 3


def test_same_content_same_hash_in_folder_zip_and_order(folder: Make, packed: Make) -> None:
    one = open_dataset(folder(CLASSES)).content_hash()
    assert one == open_dataset(packed(CLASSES)).content_hash()
    assert one == open_dataset(packed(CLASSES, "b.zip")).subset([2, 0, 1]).content_hash()
    assert one != open_dataset(packed(["cat/1.png", "dog/2.png", "dog/1.png"], "c.zip")).content_hash()


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "holds no images"),
        (["notes.txt", "cat/readme.md"], r"holds no images: .*\.md, \.txt"),
        (["1.png", "2.png"], "outside class folders: expected CLASS/IMAGE"),
        (["cat/1.png", "2.png"], r"outside class folders.* got 2.png \(1 of 2\)"),
        (["train/1.png", "test/2.png"], "outside class folders"),
        (["train/cat/1.png", "train/2.png"], r"outside class folders.* got train/2.png"),
        (["train/cat/1.png", "2.png"], r"outside class folders.* got 2.png"),
        ([*CLASSES, "empty/"], "no images in class folder empty/"),
        ([*SPLITS, "train/bird/", "test/bird/notes.txt"], "no images in class folder bird/"),
        ([*SPLITS, "extra/deep/1.png"], "mixes splits and other folders.*move the other folders out"),
    ],
)
def test_unusable_layouts_say_what_is_wrong(make: Make, paths: list[str], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        open_dataset(make(paths))


def test_images_without_labels_from_any_depth(make: Make) -> None:
    data = open_images(make(["1.png", "a/2.png", "a/b/c/3.PNG"]))
    assert [sample.name for sample in data] == ["1.png", "a/2.png", "a/b/c/3.PNG"]
    assert all(sample.label is None for sample in data) and data.labels == ()
    with pytest.raises(DatasetError, match="no labels"):
        _ = data.targets


def test_calibration_keeps_away_from_the_test_split(make: Make) -> None:
    path = make(SPLITS)
    assert [sample.name for sample in open_images(path)] == ["train/cat/1.png", "train/dog/2.png"]
    assert open_images(path, "test").split == "test"


def test_splits_of_unlabelled_images(make: Make) -> None:
    assert len(open_images(make(["train/1.png", "test/2.png"]))) == 1


def test_no_images_at_all(make: Make) -> None:
    with pytest.raises(DatasetError, match="holds no images"):
        open_images(make(["notes.txt"]))


def test_a_file_that_is_no_image_is_named_when_decoded(folder: Make) -> None:
    root = folder(CLASSES)
    (root / "cat" / "1.png").write_bytes(b"not a picture")
    with pytest.raises(ImageError, match=r"cat/1\.png is not an image"):
        open_dataset(root)[0].decode()


def test_a_damaged_member_is_named_when_decoded(packed: Make) -> None:
    path = packed(CLASSES)
    data = open_dataset(path)
    raw = bytearray(path.read_bytes())
    raw[raw.find(b"cat/2.png") + 20] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(ImageError, match=r"cat/2\.png"):
        data[1].decode()


def test_a_file_gone_since_opening(folder: Make) -> None:
    data = open_dataset(folder(CLASSES))
    path = data[1].image
    assert isinstance(path, Path)
    path.unlink()
    with pytest.raises(ImageError, match=r"cat/2\.png"):
        data[1].decode()
    with pytest.raises(ImageError, match=r"cat/2\.png"):
        data.content_hash()


def test_names_that_are_not_utf8(folder: Make) -> None:
    root = folder(["dog/1.png"])
    odd = root / os.fsdecode(b"caf\xe9")
    odd.mkdir()
    (odd / os.fsdecode(b"\xff.png")).write_bytes((root / "dog" / "1.png").read_bytes())
    data = open_dataset(root)
    assert data.labels == ("caf\\xe9", "dog")
    data[0].name.encode("utf-8")
    assert data[0].decode().shape == (3, 4, 3)


def test_circles_of_links_end(folder: Make) -> None:
    root = folder(CLASSES)
    (root / "cat" / "again").symlink_to(root / "cat")
    assert {sample.label for sample in open_dataset(root)} == {0, 1}


def test_linked_class_folders_are_followed(folder: Make) -> None:
    real, root = folder(CLASSES, "real"), folder([], "links")
    for name in ("cat", "dog"):
        (root / name).symlink_to(real / name)
    assert len(open_dataset(root)) == 3


def test_members_that_climb_out_are_not_read_and_nothing_is_unpacked(packed: Make, tmp_path: Path) -> None:
    path = packed([*CLASSES, "../evil.png", "cat/../../evil.png"])
    before = sorted(tmp_path.rglob("*"))
    data = open_dataset(path)
    assert [sample.name for sample in data] == CLASSES
    assert sorted(tmp_path.rglob("*")) == before


def test_backslashes_and_unmarked_utf8_in_member_names(tmp_path: Path, packed: Make) -> None:
    path = packed(["k\u00e4fer\\1.png", "dog\\1.png"])
    raw = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[0].flag_bits & 0x800
    unmarked = raw.replace(b"\x00\x08\x08\x00", b"\x00\x00\x08\x00")
    path.write_bytes(unmarked)
    assert open_dataset(path).labels == ("dog", "k\u00e4fer")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"anything"])
def test_a_zip_that_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.zip"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"data\.zip cannot be read as a zip.*unpack it"):
        open_dataset(path)


def test_a_protected_zip(packed: Make) -> None:
    path = packed(CLASSES)
    raw = bytearray(path.read_bytes())
    for start in (i for i in range(len(raw)) if bytes(raw[i : i + 4]) in (b"PK\x01\x02", b"PK\x03\x04")):
        raw[start + (8 if raw[start + 2] == 1 else 6)] |= 1
    path.write_bytes(raw)
    with pytest.raises(DatasetError, match="protected by a password"):
        open_dataset(path)


def test_a_zip_is_read_from_many_threads_and_pickles(packed: Make) -> None:
    data = open_dataset(packed([f"{label}/{i}.png" for label in "ab" for i in range(40)]))
    wanted = [sample.image for sample in data]
    wrong: list[int] = []

    def read(copy: object) -> None:
        for _ in range(5):
            wrong.extend(i for i in range(len(data)) if data[i].image != wanted[i])

    threads = [threading.Thread(target=read, args=(data,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert [sample.image for sample in pickle.loads(pickle.dumps(data))] == wanted


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_reads_with_its_own_handle(packed: Make) -> None:
    data = open_dataset(packed([f"{label}/{i}.png" for label in "ab" for i in range(20)]))
    wanted = [sample.image for sample in data]
    child = os.fork()
    if not child:
        os._exit(0 if all(data[i].image == wanted[i] for i in range(40)) else 1)
    assert [sample.image for sample in data] == wanted
    assert os.waitpid(child, 0)[1] == 0
