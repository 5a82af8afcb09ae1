"""The operators and constants of an .onnx file. Numbers of fields are those of the ONNX schema."""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass

from edgevision.runtime.errors import BundleError
from edgevision.runtime.foreign.operators import FileFacts, behind, precision_of
from edgevision.runtime.protobuf import fields, numbers, varint
from edgevision.runtime.spec import QuantParams

_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_CONSTANT, _GRAPH_INPUT, _GRAPH_OUTPUT = 1, 5, 11, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_KIND = 1, 2, 4
_VALUE_NAME = 1
_TENSOR_TYPE, _TENSOR_FLOATS, _TENSOR_INTS, _TENSOR_NAME, _TENSOR_RAW = 2, 4, 5, 8, 9

_TYPES = {1: "float32", 2: "int8", 3: "int8", 10: "float16"}
_MOVING = ("Cast", "DequantizeLinear", "Flatten", "Identity", "QuantizeLinear", "Reshape", "Squeeze", "Unsqueeze")


@dataclass(frozen=True)
class _Node:
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class _Constant:
    kind: int
    content: dict[int, memoryview]

    @property
    def size(self) -> int:
        return sum(len(part) for number, part in self.content.items() if number != _TENSOR_NAME)

    def number(self) -> float:
        """The first value."""
        if self.kind == 1:
            part = self.content.get(_TENSOR_RAW, self.content.get(_TENSOR_FLOATS, memoryview(b"")))
            return float(struct.unpack_from("<f", part)[0])
        raw = self.content.get(_TENSOR_RAW)
        if raw is not None:
            return int(struct.unpack_from("<b" if self.kind == 3 else "<B", raw)[0])
        value, _ = varint(self.content[_TENSOR_INTS], 0)
        return value - (1 << 64) if value >= 1 << 63 else value


def facts(data: bytes) -> FileFacts:
    """See ``operators.file_facts``."""
    graph = next((part for number, part in fields(memoryview(data)) if number == _MODEL_GRAPH), None)
    if graph is None:
        raise BundleError("the file is not a readable ONNX model", expected="a graph")
    nodes: list[_Node] = []
    constants: dict[str, _Constant] = {}
    ends: dict[int, list[str]] = {_GRAPH_INPUT: [], _GRAPH_OUTPUT: []}
    for number, part in fields(graph):
        if number == _GRAPH_NODE:
            nodes.append(_node(part))
        elif number == _GRAPH_CONSTANT:
            content = dict(fields(part))
            constants[_text(content.get(_TENSOR_NAME))] = _Constant(numbers(part).get(_TENSOR_TYPE, 0), content)
        elif number in ends:
            ends[number].append(_text(dict(fields(part)).get(_VALUE_NAME)))
    writer = {name: (node.kind, node.inputs[0] if node.inputs else "") for node in nodes for name in node.outputs}
    writers = {name: behind(name, writer, _MOVING) for name in ends[_GRAPH_OUTPUT]}
    weights = Counter[str]()
    for each in constants.values():
        weights[_TYPES.get(each.kind, "other")] += each.size
    kinds = {node.kind for node in nodes}
    is_int8 = "QuantizeLinear" in kinds or any(kind.startswith("QLinear") for kind in kinds)
    found = {name: kind for name, kind in writers.items() if kind}
    return FileFacts(found, precision_of(is_int8, dict(weights)), _quantised_ends(nodes, constants, ends))


def _quantised_ends(
    nodes: list[_Node], constants: dict[str, _Constant], ends: dict[int, list[str]]
) -> dict[str, QuantParams]:
    """Inputs that a DequantizeLinear takes first and outputs that a QuantizeLinear writes, with one scale each."""
    found = {}
    for node in nodes:
        reads = node.kind == "DequantizeLinear" and node.inputs[0] in ends[_GRAPH_INPUT]
        writes = node.kind == "QuantizeLinear" and node.outputs[0] in ends[_GRAPH_OUTPUT]
        scale = constants.get(node.inputs[1]) if (reads or writes) and len(node.inputs) > 1 else None
        if scale is None or scale.size > 8:  # a scale per channel
            continue
        zero = constants.get(node.inputs[2]) if len(node.inputs) > 2 else None
        name = node.inputs[0] if reads else node.outputs[0]
        found[name] = QuantParams(scale.number(), int(zero.number()) if zero is not None else 0)
    return found


def _node(part: memoryview) -> _Node:
    kind, inputs, outputs = "", [], []
    for number, value in fields(part):
        if number == _NODE_INPUT:
            inputs.append(_text(value))
        elif number == _NODE_OUTPUT:
            outputs.append(_text(value))
        elif number == _NODE_KIND:
            kind = _text(value)
    return _Node(kind, tuple(inputs), tuple(outputs))


def _text(part: memoryview | None) -> str:
    return "" if part is None else bytes(part).decode(errors="replace")
