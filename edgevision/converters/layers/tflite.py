"""Tensors inside a TFLite file: they become outputs of a copy.

The interpreter can keep every tensor by itself, but only without XNNPACK, which is what runs on a device and rounds
otherwise than the interpreter's own kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.layers import Reader, Tensor, Values, real
from edgevision.converters.quantize.fake_quant import Range

#: Operators that write what they read, on the grid it was on.
_MOVING = (
    *("RESHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS", "STRIDED_SLICE", "SLICE", "SPLIT", "SPLIT_V", "PACK", "UNPACK"),
    *("GATHER", "MAX_POOL_2D", "SPACE_TO_BATCH_ND", "DEQUANTIZE"),
)


def tensors(path: Path) -> list[Tensor]:
    """See ``Inside``. A tensor's name is its number: TFLite's names are not unique."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # As the file has it: XNNPACK would take operators away and put its own in their place.
    interpreter = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    details = {item["index"]: item for item in interpreter.get_tensor_details()}
    found = {item["index"]: Tensor(item["name"], ()) for item in interpreter.get_input_details()}
    for operator in interpreter._get_ops_details():  # the only list of operators there is
        sources = tuple(found[index].name for index in operator["inputs"] if index in found)
        for index in operator["outputs"] if sources else ():
            grid = None if operator["op_name"] in _MOVING else _grid(details[index])
            found[index] = Tensor(str(index), sources, grid, int(np.prod(details[index]["shape"])))
    return list(found.values())


def reader(path: Path, names: Sequence[str], *, is_one_run: bool = True) -> Reader:
    """See ``Inside``; it is always one run."""
    from ai_edge_litert.interpreter import Interpreter
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(path))
    graph = model.subgraphs[0]
    outputs = {graph.tensors[index].name.decode(): int(index) for index in graph.outputs}
    graph.outputs = list(dict.fromkeys([*graph.outputs, *map(int, names)]))
    interpreter = Interpreter(model_content=bytes(flatbuffer_utils.convert_object_to_bytearray(model)), num_threads=1)
    interpreter.allocate_tensors()
    details = {item["index"]: item for item in interpreter.get_output_details()}
    sources = {item["name"]: item["index"] for item in interpreter.get_input_details()}

    def read(sample: Mapping[str, NDArray[Any]]) -> tuple[Values, Values]:
        for name, index in sources.items():
            interpreter.set_tensor(index, sample[name])
        interpreter.invoke()
        found = {index: _real(interpreter.get_tensor(index), item) for index, item in details.items()}
        return {name: found[int(name)] for name in names}, {name: found[index] for name, index in outputs.items()}

    return read


def _grid(item: dict[str, Any]) -> Range | None:
    scale, zero_point = item["quantization"]
    return Range(float(scale), int(zero_point) + 128) if item["dtype"] == np.int8 and scale else None


def _real(values: NDArray[Any], item: dict[str, Any]) -> NDArray[np.float32]:
    grid = _grid(item)
    return values.astype(np.float32) if grid is None else real(values, grid)
