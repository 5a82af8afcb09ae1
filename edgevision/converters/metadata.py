"""What a trainer knew about its model, stored in the .keras file: the zip entry ``edgevision.json``."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

from edgevision.runtime.errors import ModelError
from edgevision.runtime.files import replaced

_ENTRY = "edgevision.json"


def write_metadata(path: str | Path, metadata: dict[str, Any]) -> None:
    """Store ``metadata`` in the .keras file at ``path``, in place of what was stored before.

    Raises:
        ModelError: The file is no .keras file.
    """
    write_entry(path, _ENTRY, json.dumps(metadata, indent=2, sort_keys=True).encode() + b"\n")


def write_entry(path: str | Path, name: str, data: bytes) -> None:
    """Store ``data`` as the entry ``name`` of the .keras file at ``path``, in place of what was stored before.

    The file is rewritten beside itself and renamed: interrupted, it is the old one, whole.

    Raises:
        ModelError: The file is no .keras file.
    """
    try:
        with replaced(Path(path)) as temporary:
            with zipfile.ZipFile(path) as old, zipfile.ZipFile(temporary, "w") as new:
                for entry in old.infolist():
                    if entry.filename != name:
                        new.writestr(entry, old.read(entry))
                # A fixed date: the same training writes the same bytes.
                new.writestr(zipfile.ZipInfo(name), data)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
    except (zipfile.BadZipFile, FileNotFoundError) as error:
        raise ModelError(f"{path} cannot hold {name}", expected="a .keras file", got=str(error)) from error


def read_entry(path: str | Path, name: str) -> bytes | None:
    """What ``write_entry`` stored; None where there is nothing.

    Raises:
        BadZipFile: The file or the entry is damaged.
    """
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as file:
        return file.read(name) if name in file.namelist() else None


def read_metadata(path: str | Path) -> dict[str, Any] | None:
    """What ``write_metadata`` stored; None in files of other trainers and formats.

    Raises:
        ModelError: The entry is damaged.
    """
    try:
        data = read_entry(path, _ENTRY)
        if data is None:
            return None
        metadata = json.loads(data)
    except (zipfile.BadZipFile, ValueError) as error:
        raise ModelError(f"{_ENTRY} in {path} is damaged", got=str(error), cure="train or save it again") from error
    if not isinstance(metadata, dict):
        raise ModelError(f"{_ENTRY} in {path} is not usable", expected="an object", got=type(metadata).__name__)
    return metadata
