"""Images and the annotation files beside them, of a folder or zip; and which image an annotation file means."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from edgevision.datasets.dataset import UNDIVIDED, Dataset, Entry
from edgevision.datasets.folders import is_tree, list_images
from edgevision.datasets.layout import SPLIT_NAMES, Listing, Parts
from edgevision.datasets.stores import Store
from edgevision.runtime.errors import DatasetError, ImageError

_DOCUMENTS = (".json", ".xml", ".csv", ".txt")
_NAMES = "|".join(sorted(SPLIT_NAMES, key=len, reverse=True))
_IN_FILE, _IN_FOLDER = re.compile(rf"(?<![a-z])({_NAMES})(?![a-z])"), re.compile(rf"({_NAMES})\d*")


@dataclass(frozen=True, eq=False)
class Tree:
    """A folder or zip of images and annotation files.

    Attributes:
        where: Its path, for messages.
        images: The images.
        store: Where they are read from.
        documents: Path parts of every annotation file; its position is the index in ``pages``.
        pages: Where they are read from.
    """

    where: str
    images: Listing
    store: Store
    documents: tuple[Parts, ...]
    pages: Store

    @cached_property
    def _places(self) -> dict[Parts, int]:
        return {parts: place for place, parts in enumerate(self.documents)}

    def named(self, *endings: str) -> list[Parts]:
        """The annotation files with one of these endings, sorted."""
        return sorted(parts for parts in self.documents if parts[-1].lower().endswith(endings))

    def read(self, parts: Parts) -> bytes:
        """The bytes of an annotation file.

        Raises:
            DatasetError: It cannot be read.
        """
        try:
            page = self.pages.read(self._places[parts])
            return page.read_bytes() if isinstance(page, Path) else bytes(page)
        except (OSError, ImageError) as error:
            got = error.got if isinstance(error, ImageError) else error.strerror or str(error)
            raise self.damaged(parts, "cannot be read", got=got) from error

    def text(self, parts: Parts) -> str:
        """An annotation file's text, UTF-8.

        Raises:
            DatasetError: It cannot be read.
        """
        try:
            return self.read(parts).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise self.damaged(parts, "is no text", expected="UTF-8", got=str(error)) from error

    def json(self, parts: Parts) -> Any:
        """An annotation file's values.

        Raises:
            DatasetError: It cannot be read, or is no JSON.
        """
        try:
            return json.loads(self.text(parts))
        except (ValueError, RecursionError) as error:
            raise self.damaged(parts, "is no JSON", got=str(error)) from error

    def damaged(self, parts: Parts, problem: str, *, expected: str = "", got: str = "", cure: str = "") -> DatasetError:
        """What is raised about an annotation file."""
        cure = cure or "mend the file, or copy it again"
        return DatasetError(f"{'/'.join(parts)} of {self.where} {problem}", expected=expected, got=got, cure=cure)

    def dataset(self, split: str, splits: tuple[str, ...], places: list[int]) -> Dataset:
        """The images at ``places`` of the listing, in that order, without labels."""
        entries = tuple(Entry("/".join(self.images.images[place]), None, place) for place in places)
        return Dataset((), split, splits, entries, self.store)


def open_tree(data: str | Path) -> Tree:
    """Everything in a folder or zip.

    Raises:
        DatasetError: It is neither, cannot be read, or holds no images.
    """
    path = Path(data)
    if not is_tree(path):
        got = "a file of another kind" if path.exists() else "nothing at that path"
        raise DatasetError(f"{data} is no labelled data", expected="a folder or a .zip", got=got, cure="check the path")
    images, store = list_images(path)
    if not images.images:
        got = ", ".join(sorted(images.others)) or "nothing else"
        raise DatasetError(f"{data} holds no images", expected="image files", got=got, cure="check the path")
    pages, shelf = list_images(path, lambda name: name.lower().endswith(_DOCUMENTS))
    return Tree(str(data), images, store, pages.images, shelf)


def split_of(parts: Parts) -> str:
    """The split that a path names: by a folder ("val", "val2017"), else by a word of the file's name; else "all"."""
    folders = (_IN_FOLDER.fullmatch(part.lower()) for part in parts[:-1])
    found = next(filter(None, folders), None) or _IN_FILE.search(parts[-1].lower())
    return SPLIT_NAMES[found[1]] if found else UNDIVIDED


class Finder:
    """Finds the image that an annotation file means by a path that may be relative to anything."""

    def __init__(self, tree: Tree) -> None:
        self._tree, self._by_name = tree, defaultdict(list)
        for place, parts in enumerate(tree.images.images):
            self._by_name[parts[-1]].append((parts, place))

    _by_name: defaultdict[str, list[tuple[Parts, int]]]

    def __call__(self, name: str, document: Parts) -> int:
        """Place in the listing of the image called ``name`` in ``document``.

        Raises:
            DatasetError: There is none, or it could be several.
        """
        wanted = tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))
        near = [found for found in self._by_name.get(wanted[-1] if wanted else "", ()) if _ends(found[0], wanted)]
        for right in (document[:-1] + wanted, wanted):
            near = [found for found in near if found[0] == right] or near
        if len(near) > 1:
            near = [found for found in near if split_of(found[0]) == split_of(document)] or near
        if len(near) == 1:
            return near[0][1]
        problem = f"names an image that {'could be several' if near else 'is not there'}: {name!r}"
        got = ", ".join("/".join(parts) for parts, _ in near[:3])
        raise self._tree.damaged(document, problem, got=got, cure="put the images where the annotations say")


def _ends(parts: Parts, wanted: Parts) -> bool:
    return parts[-len(wanted) :] == wanted
