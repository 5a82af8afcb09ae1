"""COCO's JSON: all images and boxes of a split in one file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from edgevision.datasets.boxes import Boxes, BoxSplit
from edgevision.datasets.layout import Parts
from edgevision.datasets.tree import Finder, Tree, split_of
from edgevision.runtime.errors import DatasetError


def coco_files(tree: Tree) -> dict[str, Parts]:
    """The annotation file of each split. Of several those whose name begins with "instances", as COCO calls boxes.

    Raises:
        DatasetError: It is not plain which of several files is meant.
    """
    found: dict[str, list[Parts]] = {}
    for parts in tree.named(".json"):
        data = tree.read(parts)
        if b'"images"' in data and b'"annotations"' in data:
            found.setdefault(split_of(parts), []).append(parts)
    for split, files in found.items():
        instances = [parts for parts in files if parts[-1].lower().startswith("instances")]
        found[split] = instances or files
        if len(found[split]) > 1:
            names = ", ".join("/".join(parts) for parts in found[split])
            cure = "leave one of them, or put train, val or test into their names"
            problem = f"{tree.where} has several annotation files for one split"
            raise DatasetError(problem, expected="one a split", got=names, cure=cure)
    return {split: found[split][0] for split in ("train", "val", "test", "all") if split in found}


def read_coco(tree: Tree, document: Parts) -> tuple[tuple[str, ...], BoxSplit]:
    """Class names by ascending id, and the images of one file with their boxes.

    Raises:
        DatasetError: The file is damaged, or names an image that is not there; the message names file and entry.
    """
    plain = tree.json(document)
    expected = "an object with lists images, annotations and categories"
    if not isinstance(plain, dict) or any(not isinstance(plain.get(key), list) for key in _LISTS):
        raise tree.damaged(document, "is no COCO file", expected=expected)
    entry: Any = None
    try:
        names = {int((entry := item)["id"]): str(item["name"]) for item in plain["categories"]}
        boxes: dict[int, list[tuple[Any, ...]]] = {int((entry := item)["id"]): [] for item in plain["images"]}
        order = {number: index for index, number in enumerate(sorted(names))}
        for item in plain["annotations"]:
            entry = item
            boxes[int(item["image_id"])].append((*_box(item), order[int(item["category_id"])]))
        finder = Finder(tree)
        places = [finder(str((entry := item)["file_name"]), document) for item in plain["images"]]
        truths = [_truth((entry := item), boxes[int(item["id"])]) for item in plain["images"]]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, DatasetError):
            raise
        missing = f"no {error.args[0]!r}" if isinstance(error, KeyError) else str(error)
        raise tree.damaged(document, "has an entry that is not usable", got=f"{missing} in {entry!r:.200}") from error
    labels = tuple(names[number] for number in sorted(names))
    if len(set(labels)) < len(labels) or not labels or not places:
        got = f"{len(places)} images, {', '.join(labels[:8]) or 'no classes'}"
        raise tree.damaged(document, "is not usable", expected="images and classes of different names", got=got)
    return labels, BoxSplit(places, truths)


_LISTS = ("images", "annotations", "categories")


def _box(item: Mapping[str, Any]) -> tuple[float, float, float, float, bool]:
    x, y, width, height = (float(value) for value in item["bbox"])
    if not all(map(math.isfinite, (x, y, width, height))) or width < 0 or height < 0:
        raise ValueError("the box is no box")
    return x, y, x + width, y + height, bool(item.get("iscrowd", 0))


def _truth(image: Mapping[str, Any], rows: list[tuple[Any, ...]]) -> Boxes:
    crowd = np.array([row[4] for row in rows], np.bool_)
    size = (int(image["height"]), int(image["width"])) if "height" in image and "width" in image else None
    xyxy = np.array([row[:4] for row in rows], np.float64).reshape(-1, 4)
    return Boxes(xyxy, np.array([row[5] for row in rows], np.int64), crowd, crowd, size)
