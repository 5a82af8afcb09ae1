"""Writing a bundle so that it is there whole or not at all, whatever interrupts."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from edgevision.runtime.bundle import MANIFEST, check_name, entries, manifest_bytes
from edgevision.runtime.errors import BundleError, EdgevisionError, OutputExistsError
from edgevision.runtime.manifest import FileEntry, Manifest

_AT_FDCWD = -100
_NOREPLACE, _EXCHANGE = 1, 2
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM)


def write(path: Path, manifest: Manifest, files: Mapping[str, Path | bytes], *, force: bool) -> None:
    """See ``bundle.write_bundle``."""
    target = Path(os.path.realpath(path))  # through a link, so that the link stays a link
    check_target(target, force=force)
    listed = {entry.name: entry for entry in entries(manifest)}
    if set(listed) != set(files):
        raise BundleError(
            "files and manifest do not match", expected=", ".join(sorted(listed)), got=", ".join(sorted(files))
        )
    content = manifest_bytes(manifest)
    staging = target.parent / f".{target.name}.{uuid.uuid4().hex[:12]}.tmp"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging.mkdir()
        for entry in listed.values():
            check_name(entry.name)
            _copy(entry, files[entry.name], staging / entry.name)
        _write_synced(staging / MANIFEST, content)
        _sync_directory(staging)
        _place(staging, target, force=force)
        _sync_directory(target.parent)
    except EdgevisionError:
        raise
    except OSError as error:
        raise BundleError(f"{path} cannot be written", got=str(error), cure="check space and permissions") from error
    finally:
        # After an exchange this is the old bundle; after an interruption the half-written new one.
        _remove(staging)


def check_target(path: Path, *, force: bool) -> None:
    """Refuses a target that must not be written, before any work is done.

    Raises:
        OutputExistsError: It exists and ``force`` is not given, or what exists is not a bundle.
    """
    if not (path.exists() or path.is_symlink()):
        return
    if not force:
        raise OutputExistsError(path)
    if not _is_bundle(path):
        raise OutputExistsError(path, replaceable="a bundle")


def _is_bundle(path: Path) -> bool:
    """Whether a directory was a bundle once; a damaged one may be replaced, a folder that only looks like it not."""
    try:
        content = (path / MANIFEST).read_bytes()
        flat = all(item.is_file() for item in path.iterdir())
    except OSError:
        return False
    return flat and all(key in content for key in (b'"schema_version"', b'"artifacts"', b'"preprocessing"'))


def _copy(entry: FileEntry, source: Path | bytes, target: Path) -> None:
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    if len(data) != entry.bytes or hashlib.sha256(data).hexdigest() != entry.sha256:
        cure = "make the entry with file_entry from the very bytes"
        raise BundleError(
            f"{entry.name} is not what the manifest says",
            expected=f"{entry.bytes} bytes",
            got=f"{len(data)}",
            cure=cure,
        )
    _write_synced(target, data)


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    try:
        shutil.rmtree(path, ignore_errors=True)
    except BaseException:  # interrupted once more while cleaning up
        shutil.rmtree(path, ignore_errors=True)
        raise


def _place(staging: Path, target: Path, *, force: bool) -> None:
    """The new directory at the target's name; the old one, if any, under the staging name."""
    replaces = force and target.exists()
    if _renameat2(staging, target, _EXCHANGE if replaces else _NOREPLACE):
        return
    if not replaces:
        if target.exists():
            raise OutputExistsError(target)
        staging.rename(target)
        return
    aside = staging.with_suffix(".old")
    try:
        target.rename(aside)
        staging.rename(target)
    except BaseException:
        if not target.exists():
            aside.rename(target)
        raise
    finally:
        if target.exists():
            _remove(aside)


def _renameat2(source: Path, target: Path, flags: int) -> bool:
    """One atomic step of the Linux kernel; False where kernel, C library or file system has none."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if os.name == "posix" else None
    if function is None:
        return False
    if function(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), flags) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    if code == errno.EEXIST:
        raise OutputExistsError(target)
    raise OSError(code, os.strerror(code), str(target))
