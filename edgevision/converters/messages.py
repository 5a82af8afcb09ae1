"""Errors as plain values, so that they can come out of a child process without anything being run to read them."""

from __future__ import annotations

import builtins
from typing import Any

from edgevision.runtime import errors
from edgevision.runtime.errors import ConversionError, EdgevisionError

_PARTS = ("problem", "expected", "got", "cure")
#: Attributes that some errors have beside these.
_EXTRAS = ("package", "extra")


class ChildTraceback(Exception):
    """Where in the child process it happened, for whoever looks at the cause."""

    def __str__(self) -> str:
        return "\n" + str(self.args[0])


def to_message(error: BaseException) -> dict[str, Any]:
    """What of an error can be written as JSON."""
    message: dict[str, Any] = {"type": type(error).__name__, "text": str(error)}
    if isinstance(error, EdgevisionError):
        message["parts"] = {name: str(getattr(error, name)) for name in _PARTS}
        message["extras"] = {name: str(getattr(error, name)) for name in _EXTRAS if hasattr(error, name)}
    elif isinstance(error, OSError):
        filename = None if error.filename is None else str(error.filename)
        message["system"] = [error.errno, error.strerror, filename]
    return message


def to_error(message: dict[str, Any]) -> Exception:
    """The error again: of its own class if that is one of edgevision's or Python's, else a ConversionError."""
    name, text = str(message.get("type")), str(message.get("text"))
    ours = getattr(errors, name, None)
    if isinstance(ours, type) and issubclass(ours, EdgevisionError):
        error = ours.__new__(ours)
        EdgevisionError.__init__(error, **message["parts"])
        for key, value in message["extras"].items():
            setattr(error, key, value)
        return error
    if "system" in message:
        return OSError(*message["system"])
    python = getattr(builtins, name, None)
    if isinstance(python, type) and issubclass(python, Exception) and not issubclass(python, UnicodeError):
        return python(text)
    return ConversionError("the conversion failed", got=f"{name}: {' '.join(text.split())}")
