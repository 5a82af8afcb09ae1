"""Small edits on a TFLite model with one subgraph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def kinds(model: Any) -> list[str]:
    """Operator type of each operator code of a schema ModelT."""
    from tensorflow.lite.python import schema_py_generated as schema

    names = {value: key for key, value in vars(schema.BuiltinOperator).items() if not key.startswith("_")}
    return [names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes]


class TFLiteGraph:
    """A model with look-ups; edits are made in place.

    Attributes:
        model: schema ModelT.
        operators: Of its subgraph, in the order in which they run.
        tensors: Of its subgraph.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._graph = model.subgraphs[0]
        self._graph.operators = list(self._graph.operators)
        self.operators: list[Any] = self._graph.operators
        self.tensors: list[Any] = self._graph.tensors

    def kind(self, operator: Any) -> str:
        """Operator type."""
        return kinds(self.model)[int(operator.opcodeIndex)]

    def producer(self, tensor: int) -> Any:
        """The operator that writes a tensor; None for inputs and constants."""
        return next((op for op in self.operators if tensor in op.outputs), None)

    def consumers(self, tensor: int) -> list[Any]:
        """The operators that read a tensor."""
        return [op for op in self.operators if tensor in op.inputs]

    def is_float(self, tensor: int) -> bool:
        """Whether a tensor holds float32."""
        from tensorflow.lite.python import schema_py_generated as schema

        return bool(self.tensors[tensor].type == schema.TensorType.FLOAT32)

    def stored(self, tensor: int, dtype: type) -> NDArray[Any]:
        """The flat values of a constant."""
        data = self.model.buffers[self.tensors[tensor].buffer].data
        return np.frombuffer(bytes(bytearray(data)), dtype)

    def constant(self, name: str, value: NDArray[Any], scale: NDArray[Any] | None = None) -> int:
        """Add a constant, float32 or int32; ``scale`` (values,): per channel, zero point 0. Returns its index."""
        from tensorflow.lite.python import schema_py_generated as schema

        buffer = schema.BufferT()
        buffer.data = np.frombuffer(value.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        index = self.value(name, list(value.shape), value.dtype.type)
        self.tensors[index].buffer = len(self.model.buffers) - 1
        if scale is not None:
            self.tensors[index].quantization = _grid(list(scale), [0] * len(scale))
        return index

    def value(self, name: str, shape: list[int], dtype: type, grid: tuple[float, int] | None = None) -> int:
        """Add a tensor that an operator writes; ``grid``: (scale, zero point). Returns its index."""
        from tensorflow.lite.python import schema_py_generated as schema

        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.hasRank, tensor.buffer = name.encode(), shape, True, 0
        tensor.type = getattr(schema.TensorType, np.dtype(dtype).name.upper())
        tensor.quantization = None if grid is None else _grid([grid[0]], [grid[1]])
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def like(self, operator: Any, inputs: list[int], outputs: list[int]) -> Any:
        """An operator of the same type with the same options; it is not put into the graph."""
        return self._made(operator.opcodeIndex, inputs, outputs, operator.builtinOptionsType, operator.builtinOptions)

    def addition(self, inputs: list[int], output: int) -> Any:
        """An ADD; it is not put into the graph."""
        from tensorflow.lite.python import schema_py_generated as schema

        return self._made(self._code("ADD"), inputs, [output], schema.BuiltinOptions.AddOptions, schema.AddOptionsT())

    def dequantization(self, stored: int, real: int) -> Any:
        """A DEQUANTIZE; it is not put into the graph."""
        from tensorflow.lite.python import schema_py_generated as schema

        return self._made(self._code("DEQUANTIZE"), [stored], [real], schema.BuiltinOptions.NONE, None)

    def _code(self, kind: str) -> int:
        """Index of an operator code; one that was not there is added."""
        from tensorflow.lite.python import schema_py_generated as schema

        if kind not in kinds(self.model):
            code = schema.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
            code.version = 2 if kind == "DEQUANTIZE" else 1  # from version 2 on it knows int8
            self.model.operatorCodes.append(code)
        return kinds(self.model).index(kind)

    @staticmethod
    def _made(code: int, inputs: list[int], outputs: list[int], options_type: int, options: Any) -> Any:
        from tensorflow.lite.python import schema_py_generated as schema

        made = schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = code, inputs, outputs
        made.builtinOptionsType, made.builtinOptions = options_type, options
        return made


def _grid(scale: list[float], zero_point: list[int]) -> Any:
    from tensorflow.lite.python import schema_py_generated as schema

    grid = schema.QuantizationParametersT()
    grid.scale, grid.zeroPoint = scale, zero_point
    return grid
