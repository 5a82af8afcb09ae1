"""Reads a TFLite file, its metadata first of all, without any TFLite package: no offset is followed unchecked."""

from __future__ import annotations

import struct

from edgevision.runtime.errors import BundleError

# Field numbers of the tables Model, Metadata and Buffer in the TFLite schema.
_MODEL_BUFFERS, _MODEL_METADATA = 4, 6
_METADATA_NAME, _METADATA_BUFFER = 0, 1
_BUFFER_DATA, _BUFFER_OFFSET, _BUFFER_SIZE = 0, 1, 2


def tflite_metadata(data: bytes, name: str) -> bytes | None:
    """The content of the metadata buffer of that name, None when there is none.

    Raises:
        BundleError: The file is not a TFLite file, or an offset in it points outside.
    """
    if data[4:8] != b"TFL3":
        raise BundleError("the file is not a TFLite model", expected="identifier TFL3", got=repr(data[4:8]))
    try:
        return _find(data, name.encode())
    except (struct.error, IndexError, OverflowError) as error:
        raise BundleError("the TFLite model is damaged", got="an offset that points outside the file") from error


def _find(data: bytes, name: bytes) -> bytes | None:
    model = follow(data, 0)
    for metadata in tables(data, model, _MODEL_METADATA):
        if _bytes(data, metadata, _METADATA_NAME) != name:
            continue
        buffers = tables(data, model, _MODEL_BUFFERS)
        buffer = buffers[scalar(data, metadata, _METADATA_BUFFER, "<I")]
        offset, size = scalar(data, buffer, _BUFFER_OFFSET, "<Q"), scalar(data, buffer, _BUFFER_SIZE, "<Q")
        if offset > 1:  # the buffer lies behind the flatbuffer, as in models of 2 GB and more
            return _slice(data, offset, size)
        return _bytes(data, buffer, _BUFFER_DATA)
    return None


def unpack(kind: str, data: bytes, at: int) -> int:
    """One number, by its struct code."""
    if at < 0:
        raise IndexError(at)
    return int(struct.unpack_from(kind, data, at)[0])


def _slice(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise IndexError(at)
    return data[at : at + size]


def follow(data: bytes, at: int) -> int:
    """Where the offset at ``at`` leads."""
    return at + unpack("<I", data, at)


def field(data: bytes, table: int, number: int) -> int | None:
    """Position of a field's value, None when the table leaves it at its default."""
    vtable = table - unpack("<i", data, table)
    entry = 4 + 2 * number
    if entry + 2 > unpack("<H", data, vtable):
        return None
    offset = unpack("<H", data, vtable + entry)
    return table + offset if offset else None


def scalar(data: bytes, table: int, number: int, kind: str) -> int:
    """A field that is a number; 0 where the table leaves it out."""
    at = field(data, table, number)
    return 0 if at is None else unpack(kind, data, at)


def size_of(data: bytes, buffer: int) -> int:
    """Bytes of a buffer's content, wherever it lies."""
    at = field(data, buffer, _BUFFER_DATA)
    return scalar(data, buffer, _BUFFER_SIZE, "<Q") if at is None else unpack("<I", data, follow(data, at))


def _bytes(data: bytes, table: int, number: int) -> bytes | None:
    at, count = vector(data, table, number)
    return _slice(data, at, count) if at else None


def vector(data: bytes, table: int, number: int) -> tuple[int, int]:
    """Position of the first element of a field that is a list, and how many it says there are; twice 0 without it."""
    at = field(data, table, number)
    if at is None:
        return 0, 0
    start = follow(data, at)
    return start + 4, unpack("<I", data, start)


def tables(data: bytes, table: int, number: int) -> list[int]:
    """Positions of the tables in a field that is a list of them."""
    at, count = vector(data, table, number)
    if at + 4 * count > len(data):
        raise IndexError(count)
    return [follow(data, at + 4 * i) for i in range(count)]
