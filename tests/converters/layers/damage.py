"""Changes to files that no layer should survive unnoticed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.converters.formats.onnx_graph import OnnxGraph


def shaken(values: Any) -> Any:
    noise = np.random.default_rng(0).integers(-60, 61, values.shape)
    return np.clip(values.astype(np.int32) + noise, -127, 127).astype(np.int8)


def change_onnx(path: Path, index: int, change: Callable[[Any], Any]) -> None:
    from onnx import numpy_helper

    graph = OnnxGraph.read(path)
    conv = [node for node in graph.nodes if node.op_type in ("Conv", "Gemm", "MatMul")][index]
    stored = graph.producer(conv.input[1]).input[0]
    item = next(item for item in graph.model.graph.initializer if item.name == stored)
    item.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(item)), stored))
    graph.write(path)
