"""Reads an ONNX file, its metadata first of all, without any ONNX package: fields are walked over, not copied."""

from __future__ import annotations

from collections.abc import Iterator

from edgevision.runtime.errors import BundleError

# Field numbers of the messages ModelProto and StringStringEntryProto in the ONNX schema.
_MODEL_METADATA = 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def onnx_metadata(data: bytes, name: str) -> bytes | None:
    """The value of the metadata property of that name, None when there is none.

    Raises:
        BundleError: The bytes are not a protobuf message.
    """
    view = memoryview(data)
    for number, value in fields(view):
        if number == _MODEL_METADATA:
            entry = {key: bytes(part) for key, part in fields(value)}
            if entry.get(_ENTRY_KEY) == name.encode():
                return entry.get(_ENTRY_VALUE, b"")
    return None


def fields(view: memoryview) -> Iterator[tuple[int, memoryview]]:
    """(field number, content) of each length-delimited field; numbers are stepped over."""
    at = 0
    while at < len(view):
        tag, at = varint(view, at)
        kind = tag & 7
        if kind == _VARINT:
            _, at = varint(view, at)
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        elif kind == _BYTES:
            size, at = varint(view, at)
            if at + size > len(view):
                raise _damaged()
            yield tag >> 3, view[at : at + size]
            at += size
        else:
            raise _damaged()


def numbers(view: memoryview) -> dict[int, int]:
    """Field number -> the last value of those fields that are plain whole numbers."""
    at, found = 0, {}
    while at < len(view):
        tag, at = varint(view, at)
        kind = tag & 7
        if kind == _VARINT:
            found[tag >> 3], at = varint(view, at)
        elif kind == _BYTES:
            size, at = varint(view, at)
            at += size
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise _damaged()
    return found


def varint(view: memoryview, at: int) -> tuple[int, int]:
    """One number of variable length, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(view):
            break
        byte = view[at]
        value, at = value | (byte & 0x7F) << shift, at + 1
        if byte < 0x80:
            return value, at
    raise _damaged()


def _damaged() -> BundleError:
    return BundleError("the file is not a readable ONNX model", got="bytes that are not a protobuf message")
