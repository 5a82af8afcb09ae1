"""Reads the metadata of a TFLite file without any TFLite package: every offset is checked before it is followed."""

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
    model = _follow(data, 0)
    for metadata in _tables(data, model, _MODEL_METADATA):
        if _bytes(data, metadata, _METADATA_NAME) != name:
            continue
        buffers = _tables(data, model, _MODEL_BUFFERS)
        buffer = buffers[_scalar(data, metadata, _METADATA_BUFFER, "<I")]
        offset, size = _scalar(data, buffer, _BUFFER_OFFSET, "<Q"), _scalar(data, buffer, _BUFFER_SIZE, "<Q")
        if offset > 1:  # the buffer lies behind the flatbuffer, as in models of 2 GB and more
            return _slice(data, offset, size)
        return _bytes(data, buffer, _BUFFER_DATA)
    return None


def _unpack(kind: str, data: bytes, at: int) -> int:
    if at < 0:
        raise IndexError(at)
    return int(struct.unpack_from(kind, data, at)[0])


def _slice(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise IndexError(at)
    return data[at : at + size]


def _follow(data: bytes, at: int) -> int:
    return at + _unpack("<I", data, at)


def _field(data: bytes, table: int, number: int) -> int | None:
    """Position of a field's value, None when the table leaves it at its default."""
    vtable = table - _unpack("<i", data, table)
    entry = 4 + 2 * number
    if entry + 2 > _unpack("<H", data, vtable):
        return None
    offset = _unpack("<H", data, vtable + entry)
    return table + offset if offset else None


def _scalar(data: bytes, table: int, number: int, kind: str) -> int:
    at = _field(data, table, number)
    return 0 if at is None else _unpack(kind, data, at)


def _bytes(data: bytes, table: int, number: int) -> bytes | None:
    at = _field(data, table, number)
    if at is None:
        return None
    start = _follow(data, at)
    return _slice(data, start + 4, _unpack("<I", data, start))


def _tables(data: bytes, table: int, number: int) -> list[int]:
    at = _field(data, table, number)
    if at is None:
        return []
    start = _follow(data, at)
    count = _unpack("<I", data, start)
    if start + 4 + 4 * count > len(data):
        raise IndexError(count)
    return [_follow(data, start + 4 + 4 * i) for i in range(count)]
