"""The operators of an OpenVINO .xml file."""

from __future__ import annotations

from edgevision.runtime.embedded import openvino_xml
from edgevision.runtime.foreign.operators import FileFacts, behind, precision_of

_TYPES = {"f32": "float32", "f16": "float16", "i8": "int8", "u8": "int8"}
_MOVING = ("Convert", "FakeQuantize", "Reshape", "Squeeze", "Unsqueeze", "Transpose")


def facts(data: bytes) -> FileFacts:
    """See ``operators.file_facts``."""
    root = openvino_xml(data)
    layers = {layer.get("id", ""): layer for layer in root.iterfind("layers/layer")}
    source = {
        edge.get("to-layer", ""): edge.get("from-layer", "")
        for edge in sorted(root.iterfind("edges/edge"), key=lambda edge: -int(edge.get("to-port", "0")))
    }  # of several inputs the first one
    writer = {name: (layer.get("type", ""), source.get(name, "")) for name, layer in layers.items()}
    writers: dict[str, str] = {}
    for name, layer in layers.items():
        if layer.get("type") == "Result" and name in source:
            kind = behind(source[name], writer, _MOVING)
            for port in layers[source[name]].iterfind("output/port"):
                writers |= {each: kind for each in (port.get("names") or "").split(",") if each and kind}
    weights: dict[str, int] = {}
    for layer in layers.values():
        values = layer.find("data") if layer.get("type") == "Const" else None
        if values is not None:
            kind = _TYPES.get(values.get("element_type", ""), "other")
            weights[kind] = weights.get(kind, 0) + int(values.get("size", "0"))
    is_int8 = any(layer.get("type") == "FakeQuantize" for layer in layers.values())
    return FileFacts(writers, precision_of(is_int8, weights))
