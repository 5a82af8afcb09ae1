"""Is a TFLite file whole? For engines that follow every offset without looking, and crash.

LiteRT checks files itself. tflite-runtime 2.14 does so only for some: a file that ends too early kills the process.
"""

from __future__ import annotations

import struct

from edgevision.runtime.errors import BackendError

#: What a field holds: bytes per element of a vector, the name of a table, or, in a list, that of a vector's tables.
_Kind = int | str | list[str]

# The tables of the TFLite schema by field number, as far as they hold offsets. Vectors in operators' options are left
# out: every kind of operator has its own.
_TABLES: dict[str, dict[int, _Kind]] = {
    "Model": {1: ["OperatorCode"], 2: ["SubGraph"], 3: 1, 4: ["Buffer"], 5: 4, 6: ["Metadata"], 7: ["Signature"]},
    "OperatorCode": {1: 1},
    "SubGraph": {0: ["Tensor"], 1: 4, 2: 4, 3: ["Operator"], 4: 1},
    "Tensor": {0: 4, 3: 1, 4: "Quantization", 7: 4},
    "Quantization": {0: 4, 1: 4, 2: 4, 3: 8},
    "Operator": {1: 4, 2: 4, 4: "Options", 5: 1, 7: 1, 8: 4},
    "Options": {},
    "Buffer": {0: 1},
    "Metadata": {0: 1},
    "Signature": {0: ["TensorMap"], 1: ["TensorMap"], 2: 1},
    "TensorMap": {0: 1},
}


def check_whole(data: bytes) -> None:
    """Follow every offset of a TFLite file.

    Raises:
        BackendError: It is no TFLite file, or an offset in it points outside.
    """
    try:
        if data[4:8] != b"TFL3":
            raise IndexError("no TFLite model")
        _check(data, _follow(data, 0), "Model")
    except (struct.error, IndexError) as error:
        got = f"{len(data)} bytes that are no whole TFLite file"
        raise BackendError("tflite-runtime would not survive the model", got=got, cure="copy the file again") from error


def _check(data: bytes, table: int, name: str) -> None:
    vtable = table - int(struct.unpack_from("<i", data, table)[0])
    if vtable < 0:
        raise IndexError(vtable)
    entries, size = struct.unpack_from("<HH", data, vtable)
    _inside(data, vtable, entries)
    _inside(data, table, size)
    for number, kind in _TABLES[name].items():
        entry = 4 + 2 * number
        offset = int(struct.unpack_from("<H", data, vtable + entry)[0]) if entry + 2 <= entries else 0
        if offset:
            _check_field(data, _follow(data, table + offset), kind)


def _check_field(data: bytes, at: int, kind: _Kind) -> None:
    if isinstance(kind, str):
        _check(data, at, kind)
        return
    count = int(struct.unpack_from("<I", data, at)[0])
    _inside(data, at + 4, count * (kind if isinstance(kind, int) else 4))
    if isinstance(kind, list):
        for place in range(at + 4, at + 4 + 4 * count, 4):
            _check(data, _follow(data, place), kind[0])


def _follow(data: bytes, at: int) -> int:
    return at + int(struct.unpack_from("<I", data, at)[0])


def _inside(data: bytes, at: int, size: int) -> None:
    if at + size > len(data):
        raise IndexError(at)
