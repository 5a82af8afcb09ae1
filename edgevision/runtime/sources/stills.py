"""Image files, folders, patterns, and whatever Python can iterate over."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevision.runtime.errors import SourceError
from edgevision.runtime.images import SUFFIXES
from edgevision.runtime.sources.frame import Frame, Source

if TYPE_CHECKING:
    from edgevision.runtime.images import ImageSource


class Stills(Source):
    """Image files, in the order given.

    Attributes:
        paths: The files.
    """

    kind = "stills"

    def __init__(self, name: str, paths: Iterable[Path]) -> None:
        self.name, self.paths = name, tuple(paths)

    def frames(self) -> Iterator[Frame]:
        """Paths, not pixels: they are decoded in the stage that prepares them."""
        for index, path in enumerate(self.paths):
            now = time.monotonic()
            yield Frame(path, index, now, str(path), now)


class Items(Source):
    """Images that an iterable gives; an iterator (a generator, say) counts as live, a list does not."""

    def __init__(self, name: str, items: Iterable[ImageSource | Frame]) -> None:
        self.name, self._items = name, items
        self.kind = "live" if isinstance(items, Iterator) else "stills"

    def frames(self) -> Iterator[Frame]:
        """What comes as a Frame passes unchanged; all else is numbered and gets the time at which it came."""
        for index, item in enumerate(self._items):
            if isinstance(item, Frame):
                yield item
                continue
            name = os.fsdecode(item) if isinstance(item, (str, os.PathLike)) else f"{self.name}[{index}]"
            now = time.monotonic()
            yield Frame(item, index, now, name, now)

    def close(self) -> None:
        """Closes a generator, so that its ``finally`` runs."""
        close: Any = getattr(self._items, "close", None)
        if self.kind == "live" and callable(close):
            close()


def folder(path: Path) -> Stills:
    """All images in a folder and the folders in it, by name; hidden ones are left out.

    Raises:
        SourceError: There is none.
    """
    inside = (entry for entry in path.rglob("*") if entry.suffix.lower() in SUFFIXES and entry.is_file())
    found = sorted(entry for entry in inside if not any(p.startswith(".") for p in entry.relative_to(path).parts))
    if not found:
        raise SourceError(f"{path} holds no images", expected=f"files that end in {', '.join(sorted(SUFFIXES))}")
    return Stills(str(path), found)


def pattern(text: str) -> Stills:
    """All files that a pattern matches (``**`` goes into folders), by name.

    Raises:
        SourceError: There is none.
    """
    matches = glob.glob(text, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
    found = sorted(path for path in map(Path, matches) if path.is_file())
    if not found:
        raise SourceError(f"no file matches {text}", cure="check the pattern, and quote it in a shell")
    return Stills(text, found)
