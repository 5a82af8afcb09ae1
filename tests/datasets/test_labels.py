"""Boxes, masks, pairs, clips and tables of labels: what is read, and what is said of files that are damaged."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgevision.datasets import open_boxes, open_clips, open_images, open_masks, open_pairs, open_tags, pairs
from edgevision.datasets.latents import open_latents
from edgevision.datasets.masks import IGNORED
from edgevision.datasets.splits import rarest, stratified
from edgevision.runtime.errors import DatasetError
from tests.shared_data import shared_path

VOC = """<annotation><filename>{name}</filename><size><width>20</width><height>10</height></size>
<object><name>dog</name><difficult>1</difficult><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>20</xmax><ymax>10</ymax>
</bndbox></object><object><name>cat</name><bndbox><xmin>3</xmin><ymin>2</ymin><xmax>6</xmax><ymax>4</ymax></bndbox>
</object></annotation>"""


def _image(path: Path, size: tuple[int, int] = (20, 10), value: int = 0, mode: str = "L") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)
    return path


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _zipped(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder), "zip", folder))


def _coco(root: Path) -> tuple[Path, dict[str, Any]]:
    """The official layout: val2017/0.png beside annotations/instances_val2017.json, and captions nobody asked for."""
    for folder in ("train2017", "val2017"):
        _image(root / folder / "0.png")
    plain = {
        "images": [{"id": 7, "file_name": "0.png", "width": 20, "height": 10}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 9, "bbox": [1.5, 2, 10, 5], "iscrowd": 1}],
        "categories": [{"id": 9, "name": "dog"}, {"id": 3, "name": "cat"}],
    }
    for split in ("train", "val"):
        _write(root / f"annotations/instances_{split}2017.json", json.dumps(plain))
        _write(root / f"annotations/captions_{split}2017.json", json.dumps({**plain, "categories": []}))
    return root, plain


def test_coco_boxes_come_in_corners_with_classes_by_id(tmp_path: Path) -> None:
    root, _ = _coco(tmp_path / "data")
    for data in (root, _zipped(root)):
        found = open_boxes(data)
        assert (found.labels, found.split, found.images.splits) == (("cat", "dog"), "val", ("train", "val"))
        (truth,) = found.truths
        assert truth.xyxy.tolist() == [[1.5, 2, 11.5, 7]] and truth.class_ids.tolist() == [1]
        assert truth.crowd.all() and truth.ignored.all() and truth.size == (10, 20)
        assert found.images[0].name == "val2017/0.png" and found.images[0].decode().shape == (10, 20, 3)
    aligned = found.aligned_to(("bird", "dog", "cat"))
    assert aligned.truths[0].class_ids.tolist() == [1] and sorted(aligned.judged) == [1, 2]
    with pytest.raises(DatasetError, match="unknown: cat"):
        found.aligned_to(("dog", "bird"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda plain: plain["annotations"][0].pop("bbox"), "no 'bbox' in .*'category_id': 9"),
        (lambda plain: plain["annotations"][0].update(bbox=[1, 2, -3, 4]), "no box"),
        (lambda plain: plain["annotations"][0].update(bbox=[1, 2, float("nan"), 4]), "no box"),
        (lambda plain: plain["annotations"][0].update(image_id=8), "no 8 in"),
        (lambda plain: plain["annotations"][0].update(category_id=1), "no 1 in"),
        (lambda plain: plain["images"][0].update(file_name="9.png"), "not there: '9.png'"),
        (lambda plain: plain.update(images={}), "is no COCO file"),
        (lambda plain: plain["categories"][0].update(name="cat"), "different names"),
    ],
)
def test_damaged_coco_files_are_named(change: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path) -> None:
    root, plain = _coco(tmp_path)
    change(plain)
    _write(root / "annotations/instances_val2017.json", json.dumps(plain))
    with pytest.raises(DatasetError, match=rf"annotations/instances_val2017\.json.*{message}"):
        open_boxes(root)


def test_cut_off_and_ambiguous_coco_files_are_named(tmp_path: Path) -> None:
    root, plain = _coco(tmp_path)
    _write(root / "annotations/instances_val2017.json", json.dumps(plain)[:-20])
    with pytest.raises(DatasetError, match=r"instances_val2017\.json of .* is no JSON"):
        open_boxes(root)
    shutil.copy(root / "annotations/instances_train2017.json", root / "annotations/instances_train_b.json")
    with pytest.raises(DatasetError, match="several annotation files"):
        open_boxes(root)


def _voc(root: Path) -> Path:
    for stem in ("a", "b"):
        _image(root / f"JPEGImages/{stem}.png")
        _write(root / f"Annotations/{stem}.xml", VOC.format(name=f"{stem}.png"))
    _write(root / "ImageSets/Main/train.txt", "a\n")
    _write(root / "ImageSets/Main/test.txt", "b 1\n")
    _write(root / "ImageSets/Main/dog_test.txt", "a 1\n")
    return root


def test_voc_boxes_count_pixels_from_one_and_know_difficult_ones(tmp_path: Path) -> None:
    for data in (_voc(tmp_path / "voc"), _zipped(tmp_path / "voc")):
        found = open_boxes(data)
        assert (found.labels, found.split, len(found)) == (("cat", "dog"), "test", 1)
        assert found.images[0].name == "JPEGImages/b.png"
        (truth,) = found.truths
        assert truth.xyxy.tolist() == [[0, 0, 20, 10], [2, 1, 6, 4]] and truth.size == (10, 20)
        assert truth.ignored.tolist() == [True, False] and not truth.crowd.any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation><object>", "is no XML"),
        ("<html></html>", "<annotation>, got <html>"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', "declares entities"),
        (VOC.format(name="b.png").replace("<xmax>6", "<xmax>2"), "xmin <= xmax"),
        (VOC.format(name="b.png").replace("<ymax>4", "<ymax>four"), "four numbers, got 3, 2, 6, four"),
        (VOC.format(name="b.png").replace("<name>cat</name>", ""), "without a name"),
    ],
)
def test_damaged_voc_files_are_named(text: str, message: str, tmp_path: Path) -> None:
    _write(_voc(tmp_path) / "Annotations/b.xml", text)
    with pytest.raises(DatasetError, match=rf"Annotations/b\.xml of .*{message}"):
        open_boxes(tmp_path)


def test_an_annotation_without_its_image_is_named(tmp_path: Path) -> None:
    (_voc(tmp_path) / "JPEGImages/b.png").unlink()
    with pytest.raises(DatasetError, match=r"Annotations/b\.xml of .*not there"):
        open_boxes(tmp_path)


def _masks(root: Path) -> Path:
    _image(root / "images/test/1.png", mode="RGB")
    mask = Image.fromarray(np.array([[0, 1, 2, 255]], np.uint8).repeat(10, axis=0))
    mask = mask.convert("P")  # a palette: the index counts, not the colour
    (root / "masks/test").mkdir(parents=True, exist_ok=True)
    mask.save(root / "masks/test/1.png")
    _write(root / "classes.json", '["sky", "Void", "road"]')
    return root


def test_masks_are_paired_and_follow_the_models_labels(tmp_path: Path) -> None:
    _image(tmp_path / "m/images/test/train_2.png")  # its folder says the split, not its name
    _image(tmp_path / "m/masks/test/train_2.png")
    for data in (_masks(tmp_path / "m"), _zipped(tmp_path / "m")):
        found = open_masks(data).aligned_to(("road", "sky", "car"))
        assert found.mask(0)[0].tolist() == [1, 255, 0, 255]
        assert (found.judged.tolist(), found.split) == ([0, 1], "test") and len(found) == 2
    with pytest.raises(DatasetError, match="unknown: road"):
        open_masks(data).aligned_to(("sky", "car"))


def test_masks_beside_their_images_and_without_names(tmp_path: Path) -> None:
    _image(tmp_path / "a.jpg")
    _image(tmp_path / "a_mask.png", value=3)
    found = open_masks(tmp_path)
    assert found.labels == () and (found.aligned_to(tuple("wxyz")).mask(0) == 3).all()
    with pytest.raises(DatasetError, match=r"a_mask\.png has a class without a name.*0\.\.2.*value 3"):
        found.aligned_to(tuple("wxy")).mask(0)


def test_damaged_and_missing_masks_are_named(tmp_path: Path) -> None:
    root = _masks(tmp_path)
    (root / "masks/test/1.png").write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"masks/test/1\.png cannot be read"):
        open_masks(root).mask(0)
    _image(root / "masks/test/1.png", mode="RGB")
    with pytest.raises(DatasetError, match=r"masks/test/1\.png holds no indices.*RGB"):
        open_masks(root).mask(0)
    _write(root / "classes.json", '["sky", 3]')
    with pytest.raises(DatasetError, match=r"classes\.json of"):
        open_masks(root)
    _image(root / "images/test/2.png")
    with pytest.raises(DatasetError, match="none for test/2"):
        open_masks(root)


def test_pairs_are_listed_or_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for person, count in (("ann", 3), ("bea", 2)):
        for number in range(count):
            _image(tmp_path / f"faces/{person}/{number}.png", value=number)
    made = open_pairs(tmp_path)
    assert (len(made), len(made.pairs), int(made.same.sum())) == (5, 10, 4)
    people = made.images.targets
    assert ((people[made.pairs[:, 0]] == people[made.pairs[:, 1]]) == made.same).all()
    monkeypatch.setattr(pairs, "_LISTED", 3)
    monkeypatch.setattr(pairs, "MOST_PAIRS", 3)
    drawn = open_pairs(tmp_path)
    assert int(drawn.same.sum()) == 3 and len({tuple(pair) for pair in drawn.pairs.tolist()}) == len(drawn.pairs)
    assert ((people[drawn.pairs[:, 0]] == people[drawn.pairs[:, 1]]) == drawn.same).all()
    _write(tmp_path / "pairs.csv", "a,b,same\nfaces/ann/0.png,faces/ann/2.png,1\nfaces/ann/0.png,faces/bea/0.png,0\n")
    for data in (tmp_path, _zipped(tmp_path)):
        found = open_pairs(data)
        names = [[found.images[int(i)].name for i in pair] for pair in found.pairs]
        assert names == [["faces/ann/0.png", "faces/ann/2.png"], ["faces/ann/0.png", "faces/bea/0.png"]]
        assert found.same.tolist() == [True, False] and len(found) == 3
    _write(tmp_path / "pairs.csv", "faces/ann/0.png,faces/ann/2.png,1\nfaces/ann/0.png,faces/bea/0.png\n")
    with pytest.raises(DatasetError, match=r"pairs\.csv of .*no pair: 2"):
        open_pairs(tmp_path)
    _write(tmp_path / "pairs.csv", "faces/ann/0.png,faces/ann/2.png,1\n")
    with pytest.raises(DatasetError, match="1 same, 0 different"):
        open_pairs(tmp_path)


def test_outlines_of_objects_are_read_where_they_are_asked_for(tmp_path: Path) -> None:
    root, plain = _coco(tmp_path / "data")
    document = root / "annotations/instances_val2017.json"
    right = [[1, 1, 5, 1, 5, 4], [7, 7, 9, 7, 9, 9, 7, 9]]
    runs = {"size": [10, 20], "counts": [150, 10, 40]}
    for outline in (right, runs, {"size": [10, 20], "counts": "f4:X1"}):  # the same runs in COCO's text
        plain["annotations"][0]["segmentation"] = outline
        _write(document, json.dumps(plain))
        assert open_boxes(root, "val", also="outlines").truths[0].outlines == (outline,)
        assert open_boxes(root, "val").truths[0].outlines is None
    wrong: list[tuple[Any, str]] = [
        ([[1, 1, 5, 1]], "no polygon"),
        ([[1, 1, 5, 1, 1e9, 4]], "no polygon"),
        ({"size": [10, 21], "counts": [160, 10, 40]}, "not of the image's size"),
        ({"size": [10, 20], "counts": [150, 10]}, "do not fill"),
        ({"size": [10, 20], "counts": [210, -10]}, "do not fill"),
        ({"size": [10, 20], "counts": "f4:X"}, "break off"),
        ({"size": [10, 20], "counts": "\u00e9"}, "no text"),
        ({"size": [10, 20]}, "counts"),
        ("outline", "not usable"),
    ]
    for outline, said in wrong:
        plain["annotations"][0]["segmentation"] = outline
        _write(document, json.dumps(plain))
        with pytest.raises(DatasetError, match=said):
            open_boxes(root, "val", also="outlines")
    box = {"id": 2, "image_id": 7, "category_id": 9, "bbox": [1, 2, 3, 4], "segmentation": right}
    plain["annotations"] = [box, {**box, "segmentation": []}]
    _write(document, json.dumps(plain))
    with pytest.raises(DatasetError, match="no outline, which others have"):
        open_boxes(root, "val", also="outlines")
    assert len(open_boxes(root, "val").truths[0]) == 2


def test_clips_are_cut_into_windows_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for label, clip, count in (("run", "one", 11), ("run", "two", 4), ("walk", "", 4)):
        for number in range(count):
            _image(tmp_path / label / clip / f"f{number}.png")
    found = open_clips(tmp_path)
    assert [name for name, _ in found.clips] == ["run/one", "run/two", "walk"]
    windows = found.windows(4)
    assert [frame.name for frame in windows[1]] == [f"run/one/f{n}.png" for n in (4, 5, 6, 7)]
    assert windows.targets.tolist() == [0, 0, 0, 1] and windows.names[1] == "run/one/f4.png to f7.png"
    overlapping = found.windows(4, stride=3)
    assert [window[0].name[-6:] for window in map(overlapping.__getitem__, range(5))] == [
        *("f0.png", "f3.png", "f6.png"),
        *("f0.png", "f0.png"),
    ]
    part = overlapping.subset([1, 4])
    assert part.targets.tolist() == [0, 1] and part.content_hash() != overlapping.subset([1, 3]).content_hash()
    assert [found.images.entries[i].name for i in found.clips[0][1]][-2:] == ["run/one/f9.png", "run/one/f10.png"]
    with pytest.raises(DatasetError, match=r"run/two is too short.*5 frames.*got 4"):
        found.windows(5)


def test_tables_of_labels_are_read_and_checked(tmp_path: Path) -> None:
    for name in "ab":
        _image(tmp_path / f"test/{name}.png")
    _write(tmp_path / "test/_classes.csv", "filename, cat, dog\na.png, 1, 0\nb.png, 1, 1\n")
    found = open_tags(tmp_path).aligned_to(("dog", "cat"))
    assert found.present.tolist() == [[False, True], [True, True]] and found.split == "test"
    with pytest.raises(DatasetError, match="unknown: bird"):
        open_tags(tmp_path).aligned_to(("dog", "cat", "bird"))
    _write(tmp_path / "test/_classes.csv", "filename,cat,dog\na.png,1,0\nb.png,1,2\n")
    with pytest.raises(DatasetError, match=r"_classes\.csv of .*not usable: 3"):
        open_tags(tmp_path)
    (tmp_path / "test/_classes.csv").unlink()
    with pytest.raises(DatasetError, match=r"labels\.csv"):
        open_tags(tmp_path)


def test_what_is_no_data_of_the_kind_says_what_is_expected(tmp_path: Path) -> None:
    _image(tmp_path / "a/1.png")
    with pytest.raises(DatasetError, match=r"COCO .*\.json.*Pascal VOC \.xml"):
        open_boxes(tmp_path)
    with pytest.raises(DatasetError, match="images/NAME and masks/NAME"):
        open_masks(tmp_path)
    with pytest.raises(DatasetError, match="nothing at that path"):
        open_boxes(tmp_path / "nowhere")
    np.savez(tmp_path / "odd.npz", a=np.ones((2, 3)), b=np.ones((3, 3)))
    with pytest.raises(DatasetError, match="as many samples each"):
        open_latents(tmp_path / "odd.npz")


def test_the_real_data_is_read(tmp_path: Path) -> None:
    cells = open_boxes(shared_path("bccd_blood_cells.zip"))
    assert (cells.split, len(cells), sum(map(len, cells.truths))) == ("test", 72, 945)
    assert cells.labels == ("RBC", "WBC", "Platelets")
    streets = open_masks(shared_path("camvid_240x180.zip"))
    aligned = streets.aligned_to(streets.labels[:-1])
    assert len(streets) == 233 and len(aligned.judged) == 11 and aligned.mask(5).shape == (180, 240)
    part = aligned.subset([5, 7])
    assert len(part) == 2 and np.array_equal(part.mask(1), aligned.mask(7)) and part.labels == aligned.labels
    pictures = open_images(shared_path("camvid_240x180.zip"))
    assert pictures.split == "train" and len(pictures) == 367, "no masks, nothing that is tested on"
    faces = open_pairs(shared_path("orl_faces.zip"))
    assert (len(faces.pairs), int(faces.same.sum())) == (800, 400)
    with zipfile.ZipFile(shared_path("orl_faces.zip")) as archive:
        ten = [
            name
            for name in archive.namelist()
            if name.split("/")[1:2] and name.split("/")[1] in {f"s{i}" for i in range(31, 41)}
        ]
        archive.extractall(tmp_path, ten)
    people = open_pairs(tmp_path / "faces")
    assert (int(people.same.sum()), int((~people.same).sum())) == (450, 4500)


def test_images_with_boxes_and_masks_are_divided_by_their_rarest_class() -> None:
    boxes = open_boxes(shared_path("bccd_blood_cells.zip"), "train")
    present = boxes.present()
    assert present.shape == (205, 3) and boxes.labels[present.sum(axis=0).argmin()] == "Platelets"
    kept, held = stratified(rarest(present), 0.2, 0)
    part = boxes.subset(held)
    assert len(part) == 41 and part.images[3].name == boxes.images[int(held[3])].name
    assert part.truths[3] is boxes.truths[int(held[3])] and (part.present() == present[held]).all()
    shares = [present[places].mean(axis=0) for places in (kept, held)]
    assert np.abs(shares[0] - shares[1])[present.mean(axis=0).argmin()] < 0.02


def test_masks_tell_which_classes_are_present(tmp_path: Path) -> None:
    for index, value in enumerate((0, 2, IGNORED)):
        _image(tmp_path / f"images/{index}.png", value=9)
        _image(tmp_path / f"masks/{index}.png", value=value)
    masks = open_masks(tmp_path)
    assert masks.present().tolist() == [[True, False, False], [False, False, True], [False] * 3]
    assert masks.subset([1]).mask(0).max() == 2 and len(masks.subset([1]).images) == 1
