"""Reports from their files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from edgevision.runtime.errors import InputError

Value = TypeVar("Value")


def read(path: str | Path, parse: Callable[[str], Value]) -> Value:
    """What a file's text is.

    Args:
        path: The file.
        parse: Makes it of the text, e.g. ``Report.from_json``.

    Raises:
        InputError: The file cannot be read, or ``parse`` refuses it; the message names the file.
    """
    path = Path(path)
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read", got=error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: the report is not JSON", got="bytes that are no text") from error
    except InputError as error:
        words = {"expected": error.expected, "got": error.got, "cure": error.cure}
        raise InputError(f"{path}: {error.problem}", **words) from error
