"""COCO's JSON: all images and boxes of a split in one file."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from edgevision.datasets.boxes import Also, Boxes, BoxSplit
from edgevision.datasets.layout import Parts
from edgevision.datasets.outlines import Outline, outline_of
from edgevision.datasets.tree import Finder, Tree, split_of
from edgevision.runtime.errors import DatasetError


def coco_files(tree: Tree, prefix: str = "instances") -> dict[str, Parts]:
    """The annotation file of each split. Of several those whose name begins with ``prefix``: "instances" are boxes.

    Raises:
        DatasetError: It is not plain which of several files is meant.
    """
    found: dict[str, list[Parts]] = {}
    for parts in tree.named(".json"):
        data = tree.read(parts)
        if b'"images"' in data and b'"annotations"' in data:
            found.setdefault(split_of(parts), []).append(parts)
    for split, files in found.items():
        found[split] = [parts for parts in files if parts[-1].lower().startswith(prefix)] or files
        if len(found[split]) > 1:
            names = ", ".join("/".join(parts) for parts in found[split])
            cure = "leave one of them, or put train, val or test into their names"
            problem = f"{tree.where} has several annotation files for one split"
            raise DatasetError(problem, expected="one a split", got=names, cure=cure)
    return {split: found[split][0] for split in ("train", "val", "test", "all") if split in found}


def read_coco(tree: Tree, document: Parts, also: Also | None = None) -> tuple[tuple[str, ...], BoxSplit]:
    """Class names by ascending id, and the images of one file with their boxes.

    Args:
        tree: What the file lies in.
        document: The file.
        also: What of the objects to read, too. A file without outlines has boxes alone; one that lacks some is damaged.

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
        sizes = {int((entry := item)["id"]): _size(item) for item in plain["images"]}
        rows: dict[int, list[_Row]] = {number: [] for number in sizes}
        if also == "outlines" and not any((entry := item).get("segmentation") for item in plain["annotations"]):
            also = None
        points = _point_names(plain["categories"]) if also == "points" else ()
        order = {number: index for index, number in enumerate(sorted(names))}
        for item in plain["annotations"]:
            entry, number = item, int(item["image_id"])
            label = order[int(item["category_id"])]
            rows[number].append(
                _Row(_box(item), bool(item.get("iscrowd", 0)), label, **_more(item, also, sizes[number]))
            )
        finder = Finder(tree)
        places = [finder(str((entry := item)["file_name"]), document) for item in plain["images"]]
        truths = [
            _truth(sizes[number], rows[number], also, len(points))
            for number in (int(item["id"]) for item in plain["images"])
        ]
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, DatasetError):
            raise
        missing = f"no {error.args[0]!r}" if isinstance(error, KeyError) else str(error)
        raise tree.damaged(document, "has an entry that is not usable", got=f"{missing} in {entry!r:.200}") from error
    labels = tuple(names[number] for number in sorted(names))
    if len(set(labels)) < len(labels) or not labels or not places:
        got = f"{len(places)} images, {', '.join(labels[:8]) or 'no classes'}"
        raise tree.damaged(document, "is not usable", expected="images and classes of different names", got=got)
    return labels, BoxSplit(places, truths, points)


_LISTS = ("images", "annotations", "categories")


class _Row(NamedTuple):
    """An annotation; ``points`` is x, y and visibility of each."""

    xyxy: tuple[float, float, float, float]
    is_crowd: bool
    label: int
    outline: Outline | None = None
    points: list[float] | None = None
    area: float = 0.0


def _size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    return (int(image["height"]), int(image["width"])) if "height" in image and "width" in image else None


def _box(item: Mapping[str, Any]) -> tuple[float, float, float, float]:
    x, y, width, height = (float(value) for value in item["bbox"])
    if not all(map(math.isfinite, (x, y, width, height))) or width < 0 or height < 0:
        raise ValueError("the box is no box")
    return x, y, x + width, y + height


def _point_names(categories: list[Mapping[str, Any]]) -> tuple[str, ...]:
    found = {tuple(str(name) for name in item["keypoints"]) for item in categories if item.get("keypoints")}
    if len(found) != 1:
        raise ValueError(f"{len(found) or 'no'} lists of keypoints' names, instead of one,")
    return found.pop()


def _more(item: Mapping[str, Any], also: Also | None, size: tuple[int, int] | None) -> dict[str, Any]:
    """What a row has beside its box."""
    if also == "outlines":
        outline = outline_of(item, size)
        if outline is None:
            raise ValueError("no outline, which others have,")
        return {"outline": outline}
    if also is None:
        return {}
    points = [float(value) for value in item.get("keypoints") or ()]
    area = float(item.get("area") or item["bbox"][2] * item["bbox"][3])
    if not all(map(math.isfinite, (*points, area))) or area < 0:
        raise ValueError("the keypoints are no numbers")
    return {"points": points, "area": area}


def _truth(size: tuple[int, int] | None, rows: list[_Row], also: Also | None, points: int) -> Boxes:
    crowd = np.array([row.is_crowd for row in rows], np.bool_)
    xyxy = np.array([row.xyxy for row in rows], np.float64).reshape(-1, 4)
    found = Boxes(xyxy, np.array([row.label for row in rows], np.int64), crowd, crowd, size)
    if also == "outlines":
        outlines = tuple(row.outline for row in rows if row.outline is not None)
        return dataclasses.replace(found, outlines=outlines)
    if also is None:
        return found
    # An object whose points nobody annotated has none.
    marks = np.array([row.points or [0.0] * (3 * points) for row in rows], np.float64).reshape(-1, points, 3)
    areas = np.array([row.area for row in rows], np.float64)
    return dataclasses.replace(found, ignored=crowd | ~(marks[..., 2] > 0).any(axis=1), points=marks, areas=areas)
