"""Pascal VOC's XML: one file an image."""

from __future__ import annotations

import math
from pathlib import PurePosixPath
from xml.etree import ElementTree

import numpy as np

from edgevision.datasets.boxes import Boxes, BoxSplit, ordered
from edgevision.datasets.layout import Parts
from edgevision.datasets.tree import Finder, Tree, split_of
from edgevision.runtime.errors import DatasetError


def read_voc(tree: Tree) -> tuple[tuple[str, ...], dict[str, BoxSplit]]:
    """Class names of all splits, sorted, and the images of each split with their boxes.

    Splits are lists of names (ImageSets/Main/train.txt) or folders.

    Raises:
        DatasetError: A file is damaged, or its image is not there; the message names the file.
    """
    roots = {parts: _parsed(tree, parts) for parts in tree.named(".xml")}
    labels = tuple(sorted({_name(tree, parts, item) for parts, root in roots.items() for item in root.iter("object")}))
    if not labels:
        raise DatasetError(
            f"{tree.where} has no boxes", expected="objects in the .xml files", got="none in any of them"
        )
    finder, lists, splits = Finder(tree), _lists(tree), dict[str, BoxSplit]()
    images = {PurePosixPath(parts[-1]).stem: "/".join(parts) for parts in tree.images.images}
    for parts, root in roots.items():
        stem = PurePosixPath(parts[-1]).stem
        # The name inside is often that of another computer's file; the file's own name is what people keep in step.
        inside = (root.findtext("filename") or "").strip()
        name = inside if PurePosixPath(inside).stem == stem and PurePosixPath(inside).suffix else None
        place = finder(name or PurePosixPath(images.get(stem, inside or stem)).name, parts)
        truth = _truth(tree, parts, root, labels)
        for split in lists.get(stem, (split_of((*parts[:-1], "")),)):
            found = splits.setdefault(split, BoxSplit([], []))
            found.places.append(place)
            found.truths.append(truth)
    return labels, ordered(splits)


def _parsed(tree: Tree, parts: Parts) -> ElementTree.Element:
    data = tree.read(parts)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:  # entities can grow without end, and no annotation needs them
        raise tree.damaged(parts, "declares entities", expected="plain XML")
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise tree.damaged(parts, "is no XML", got=str(error)) from error
    if root.tag != "annotation":
        raise tree.damaged(parts, "is no annotation", expected="<annotation>", got=f"<{root.tag}>")
    return root


def _lists(tree: Tree) -> dict[str, tuple[str, ...]]:
    """The splits of each image by its name without ending, where ImageSets lists them."""
    found: dict[str, tuple[str, ...]] = {}
    for parts in tree.named(".txt"):
        split = split_of(parts[-1:])
        if "ImageSets" in parts and "_" not in parts[-1] and split != "all":  # car_train.txt lists one class
            for line in tree.text(parts).split("\n"):
                if line.strip():
                    stem = line.split()[0]
                    found[stem] = (*found.get(stem, ()), split)
    return found


def _name(tree: Tree, parts: Parts, item: ElementTree.Element) -> str:
    name = (item.findtext("name") or "").strip()
    if not name:
        raise tree.damaged(parts, "has an object without a name", expected="<name>")
    return name


def _truth(tree: Tree, parts: Parts, root: ElementTree.Element, labels: tuple[str, ...]) -> Boxes:
    items = list(root.iter("object"))
    xyxy = np.array([_box(tree, parts, item) for item in items], np.float64).reshape(-1, 4)
    class_ids = np.array([labels.index(_name(tree, parts, item)) for item in items], np.int64)
    difficult = np.array([(item.findtext("difficult") or "0").strip() == "1" for item in items], np.bool_)
    sides = [_whole(root.findtext(f"size/{side}")) for side in ("height", "width")]
    size = (sides[0], sides[1]) if all(sides) else None  # some tools leave zeros
    return Boxes(xyxy, class_ids, difficult, np.zeros(len(items), np.bool_), size)


def _box(tree: Tree, parts: Parts, item: ElementTree.Element) -> tuple[float, float, float, float]:
    texts = [item.findtext(f"bndbox/{name}") for name in ("xmin", "ymin", "xmax", "ymax")]
    try:
        left, top, right, bottom = (float(text or "") for text in texts)
    except ValueError as error:
        got = ", ".join(map(str, texts))
        raise tree.damaged(parts, "has a box that is not usable", expected="four numbers", got=got) from error
    if not all(map(math.isfinite, (left, top, right, bottom))) or right < left or bottom < top:
        got = f"{left:g}, {top:g}, {right:g}, {bottom:g}"
        raise tree.damaged(parts, "has a box that is not usable", expected="xmin <= xmax, ymin <= ymax", got=got)
    # VOC counts pixels from 1 and includes the last one: 1..W is the whole width, 0..W in edges.
    return max(left - 1, 0.0), max(top - 1, 0.0), right, bottom


def _whole(text: str | None) -> int:
    return int(text) if text is not None and text.strip().isdigit() else 0
