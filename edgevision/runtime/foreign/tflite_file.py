"""The operators and tensors of a .tflite file. Numbers of fields and codes are those of the TFLite schema."""

from __future__ import annotations

import struct
from collections import Counter

from edgevision.runtime.errors import BundleError
from edgevision.runtime.flatbuffer import field, follow, scalar, size_of, tables, vector
from edgevision.runtime.foreign.operators import FileFacts, behind, precision_of

_MODEL_CODES, _MODEL_GRAPHS, _MODEL_BUFFERS, _MODEL_SIGNATURES = 1, 2, 4, 7
_CODE_OLD, _CODE = 0, 3
_GRAPH_TENSORS, _GRAPH_OUTPUTS, _GRAPH_OPERATORS = 0, 2, 3
_TENSOR_TYPE, _TENSOR_BUFFER, _TENSOR_NAME, _TENSOR_QUANT = 1, 2, 3, 4
_OPERATOR_CODE, _OPERATOR_INPUTS, _OPERATOR_OUTPUTS = 0, 1, 2
_SIGNATURE_OUTPUTS = 1
_MAP_NAME, _MAP_TENSOR = 0, 1

_TYPES = {0: "float32", 1: "float16", 3: "uint8", 7: "int16", 9: "int8"}
_KINDS = {25: "softmax", 14: "sigmoid"}
#: DEQUANTIZE, RESHAPE, SQUEEZE, CAST, EXPAND_DIMS, QUANTIZE
_MOVING = ("6", "22", "43", "53", "70", "114")


def facts(data: bytes) -> FileFacts:
    """See ``operators.file_facts``."""
    if data[4:8] != b"TFL3":
        raise BundleError("the file is not a TFLite model", expected="identifier TFL3", got=repr(data[4:8]))
    model = follow(data, 0)
    codes = [
        max(scalar(data, code, _CODE_OLD, "<b"), scalar(data, code, _CODE, "<i"))
        for code in tables(data, model, _MODEL_CODES)
    ]
    graph = tables(data, model, _MODEL_GRAPHS)[0]
    tensors = tables(data, graph, _GRAPH_TENSORS)
    writer: dict[str, tuple[str, str]] = {}
    between: set[str] = set()
    for operator in tables(data, graph, _GRAPH_OPERATORS):
        code = codes[scalar(data, operator, _OPERATOR_CODE, "<I")]
        inputs, outputs = (_numbers(data, operator, each) for each in (_OPERATOR_INPUTS, _OPERATOR_OUTPUTS))
        for tensor in outputs:
            writer[str(tensor)] = (_KINDS.get(code, str(code)), str(inputs[0]) if inputs else "")
            if str(code) not in _MOVING and field(data, tensors[tensor], _TENSOR_QUANT) is not None:
                between.add(_type(data, tensors[tensor]))
    outputs = _numbers(data, graph, _GRAPH_OUTPUTS)
    found = {name: behind(str(tensor), writer, _MOVING) for name, tensor in _names(data, model, tensors, outputs)}
    precision = precision_of(bool(between & {"int8", "uint8"}), _weights(data, model, tensors), "int16" in between)
    return FileFacts({name: kind for name, kind in found.items() if kind}, precision)


def _names(data: bytes, model: int, tensors: list[int], outputs: list[int]) -> list[tuple[str, int]]:
    """(name, tensor) of the outputs, as sessions name them: by the only signature, else by the tensor."""
    own = [(_text(data, tensors[tensor], _TENSOR_NAME), tensor) for tensor in outputs]
    signatures = tables(data, model, _MODEL_SIGNATURES)
    if len(signatures) != 1:
        return own
    maps = tables(data, signatures[0], _SIGNATURE_OUTPUTS)
    return own + [(_text(data, each, _MAP_NAME), scalar(data, each, _MAP_TENSOR, "<I")) for each in maps]


def _weights(data: bytes, model: int, tensors: list[int]) -> dict[str, int]:
    buffers, found = tables(data, model, _MODEL_BUFFERS), Counter[str]()
    for tensor in tensors:
        found[_type(data, tensor)] += size_of(data, buffers[scalar(data, tensor, _TENSOR_BUFFER, "<I")])
    return dict(found)


def _type(data: bytes, tensor: int) -> str:
    return _TYPES.get(scalar(data, tensor, _TENSOR_TYPE, "<b"), "other")


def _numbers(data: bytes, table: int, number: int) -> list[int]:
    at, count = vector(data, table, number)
    return list(struct.unpack_from(f"<{count}i", data, at)) if at + 4 * count <= len(data) else []


def _text(data: bytes, table: int, number: int) -> str:
    at, count = vector(data, table, number)
    return data[at : at + count].decode(errors="replace")
