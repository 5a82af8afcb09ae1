"""Bundles of a model that always gives the same answer, for any task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.bundle import Golden, file_entry, golden_bytes, write_bundle
from edgevision.runtime.heads import Head
from edgevision.runtime.manifest import Artifact, Manifest
from edgevision.runtime.spec import Preprocessing, TensorSpec


def constant_model(shape: tuple[int, ...], kind: str, answer: NDArray[np.float32]) -> bytes:
    """An ONNX model that takes ``shape`` and always answers the same."""
    from onnx import TensorProto, helper, numpy_helper

    types = {"uint8": TensorProto.UINT8, "float32": TensorProto.FLOAT}
    nodes = [
        helper.make_node("Cast", ["given"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["floats"], ["one"], keepdims=0),
        helper.make_node("Mul", ["one", "zero"], ["nothing"]),
        helper.make_node("Add", ["answer", "nothing"], ["rows"]),
    ]
    constants = [numpy_helper.from_array(answer, "answer"), numpy_helper.from_array(np.float32(0), "zero")]
    inputs = [helper.make_tensor_value_info("given", types[kind], shape)]
    outputs = [helper.make_tensor_value_info("rows", TensorProto.FLOAT, answer.shape)]
    graph = helper.make_graph(nodes, "constant", inputs, outputs, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return made.SerializeToString()  # type: ignore[no-any-return]


def bundle_of(path: Path, head: Head, shape: tuple[int, ...], answer: NDArray[np.float32], scores: Any = None) -> Path:
    p = None if head.task == "generation" else Preprocessing(32, 32, resize="letterbox")
    kind = "float32" if p is None else "uint8"
    data = constant_model(shape, kind, answer)
    tensors = ((TensorSpec("given", shape, kind),), (TensorSpec("rows", answer.shape, "float32"),))
    item = Artifact("int8.onnx", "onnx", "int8", (file_entry("int8.onnx", data),), *tensors)
    golden = Golden({"given": np.ones((2, *shape[1:]), kind)}, {"int8.onnx": {"rows": answer.repeat(2, axis=0)}})
    files = {"int8.onnx": data, "golden.npz": golden_bytes(golden)}
    entry = file_entry("golden.npz", files["golden.npz"])
    write_bundle(path, Manifest(head.task, ("car", "dog"), scores, p, (item,), (entry,), head=head), files)
    return path
