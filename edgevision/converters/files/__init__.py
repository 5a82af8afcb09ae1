"""Model files: one module per kind, each with ``read(path, trust) -> keras.Model``, or a ``saved_model.SavedGraph``."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from pathlib import Path
from typing import Any

from edgevision.converters.files.problems import reading
from edgevision.runtime.errors import MissingPackageError, ModelError, UnsafeModelError

_EXPECTED = "a .keras or .h5 file, or a SavedModel directory"
_SAVE = "save it with model.save('NAME.keras')"
#: What a file begins with: the module that reads it, or what it is instead.
_MAGIC = ((b"PK\x03\x04", "keras_file"), (b"PK\x05\x06", "keras_file"), (b"\x89HDF\r\n\x1a\n", "h5_file"))
#: A user block may stand before an HDF5 file: its signature is then at one of these places.
_HDF5_OFFSETS = (512, 1024, 2048, 4096)
_OTHERS = ((b"\x80\x02", "a pickle"), (b"\x80\x03", "a pickle"), (b"\x80\x04", "a pickle"), (b"\x80\x05", "a pickle"))
_CHUNK = 2**20


def read_model(path: Path, trust: bool = False) -> Any:
    """The Keras 3 model in a file or directory, uncompiled; a ``saved_model.SavedGraph`` of one without layers.

    What it is is told by its content; the suffix does not matter.

    Args:
        path: A .keras file (or one unpacked to a directory), an .h5 file of Keras 2 or 3, or a SavedModel directory.
        trust: Run code that came with the model: Lambda layers, classes from modules that can be imported, and any
            operation of a TensorFlow graph.

    Raises:
        UnsafeModelError: It holds code, or its graph does more than compute, and ``trust`` is not given.
        ModelError: It cannot be read, or holds no model (UnsupportedLayerError: a layer cannot be carried to Keras 3).
        MissingPackageError: Keras, or tf-keras for a model of Keras 2, is not installed.
        MemoryError: There is not enough memory.
    """
    kind = _kind(path)
    if importlib.util.find_spec("keras") is None:
        raise MissingPackageError("keras", f"to read {path.name}", "convert")
    reader = importlib.import_module(f"edgevision.converters.files.{kind}")
    with reading(path):
        return reader.read(path, trust)


def content_hash(path: Path) -> str:
    """SHA-256 of a file; of a directory, over the names and contents of all files in it."""
    digest = hashlib.sha256()
    for item in [path] if path.is_file() else sorted(path.rglob("*")):
        if not item.is_file():
            continue
        if item != path:
            digest.update(f"{item.relative_to(path).as_posix()}\0{item.stat().st_size}\0".encode())
        with item.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def _kind(path: Path) -> str:
    """The name of the module that reads it."""
    if path.is_dir():
        return _kind_of_folder(path)
    if not path.is_file():
        raise ModelError(f"{path} is no model file", expected=_EXPECTED, got="nothing at that path", cure=_SAVE)
    with path.open("rb") as file:
        head = file.read(_HDF5_OFFSETS[-1] + 8)
    for magic, kind in _MAGIC:
        if head.startswith(magic) or (kind == "h5_file" and any(head[at : at + 8] == magic for at in _HDF5_OFFSETS)):
            return kind
    if any(head.startswith(magic) for magic, _ in _OTHERS):
        raise UnsafeModelError(f"{path} is a pickle", expected=_EXPECTED, got="code to run on opening", cure=_SAVE)
    got = "an empty file" if not head else f"a file that begins with {head[:8]!r}"
    raise ModelError(f"{path} is no model file", expected=_EXPECTED, got=got, cure=f"{_SAVE}, or copy it again")


def _kind_of_folder(path: Path) -> str:
    if (path / "saved_model.pb").is_file():
        return "saved_model"
    if (path / "config.json").is_file():
        return "keras_file"
    raise ModelError(
        f"{path} is no model", expected=_EXPECTED, got="a directory without saved_model.pb and config.json", cure=_SAVE
    )
