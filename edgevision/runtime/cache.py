"""What was found out once on this machine and is kept: small JSON files that may vanish or be damaged at any time."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def cache_folder() -> Path:
    """$EDGEVISION_CACHE, else edgevision in $XDG_CACHE_HOME, else in ~/.cache.

    A user without a home, as in some containers, gets a folder that cannot be made: no cache, and no error.
    """
    own, users = os.environ.get("EDGEVISION_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if own or users:
        return Path(own) if own else Path(str(users)) / "edgevision"
    try:
        return Path.home() / ".cache" / "edgevision"
    except RuntimeError:
        return Path(os.devnull) / "edgevision"


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file; an empty one where there is none, or none that can be used."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, value: dict[str, Any]) -> str:
    """Exchanges a file for a new one, so that it is whole at any time; why that failed, "" when it did not."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(value), encoding="utf-8")
        new.replace(path)
    except OSError as error:
        return error.strerror or str(error)
    return ""
