"""Bundles of a model that always gives the same answer, for any task."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.bundle import Golden, file_entry, golden_bytes, write_bundle
from edgevision.runtime.heads import Head
from edgevision.runtime.manifest import Artifact, Manifest, Precision
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


def colour_model(shape: tuple[int, ...], weights: NDArray[np.float32], bias: NDArray[np.float32]) -> bytes:
    """An ONNX model of uint8 ``shape``, channels last: (mean of each channel / 255) @ weights (3, n) + bias (n,)."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Cast", ["given"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["means"], axes=list(range(1, len(shape) - 1)), keepdims=0),
        helper.make_node("Div", ["means", "white"], ["shares"]),
        helper.make_node("Gemm", ["shares", "weights", "bias"], ["rows"]),
    ]
    arrays = {"white": np.float32(255), "weights": weights.astype(np.float32), "bias": bias.astype(np.float32)}
    constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]
    inputs = [helper.make_tensor_value_info("given", TensorProto.UINT8, shape)]
    outputs = [helper.make_tensor_value_info("rows", TensorProto.FLOAT, (1, weights.shape[1]))]
    graph = helper.make_graph(nodes, "colour", inputs, outputs, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return made.SerializeToString()  # type: ignore[no-any-return]


def bundle_of(path: Path, head: Head, shape: tuple[int, ...], answer: NDArray[np.float32], scores: Any = None) -> Path:
    """A bundle of one model that always answers the same."""
    return pair_of(path, head, shape, {"int8": answer}, scores)


def pair_of(
    path: Path, head: Head, shape: tuple[int, ...], answers: Mapping[Precision, NDArray[np.float32]], scores: Any = None
) -> Path:
    """A bundle of one model per precision, each with its own answer, always the same."""
    kind = "float32" if head.task == "generation" else "uint8"
    models = {precision: constant_model(shape, kind, answer) for precision, answer in answers.items()}
    return bundle_with(path, head, shape, models, answers, scores)


def bundle_with(
    path: Path,
    head: Head | None,
    shape: tuple[int, ...],
    models: Mapping[Precision, bytes],
    answers: Mapping[Precision, NDArray[np.float32]],
    scores: Any = None,
    labels: tuple[str, ...] = ("car", "dog"),
) -> Path:
    """A bundle of these models; ``answers`` are what they give for the golden input, all ones."""
    task = "classification" if head is None else head.task
    p = None if task == "generation" else Preprocessing(shape[-3], shape[-2], resize="letterbox")
    kind = "float32" if p is None else "uint8"
    items, files, outputs = [], dict[str, bytes](), {}
    for precision, data in models.items():
        name, answer = f"{precision}.onnx", answers[precision]
        tensors = ((TensorSpec("given", shape, kind),), (TensorSpec("rows", answer.shape, "float32"),))
        items.append(Artifact(name, "onnx", precision, (file_entry(name, data),), *tensors))
        files[name], outputs[name] = data, {"rows": answer.repeat(2, axis=0)}
    files["golden.npz"] = golden_bytes(Golden({"given": np.ones((2, *shape[1:]), kind)}, outputs))
    entry = file_entry("golden.npz", files["golden.npz"])
    write_bundle(path, Manifest(task, labels, scores, p, tuple(items), (entry,), head=head), files)
    return path
