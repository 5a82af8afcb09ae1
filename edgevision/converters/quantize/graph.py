"""A Keras model as a flat list of single-output operations with their weights as arrays.

Passes rewrite this list; ``build.build_model`` turns it back into a Keras model. Keras' own graph is not meant to be
edited, and nested models, shared layers and fused activations would make every pass harder than it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

#: Operations that multiply a kernel with their input: their kernels are quantised per output channel.
KERNEL_KINDS = ("Conv2D", "DepthwiseConv2D", "Conv2DTranspose", "Dense")


@dataclass
class Op:
    """One operation.

    Attributes:
        name: Unique in its graph.
        kind: Keras layer class that performs it, or "Input"; "Affine" (x * scale + offset per channel); "MatMul" (a
            product of two inputs); "Beside" (the channels of parts of one tensor beside each other); "Kept" (a layer
            as Keras has it, in float); "Moved" (the same, only moving values); "Pick" (one of several outputs).
        inputs: Names of the operations whose outputs it takes, in order.
        shape: Its output's shape without the batch, channels last.
        frames: How many such values a sample has, side by side in the batch (``lower_frames``).
        dtype: Of its output. An "Input" of uint8 takes raw pixels, of float32 the model's own values, of int32 numbers
            of things (tokens, classes), which no grid can hold; only kept operations take or write integers.
        config: Arguments of the Keras layer; of an "Affine": {"is_normalization": True} when it prepares pixels.
        weights: float32 arrays: kernel (as Keras lays it out) and bias (channels,) for ``KERNEL_KINDS``;
            scale and offset (channels,) for "Affine".
        float_reason: Why it runs in float although it has an 8-bit form (``mixed.mix``); "" where it does not.
    """

    name: str
    kind: str
    inputs: list[str]
    shape: tuple[int, ...]
    config: dict[str, Any] = field(default_factory=dict)
    weights: list[Array] = field(default_factory=list)
    dtype: str = "float32"
    float_reason: str = ""
    frames: int = 1

    @property
    def has_kernel(self) -> bool:
        """Whether it multiplies a kernel with its input."""
        return self.kind in KERNEL_KINDS


@dataclass
class Graph:
    """Operations in an order in which each comes after its inputs.

    Attributes:
        ops: By name. The names of those of kind "Input" are the inputs' names in every artifact.
        outputs: An output's name in every artifact -> the operation whose output it is, in the model's order.
    """

    ops: dict[str, Op]
    outputs: dict[str, str]

    def __iter__(self) -> Iterator[Op]:
        return iter(self.ops.values())

    @property
    def inputs(self) -> list[Op]:
        """The inputs, in the model's order."""
        return [op for op in self if op.kind == "Input"]

    @property
    def input(self) -> Op:
        """The input of a graph that has one."""
        (found,) = self.inputs
        return found

    @property
    def output(self) -> str:
        """The operation whose output is the only one."""
        (found,) = self.outputs.values()
        return found

    def consumers(self, name: str) -> list[Op]:
        """The operations that take the output of ``name``."""
        return [op for op in self if name in op.inputs]

    def sole_consumer(self, name: str) -> Op | None:
        """The only operation that takes ``name``; None if there are several or none, or it is the output."""
        found = self.consumers(name)
        return found[0] if len(found) == 1 and name not in self.outputs.values() else None

    def remove(self, name: str) -> None:
        """Take a single-input operation out; its input takes its place."""
        op = self.ops.pop(name)
        (source,) = op.inputs
        for other in self:
            other.inputs = [source if item == name else item for item in other.inputs]
        self._reroute(name, source)

    def insert_after(self, name: str, new: Op) -> None:
        """Put a single-input operation behind ``name``: everything that took ``name`` takes ``new``."""
        for other in self:
            other.inputs = [new.name if item == name else item for item in other.inputs]
        self._reroute(name, new.name)
        ordered: dict[str, Op] = {}
        for key, op in self.ops.items():
            ordered[key] = op
            if key == name:
                ordered[new.name] = new
        self.ops = ordered

    def prune(self) -> None:
        """Take out what no output depends on; inputs stay."""
        needed = set(self.outputs.values())
        for name, op in reversed(list(self.ops.items())):
            if name in needed or op.kind == "Input":
                needed.update(op.inputs)
            else:
                del self.ops[name]

    def _reroute(self, old: str, new: str) -> None:
        self.outputs = {key: new if name == old else name for key, name in self.outputs.items()}

    def copy(self) -> Graph:
        """A graph whose operations and weights can be changed without changing this one."""
        ops = {
            op.name: dataclasses.replace(
                op, inputs=list(op.inputs), config=dict(op.config), weights=[weight.copy() for weight in op.weights]
            )
            for op in self
        }
        return Graph(ops, dict(self.outputs))


def depthwise(size: int | tuple[int, int] = 1, strides: int | tuple[int, int] = 1) -> dict[str, Any]:
    """Configuration of a DepthwiseConv2D with one filter a channel and nothing beyond the border."""
    return {"kernel_size": size, "strides": strides, "padding": "valid", "dilation_rate": 1, "depth_multiplier": 1}


def pair(value: int | Sequence[int]) -> tuple[int, int]:
    """A window's size, strides or dilation, of rows and columns: Keras takes one number for both as well."""
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))
