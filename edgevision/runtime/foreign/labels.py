"""Class names of a model that edgevision did not make."""

from __future__ import annotations

import ast
import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgevision.runtime.errors import BundleError, InputError
from edgevision.runtime.protobuf import onnx_metadata

if TYPE_CHECKING:
    from edgevision.runtime.foreign import AnyLabels

_MOST = 1 << 20


def read_labels(given: AnyLabels) -> tuple[str, ...]:
    """Names from a sequence, or from a text file with one a line.

    Raises:
        InputError: The file cannot be read, holds none, or a name is repeated.
    """
    if isinstance(given, (str, os.PathLike)):
        try:
            text = Path(given).read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            raise InputError(f"the labels in {given} cannot be read", expected="a text file", got=str(error)) from error
        found = lines(text)
    else:
        found = tuple(given)
    if not found or not all(isinstance(name, str) and name for name in found):
        raise InputError(
            "the labels are not usable", expected="class names, in a file one a line", got=repr(given)[:60]
        )
    check_different(found)
    return found


def lines(text: str) -> tuple[str, ...]:
    """One name a line; empty lines at the end are none."""
    return tuple(line.strip() for line in text.rstrip().splitlines())


def check_different(names: Sequence[str]) -> None:
    """Refuses repeated names.

    Raises:
        InputError: There is one.
    """
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError("a class name is repeated", expected="different names", got=", ".join(repeated[:6]))


def stored_labels(data: bytes, format: str) -> tuple[tuple[str, ...], str]:
    """Names that the file carries in one of the usual ways, and where they were found; none and "" otherwise.

    TFLite files may have a zip archive with text files at their end (TFLite Metadata), ONNX files a property "names"
    or "classes" with a list or {number: name}.
    """
    if format == "tflite":
        return _in_archive(data)
    if format == "onnx":
        for key in ("names", "classes"):
            try:
                value = onnx_metadata(data, key)
                found = ast.literal_eval(value.decode()) if value and len(value) < _MOST else None
            except (BundleError, ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            names = tuple(found[i] for i in sorted(found)) if isinstance(found, dict) else found
            if isinstance(names, (list, tuple)) and names and all(isinstance(name, str) for name in names):
                return tuple(names), f"the model's property {key!r}"
    return (), ""


def _in_archive(data: bytes) -> tuple[tuple[str, ...], str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            texts = [item for item in archive.infolist() if item.filename.endswith(".txt") and item.file_size < _MOST]
            if len(texts) == 1:
                return lines(archive.read(texts[0]).decode()), f"{texts[0].filename} inside the file"
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, RuntimeError):
        pass
    return (), ""
