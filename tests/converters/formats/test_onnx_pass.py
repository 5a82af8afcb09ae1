"""What is special about the ONNX file: the pass over the graph that tf2onnx leaves."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from keras import layers as kl
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

from edgevision.converters import formats
from edgevision.converters.formats.exported import Source
from edgevision.converters.formats.onnx_graph import OnnxGraph
from edgevision.converters.quantize.points import value_grids
from edgevision.converters.quantize.quantize import quantize
from edgevision.converters.quantize.weights import channel_axes, to_grid
from edgevision.runtime.errors import ConversionError
from tests.converters.conftest import Exported
from tests.converters.models import as_batch, folded, pictures, sequential


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_versions_that_old_engines_know(exported: Exported, precision: str) -> None:
    model = onnx.load(exported.path("onnx", precision))
    assert model.ir_version <= 8
    assert {item.version for item in model.opset_import if item.domain == ""} == {15}
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    onnx.checker.check_model(model, full_check=True)


def operands(graph: OnnxGraph, node: Any, index: int) -> list[Any]:
    """Stored values, scales and zero points behind one input of a node."""
    producer = graph.producer(node.input[index])
    assert producer.op_type == "DequantizeLinear"
    return [graph.constant(name) for name in producer.input]


def test_weights_are_int8_and_biases_int32_in_the_very_integers_of_the_quantiser(exported: Exported) -> None:
    graph = OnnxGraph.read(exported.path("onnx", "int8"))
    nodes = [node for node in graph.nodes if node.op_type in ("Conv", "Gemm", "MatMul")]
    quantized, grids = exported.quantized, value_grids(exported.quantized.graph, exported.quantized.ranges)
    ops = [op for op in quantized.graph if op.has_kernel]
    assert len(nodes) == len(ops)
    found, wanted = Counter[tuple[Any, ...]](), Counter[tuple[Any, ...]]()
    for node in nodes:
        stored, scale, zero = operands(graph, node, 1)
        assert (stored.dtype, scale.dtype, zero.dtype) == (np.int8, np.float32, np.int8)
        assert not zero.any() and scale.shape == zero.shape
        if len(node.input) == 2:  # tf2onnx leaves out a bias of zeros
            found[tuple(sorted(stored.ravel().tolist())), (0,) * scale.size] += 1
            continue
        counts, units, zero = operands(graph, node, 2)
        assert (counts.dtype, units.dtype, zero.dtype) == (np.int32, np.float32, np.int32)
        assert not zero.any() and counts.shape == units.shape == scale.shape
        found[tuple(sorted(stored.ravel().tolist())), tuple(counts.tolist())] += 1
    for op in ops:
        stored, scale = to_grid(op.weights[0], channel_axes(op))
        counts = np.rint(op.weights[1] / (scale.ravel().astype(np.float64) * grids[op.inputs[0]].scale))
        wanted[tuple(sorted(stored.ravel().tolist())), tuple(counts.astype(int).tolist())] += 1
    assert found == wanted


def test_activations_are_uint8_on_the_grids_of_the_quantiser(exported: Exported) -> None:
    graph = OnnxGraph.read(exported.path("onnx", "int8"))
    found = set()
    for node in graph.nodes:
        if node.op_type == "QuantizeLinear":
            scale, zero = (graph.constant(name) for name in node.input[1:3])
            assert scale is not None and zero is not None and zero.dtype == np.uint8 and scale.size == 1
            found.add((round(float(scale), 9), int(zero)))
    wanted = {(round(grid.scale, 9), grid.zero_point) for grid in exported.quantized.ranges.values()}
    near = [min(abs(scale / other - 1) for other, same in wanted if same == zero) for scale, zero in found]
    assert found and max(near) < 1e-5


def test_the_input_is_pixels_without_a_float_step(exported: Exported) -> None:
    graph = OnnxGraph.read(exported.path("onnx", "int8"))
    (first,) = graph.consumers("image")
    assert first.op_type == "DequantizeLinear"
    scale, zero = (graph.constant(name) for name in first.input[1:])
    assert scale is not None and zero is not None and (float(scale), int(zero)) == (1.0, 0)
    assert not any(node.op_type == "Cast" for node in graph.nodes)


def toy() -> Any:
    """image -> Relu__7 -> Relu__9."""
    nodes = [
        helper.make_node("Relu", ["image"], ["a__7"], name="first__7"),
        helper.make_node("Relu", ["a__7"], ["b__9"], name="second__9"),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 2)) for name in ("image", "b__9")]
    unused = numpy_helper.from_array(np.ones(3, np.float32), "unused")
    graph = helper.make_graph(nodes, "toy", values[:1], values[1:], [unused], doc_string="made today")
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def test_small_edits(tmp_path: Path) -> None:
    graph = OnnxGraph(toy())
    graph.renumber()
    assert [node.name for node in graph.nodes] == ["first__0", "second__1"]
    graph.rename_output("output")
    assert graph.nodes[1].output == ["output"] and graph.model.graph.output[0].name == "output"
    graph.replace_input("a__0", "image")
    assert [len(graph.consumers(name)) for name in ("image", "a__0")] == [2, 0]
    graph.write(tmp_path / "m.onnx")
    again = OnnxGraph.read(tmp_path / "m.onnx")
    assert not again.model.graph.initializer, "constants that nothing uses are dropped"
    assert not again.model.graph.doc_string and again.producer("image") is None


def test_a_graph_that_does_not_begin_with_its_grid_is_refused(exported: Exported, tmp_path: Path) -> None:
    ranges = {name: grid for name, grid in exported.quantized.ranges.items() if name != "image"}
    source = Source(exported.quantized.graph, ranges, tmp_path)
    with pytest.raises(ConversionError, match="does not begin with its input's grid"):
        formats.of("onnx").export(source, tmp_path / "m.onnx")


def test_without_the_pass_the_weights_would_be_float(tmp_path: Path) -> None:
    """What tf2onnx alone makes of the quantised model, to know that the tests above look at our own work."""
    pixels, _ = pictures(16)
    graph = folded(sequential(kl.Conv2D(3, 3), kl.Flatten(), kl.Dense(4)))
    quantized = quantize(graph, "logits", lambda: [as_batch(pixels)], as_batch(pixels), lambda: [as_batch(pixels)])
    source = Source(quantized.graph, quantized.ranges, tmp_path)
    source.model().export(
        str(tmp_path / "m.onnx"), format="onnx", verbose=False, input_signature=source.signature(), opset_version=15
    )
    assert not any(kernel.is_int8 for kernel in formats.of("onnx").kernels(tmp_path / "m.onnx"))


def computing(graph: OnnxGraph) -> list[str]:
    """Operators in any order; of the same model tf2onnx does not always leave as many of those that only reshape."""
    return sorted(node.op_type for node in graph.nodes if node.op_type not in ("Reshape", "Squeeze"))


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_kernels_kept_away_from_tf2onnx_give_the_same_file(
    exported: Exported, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, ranges = exported.graph, None
    if precision == "int8":
        graph, ranges = exported.quantized.graph, exported.quantized.ranges
    monkeypatch.setattr("edgevision.converters.formats.onnx.LARGE", 1)
    formats.of("onnx").export(Source(graph, ranges, tmp_path), tmp_path / "fed.onnx")
    usual, fed = OnnxGraph.read(exported.path("onnx", precision)), OnnxGraph.read(tmp_path / "fed.onnx")
    assert computing(fed) == computing(usual)
    assert [item.name for item in fed.model.graph.input] == ["image"]
    names = {node.name for node in fed.nodes}
    assert {f"model/{op.name}" for op in graph if op.kind in ("Conv2D", "Dense")} <= names
    for pixels in exported.trained.images[:4]:
        both = [
            InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"image": pixels[None]})[0]
            for path in (exported.path("onnx", precision), tmp_path / "fed.onnx")
        ]
        np.testing.assert_allclose(both[1], both[0], atol=1e-5 if precision == "float32" else 0)
