"""Small edits on an ONNX graph."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class OnnxGraph:
    """An ONNX model with look-ups by name; edits are made in place and written as one file."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.nodes = model.graph.node
        self._constants = {item.name: item for item in model.graph.initializer}

    @classmethod
    def read(cls, path: Path) -> OnnxGraph:
        """Read a model file."""
        import onnx

        model = onnx.load(str(path))
        if not model.graph.node:  # an empty file is a valid message
            raise ValueError("there is no graph in the file")
        return cls(model)

    def write(self, path: Path) -> None:
        """Order the nodes, drop constants nothing uses, check, and write."""
        import onnx

        used = set(_names_read(self.model.graph))
        kept = [item for item in self.model.graph.initializer if item.name in used]
        del self.model.graph.initializer[:]
        self.model.graph.initializer.extend(kept)
        onnx.checker.check_model(self.model)
        onnx.save(self.model, str(path))

    def producer(self, name: str) -> Any:
        """The node that writes ``name``; None for inputs and constants."""
        return next((node for node in self.nodes if name in node.output), None)

    def consumers(self, name: str) -> list[Any]:
        """The nodes that read ``name``."""
        return [node for node in self.nodes if name in node.input]

    def constant(self, name: str) -> NDArray[Any] | None:
        """The value of an initializer; None if ``name`` is not one."""
        from onnx import numpy_helper

        item = self._constants.get(name)
        return None if item is None else numpy_helper.to_array(item)

    def add_constant(self, name: str, value: NDArray[Any]) -> str:
        """Add an initializer and return its name."""
        from onnx import numpy_helper

        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(value, name)
            self.model.graph.initializer.append(self._constants[name])
        return name

    def fill_input(self, name: str, value: NDArray[Any], reader: str) -> None:
        """Make a constant of an input; nodes that only rearrange it are worked out here.

        Args:
            name: The input.
            value: What it is from now on.
            reader: Name for the node that takes it.
        """
        self.model.graph.input.remove(next(item for item in self.model.graph.input if item.name == name))
        self._fill(name, value, reader)

    def _fill(self, name: str, value: NDArray[Any], reader: str) -> None:
        for node in self.consumers(name):
            if node.op_type in ("Transpose", "Reshape", "Identity"):
                self._fill(node.output[0], self._rearranged(node, value), reader)
                self.nodes.remove(node)
            else:
                node.name = reader
        if self.consumers(name):
            self.add_constant(name, np.ascontiguousarray(value))

    def _rearranged(self, node: Any, value: NDArray[Any]) -> NDArray[Any]:
        if node.op_type == "Transpose":
            order = [int(axis) for item in node.attribute if item.name == "perm" for axis in item.ints]
            return np.transpose(value, order)
        shape = self.constant(node.input[1]) if node.op_type == "Reshape" else value.shape
        return value if shape is None else value.reshape(tuple(shape))

    def dequantize(self, before: Any, stored: NDArray[Any], scale: NDArray[Any], axis: int) -> str:
        """Put a DequantizeLinear of a stored constant in front of node ``before``; returns the real value's name.

        The names are numbered, because tf2onnx lets layers with equal constants share one, and short, because its own
        take several kilobytes in a small model.
        """
        from onnx import helper

        base = self.fresh_name()
        zeros = np.zeros(scale.shape, stored.dtype)
        inputs = [f"{base}_stored", f"{base}_scale", f"{base}_zero_point"]
        for item, value in zip(inputs, (stored, scale.astype(np.float32), zeros)):
            self.add_constant(item, value)
        node = helper.make_node("DequantizeLinear", inputs, [f"{base}_real"], name=f"{base}_dequantize", axis=axis)
        self.insert_before(before, node)
        return f"{base}_real"

    def fresh_name(self) -> str:
        """A beginning for names that nothing has yet; another one once a constant was added."""
        return f"constant_{len(self._constants)}"

    def insert_before(self, place: Any, *new: Any) -> None:
        """Put nodes in front of another."""
        index = list(self.nodes).index(place)
        for offset, node in enumerate(new):
            self.nodes.insert(index + offset, node)

    def input_scale(self, name: str) -> float | None:
        """Scale of the grid that a value lies on, looking back through operators that keep it."""
        node = self.producer(name)
        while node is not None and node.op_type != "DequantizeLinear":
            node = self.producer(node.input[0])
        scale = None if node is None else self.constant(node.input[1])
        return None if scale is None else float(scale)

    def output_axis(self, node: Any) -> int:
        """Axis of a kernel that runs over output channels."""
        if node.op_type == "Conv":
            return 0
        if node.op_type == "ConvTranspose":
            return 1
        is_transposed = any(item.name == "transB" and item.i for item in node.attribute)
        kernel = self.constant(node.input[1])
        return 0 if is_transposed else (1 if kernel is None else kernel.ndim - 1)

    def renumber(self) -> None:
        """Names that depend on the graph alone.

        tf2onnx counts on from model to model, and of several equal constants it keeps the one or the other: without
        this, two conversions of the same model would differ.
        """
        used = [name for node in self.nodes for name in node.input if name in self._constants]
        constants = list(dict.fromkeys(used))
        names = {name: f"value_{number}" for number, name in enumerate(constants)}
        numbers: dict[str, str] = {}

        def renamed(name: str) -> str:
            found = names.get(name, name)
            return re.sub(r"__(\d+)", lambda match: f"__{numbers.setdefault(match[1], str(len(numbers)))}", found)

        for node in self.nodes:
            node.name = renamed(node.name)
            node.input[:], node.output[:] = map(renamed, node.input), map(renamed, node.output)
        for item in self.model.graph.output:
            item.name = renamed(item.name)
        kept = [self._constants[name] for name in constants]
        for item in kept:
            item.name = names[item.name]
        del self.model.graph.value_info[:], self.model.graph.initializer[:]
        self.model.graph.initializer.extend(kept)
        self._constants = {item.name: item for item in self.model.graph.initializer}
        self.model.graph.doc_string = ""

    def replace_input(self, old: str, new: str) -> None:
        """Let every node that reads ``old`` read ``new``."""
        for node in self.nodes:
            for index, name in enumerate(node.input):
                if name == old:
                    node.input[index] = new

    def rename_output(self, new: str) -> None:
        """Give the graph's only output another name."""
        old = self.model.graph.output[0].name
        self.model.graph.output[0].name = new
        self.replace_input(old, new)
        producer = self.producer(old)
        producer.output[list(producer.output).index(old)] = new

    def set_input_type(self, name: str, dtype: type) -> None:
        """Change the element type of a graph input."""
        from onnx import helper

        item = next(item for item in self.model.graph.input if item.name == name)
        item.type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))

    def shapes(self) -> dict[str, list[int]]:
        """Shape of every tensor, by ONNX's shape inference."""
        import onnx

        graph = onnx.shape_inference.infer_shapes(self.model, data_prop=True).graph
        values = [*graph.input, *graph.value_info, *graph.output]
        shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}
        return shapes | {item.name: list(item.dims) for item in graph.initializer}


def _names_read(graph: Any) -> Iterator[str]:
    """Every name a graph's nodes read; the bodies of loops and branches read from the graph around them."""
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _names_read(attribute.g)
                yield from (item.name for item in attribute.g.output)
