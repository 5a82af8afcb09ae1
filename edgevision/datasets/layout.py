"""What the folders of a data set mean: classes, splits, wrapping folders. Pure functions on paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edgevision.datasets.dataset import UNDIVIDED, Entry
from edgevision.runtime.errors import DatasetError

#: Endings of image files, in any case. Whether a file really is an image shows when it is decoded.
IMAGE_ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm"}
)

#: Folder names that mean a split, in any case.
SPLIT_NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}

Parts = tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """What was found in a folder or a zip, hidden things left out.

    Attributes:
        where: The folder or zip, for messages.
        images: Path parts below ``where`` of every image file; its position is the index in the store.
        folders: Path parts of every folder, with or without images.
        others: Endings of the files that are no images.
    """

    where: str
    images: tuple[Parts, ...]
    folders: frozenset[Parts]
    others: frozenset[str] = frozenset()


def is_hidden(parts: Iterable[str]) -> bool:
    """Whether a path is a system's own clutter (.DS_Store, ._x.png, __MACOSX) or climbs out (..)."""
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def is_image(name: str) -> bool:
    """Whether a file name ends like an image's."""
    return name[name.rfind(".") :].lower() in IMAGE_ENDINGS if "." in name else False


def unlabelled(listing: Listing) -> dict[str, tuple[Entry, ...]]:
    """All images, whatever the folders; by split when the top folders are splits.

    Raises:
        DatasetError: There is no image.
    """
    depth = _wrapping(listing, below=0)
    loose = any(len(parts) == depth + 1 for parts in listing.images)
    split_at = depth if not loose and _all_split(_tops(listing, depth)) else None
    return _grouped((_split(parts, split_at), _entry(parts, None, index)) for index, parts in _sorted(listing))


def labelled(listing: Listing) -> tuple[tuple[str, ...], dict[str, tuple[Entry, ...]]]:
    """Class names, sorted, and the images of each split: [WRAPPER/][SPLIT/]CLASS/[ANY/]IMAGE.

    Raises:
        DatasetError: There is no image, images lie outside class folders, a class folder is empty, or
            splits and other folders are mixed.
    """
    depth = _wrapping(listing, below=1)
    split_at = depth if _all_split(_tops(listing, depth)) else None
    at = depth if split_at is None else depth + 1
    _check_mixed(listing, depth, split_at)
    _check_depth(listing, at)
    labels = tuple(sorted({parts[at] for parts in listing.images}))
    _check_empty(listing, at, split_at, labels)
    index_of = {label: index for index, label in enumerate(labels)}
    found = ((_split(parts, split_at), _entry(parts, index_of[parts[at]], index)) for index, parts in _sorted(listing))
    return labels, _grouped(found)


def _entry(parts: Parts, label: int | None, index: int) -> Entry:
    return Entry("/".join(parts), label, index)


def _split(parts: Parts, split_at: int | None) -> str:
    return UNDIVIDED if split_at is None else SPLIT_NAMES[parts[split_at].lower()]


def _sorted(listing: Listing) -> list[tuple[int, Parts]]:
    return sorted(enumerate(listing.images), key=lambda found: found[1])


def _grouped(found: Iterator[tuple[str, Entry]]) -> dict[str, tuple[Entry, ...]]:
    splits: dict[str, list[Entry]] = {}
    for split, entry in found:
        splits.setdefault(split, []).append(entry)
    return {split: tuple(splits[split]) for split in ("train", "val", "test", UNDIVIDED) if split in splits}


def _wrapping(listing: Listing, below: int) -> int:
    """How many folders merely wrap all the rest, leaving ``below`` folders above every image."""
    if not listing.images:
        kinds = ", ".join(sorted(listing.others)) or "nothing else"
        raise DatasetError(
            f"{listing.where} holds no images",
            expected="files that end in " + " ".join(sorted(IMAGE_ENDINGS)),
            got=kinds,
            cure="check the path",
        )
    depth, least = 0, min(map(len, listing.images))
    while least >= depth + below + 2:
        tops = {parts[depth] for parts in listing.images}
        if len(tops) > 1 or tops.pop().lower() in SPLIT_NAMES:
            break
        depth += 1
    return depth


def _tops(listing: Listing, depth: int) -> set[str]:
    return {parts[depth] for parts in listing.images if len(parts) > depth + 1}


def _all_split(tops: set[str]) -> bool:
    return bool(tops) and all(top.lower() in SPLIT_NAMES for top in tops)


def _check_mixed(listing: Listing, depth: int, split_at: int | None) -> None:
    tops = _tops(listing, depth)
    splits = {top for top in tops if top.lower() in SPLIT_NAMES}
    # "train" is also a vehicle: with its images right inside, it is a class like any other.
    deep = all(len(parts) >= depth + 3 for parts in listing.images if parts[depth] in splits)
    if split_at is None and splits and deep:
        raise DatasetError(
            f"{listing.where} mixes splits and other folders",
            expected="only train/, val/, test/ on top, or only class folders",
            got=", ".join(f"{top}/" for top in sorted(tops)[:8]),
            cure="move the other folders out",
        )


def _check_depth(listing: Listing, at: int) -> None:
    loose = ["/".join(parts) for parts in listing.images if len(parts) < at + 2]
    if loose:
        raise DatasetError(
            f"{listing.where} has images outside class folders",
            expected="CLASS/IMAGE, with or without train/, val/, test/ on top",
            got=f"{', '.join(sorted(loose)[:3])} ({len(loose)} of {len(listing.images)})",
            cure="move each image into a folder named after its class",
        )


def _check_empty(listing: Listing, at: int, split_at: int | None, labels: tuple[str, ...]) -> None:
    top = {parts[:at] for parts in listing.images}
    classes = {parts[at] for parts in listing.folders if len(parts) == at + 1 and parts[:at] in top}
    empty = sorted(classes - set(labels))
    if empty:
        raise DatasetError(
            f"no images in class folder {empty[0]}/ of {listing.where}",
            expected="at least one image in each",
            got=f"{len(empty)} without images: {', '.join(empty[:8])}",
            cure="add images or remove the folder",
        )
