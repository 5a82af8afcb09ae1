"""Small files that claim to be huge: refused by what they declare, before anything is unpacked."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from edgevision.runtime.errors import ModelError

#: Refused is what declares more than so many times its size on disk and more than so many bytes.
_RATIO, _BYTES = 200, 512 * 2**20
_CURE = "save it again without compression: model.save(...)"


def check_size(what: str, declared: int, stored: int) -> None:
    """Raises a ModelError if ``declared`` bytes cannot honestly come out of ``stored`` bytes."""
    if declared > _BYTES and declared > _RATIO * stored:
        raise ModelError(
            f"{what} unpacks to far more than a model of its size holds",
            expected=f"at most {_RATIO} times its size",
            got=f"{declared:,} bytes out of {stored:,}",
            cure=_CURE,
        )


def check_zip(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuses an archive whose directory declares a bomb. That a directory lies is for ``unpack`` to find."""
    on_disk, entries = path.stat().st_size, archive.infolist()
    for entry in entries:
        check_size(f"{entry.filename} in {path}", entry.file_size, min(entry.compress_size, on_disk))
    check_size(str(path), sum(entry.file_size for entry in entries), on_disk)


def check_h5(path: Path, file: Any) -> None:
    """Refuses an open HDF5 file (h5py.File) whose arrays are declared far larger than the file, or lie elsewhere."""
    import h5py

    declared = 0

    def count(name: str, item: Any) -> None:
        nonlocal declared
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise ModelError(f"array {name} of {path} lies in another file", cure="save it again in one file")
            declared += int(item.size or 0) * item.dtype.itemsize

    file.visititems(count)
    check_size(str(path), declared, path.stat().st_size)


def unpack(archive: zipfile.ZipFile, name: str, target: Path) -> None:
    """Write one entry to ``target``, a piece at a time: never more than the directory declares, whatever is inside."""
    with archive.open(name) as source, target.open("wb") as copy:
        while chunk := source.read(2**20):
            copy.write(chunk)
