"""Image files of a folder or of a zip: what is there, before it is known what it means."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

from edgevision.datasets.layout import Listing, Parts, is_hidden, is_image
from edgevision.datasets.stores import FolderStore, Store, ZipStore
from edgevision.runtime.errors import DatasetError

Wanted = Callable[[str], bool]


def is_tree(path: Path) -> bool:
    """Whether it is a folder or a zip file."""
    return path.is_dir() or (path.is_file() and (path.suffix.lower() == ".zip" or zipfile.is_zipfile(path)))


def list_images(path: Path, wanted: Wanted = is_image) -> tuple[Listing, Store]:
    """Every image of a folder or zip, or what else is ``wanted`` by its name.

    Raises:
        DatasetError: It cannot be read.
    """
    return (_list_folder if path.is_dir() else _list_zip)(path, wanted)


def _list_folder(root: Path, wanted: Wanted) -> tuple[Listing, Store]:
    """Every image below ``root``; links to folders are followed, circles are not."""
    found: list[tuple[Parts, Path]] = []
    folders: set[Parts] = set()
    others: set[str] = set()
    pending: list[tuple[Path, Parts, frozenset[tuple[int, int]]]] = [(root, (), frozenset())]
    while pending:
        folder, parts, above = pending.pop()
        for entry in _entries(folder):
            inner = (*parts, _readable(entry.name))
            if is_hidden(inner[-1:]):
                continue
            if entry.is_dir():
                status = entry.stat()
                mark = (status.st_dev, status.st_ino)
                if mark not in above:
                    folders.add(inner)
                    pending.append((Path(entry.path), inner, above | {mark}))
            elif wanted(entry.name):
                found.append((inner, Path(entry.path)))
            else:
                others.add(Path(inner[-1]).suffix.lower() or inner[-1])
    listing = Listing(str(root), tuple(parts for parts, _ in found), frozenset(folders), frozenset(others))
    return listing, FolderStore(tuple(path for _, path in found))


def _list_zip(path: Path, wanted: Wanted) -> tuple[Listing, Store]:
    """Every image of a zip file; nothing is unpacked, so no member can land outside."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [(_member_parts(member), member) for member in archive.infolist()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DatasetError(
            f"{path} cannot be read as a zip", got=str(error), cure="copy or download it again, or unpack it"
        ) from error
    members = [(parts, member) for parts, member in members if parts and not is_hidden(parts)]
    if any(member.flag_bits & 1 for _, member in members):
        raise DatasetError(f"{path} is protected by a password", cure="unpack it and give the folder")
    folders = {parts[:depth] for parts, member in members for depth in range(1, len(parts) + member.is_dir())}
    images = [(parts, member) for parts, member in members if not member.is_dir() and wanted(parts[-1])]
    others = {Path(parts[-1]).suffix.lower() or parts[-1] for parts, member in members if not member.is_dir()}
    listing = Listing(str(path), tuple(parts for parts, _ in images), frozenset(folders), frozenset(others))
    return listing, ZipStore(path, tuple(member for _, member in images))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DatasetError(f"{folder} cannot be read", got=error.strerror or str(error)) from error


def _readable(name: str) -> str:
    # A name that is not UTF-8 must still be printable and storable as a label.
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _member_parts(member: zipfile.ZipInfo) -> Parts:
    name = member.filename
    if not member.flag_bits & 0x800:  # unmarked names: many packers write UTF-8 all the same
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = member.filename
    if "/" not in name:  # some packers on Windows write backslashes
        name = name.replace("\\", "/")
    return tuple(part for part in name.split("/") if part)
