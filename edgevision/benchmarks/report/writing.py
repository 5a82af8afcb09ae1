"""One document in several formats: the suffix of the file decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from edgevision.runtime.errors import InputError, OutputExistsError


def write(path: str | Path, writers: Mapping[str, Callable[[], str]], *, force: bool) -> Path:
    """Writes what the writer of the path's suffix returns.

    Args:
        path: The file.
        writers: Suffix, e.g. ".md", to what makes the text.
        force: Replace what is there.

    Raises:
        InputError: Another suffix.
        OutputExistsError: ``path`` exists and ``force`` is False.
    """
    path = Path(path)
    if path.suffix not in writers:
        raise InputError(f"{path.name} is no report", expected=" or ".join(writers), got=path.suffix or "no suffix")
    if path.exists() and not force:
        raise OutputExistsError(path)
    path.write_text(writers[path.suffix](), encoding="utf-8")
    return path
