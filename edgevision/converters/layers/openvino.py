"""Tensors inside an OpenVINO file: what each FakeQuantize writes becomes a result of a copy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgevision.converters.layers import Reader, Tensor, Values
from edgevision.converters.quantize.fake_quant import STEPS, Range
from edgevision.runtime.backends.openvino import import_openvino


def tensors(path: Path) -> list[Tensor]:
    """See ``Inside``."""
    found: dict[str, Tensor] = {}
    for node in import_openvino().Core().read_model(str(path)).get_ordered_ops():
        inputs = [port.get_source_output().get_node().get_friendly_name() for port in node.inputs()]
        sources = tuple(found[name].name for name in inputs if name in found)
        if sources or node.get_type_name() == "Parameter":
            name, port = node.get_friendly_name(), node.output(0)
            shape = port.get_partial_shape()
            size = None if shape.is_dynamic else math.prod(shape.to_shape())
            found[name] = Tensor(name, sources, _grid(node), size) if sources else Tensor(port.get_any_name(), ())
    return list(found.values())


def reader(path: Path, names: Sequence[str], *, is_one_run: bool = False) -> Reader:
    """See ``Inside``.

    What is read from inside keeps the engine from fusing some operators, and a value in some hundred then rounds to the
    next step.
    """
    core = import_openvino().Core()
    model = core.read_model(str(path))
    nodes = {node.get_friendly_name(): node for node in model.get_ordered_ops()}
    whole = _request(core, model)
    sources, outputs = ([port.get_any_name() for port in ports] for ports in (model.inputs, model.outputs))
    model.add_outputs([nodes[name].output(0) for name in names])  # but for those that are results already
    ends = [port.get_node().input(0).get_source_output().get_node().get_friendly_name() for port in model.outputs]
    opened = _request(core, model)
    last = opened if is_one_run else whole

    def read(sample: Mapping[str, NDArray[Any]]) -> tuple[Values, Values]:
        for request in (opened,) if is_one_run else (whole, opened):
            request.infer([sample[name] for name in sources])
        found = {name: opened.get_output_tensor(ends.index(name)).data.copy() for name in names}
        return found, {name: last.get_output_tensor(place).data.copy() for place, name in enumerate(outputs)}

    return read


def _request(core: Any, model: Any) -> Any:
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    return core.compile_model(model, "CPU", settings).create_infer_request()


def _grid(node: Any) -> Range | None:
    if node.get_type_name() != "FakeQuantize" or node.get_attributes()["levels"] != STEPS + 1:
        return None
    ends = [port.get_source_output().get_node() for port in node.inputs()[3:]]
    if any(end.get_type_name() != "Constant" or end.data.size != 1 for end in ends):
        return None
    low, high = (float(end.data.ravel()[0]) for end in ends)
    scale = (high - low) / STEPS
    return Range(scale, round(-low / scale))
