"""What every exporter starts from, and what it says about the file it made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgevision.converters.quantize.build import build_model
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.logits import Logits
from edgevision.runtime.manifest import FloatOp, Precision

#: Tensor names of an image classifier in every artifact of every format; other models keep their own.
INPUT, OUTPUT = "image", "output"


@dataclass
class Source:
    """One Keras model to export, float or quantised, and its SavedModel, which two of the formats are made from.

    Attributes:
        graph: Folded operations.
        ranges: 8-bit grids of a quantised model; None for the float model.
        folder: Where intermediate files may go; the caller removes it.
        logits: The last dense layer, when its output leaves the integer domain at full precision. ``ranges`` has no
            grid for it; a format whose kernels must write 8 bits asks for one (``narrow``).
    """

    graph: Graph
    ranges: dict[str, Range] | None
    folder: Path
    logits: Logits | None = None
    _saved: dict[bool, Path] = field(default_factory=dict, repr=False)

    @property
    def precision(self) -> Precision:
        """Name of the artifact's precision."""
        return "float32" if self.ranges is None else "int8"

    @property
    def pixel_dtype(self) -> str:
        """dtype of exported inputs of pixels. An int8 graph's cast is replaced by its integer input afterwards."""
        return "uint8" if self.ranges is None else "float32"

    @property
    def pixel_inputs(self) -> list[str]:
        """Names of the inputs that take raw pixels."""
        return [op.name for op in self.graph.inputs if op.dtype == "uint8"]

    def model(self, narrow: bool = False, fed: Sequence[str] = ()) -> Any:
        """The Keras model with the batch fixed to 1, as every exporter wants it.

        Args:
            narrow: With 8-bit logits.
            fed: Operations whose kernels become inputs.
        """
        ranges = self.ranges
        if narrow and ranges is not None and self.logits is not None:
            ranges = {**ranges, self.logits.name: self.logits.grid}
        return build_model(self.graph, ranges, batch=1, pixel_dtype=self.pixel_dtype, fed=fed)

    def signature(self, fed: Sequence[str] = ()) -> list[Any]:
        """The inputs, for keras.Model.export; kernels of ``fed`` are "fed_kernel_0" and so on."""
        import keras

        specs = [
            keras.InputSpec(
                shape=(1, *op.shape), dtype=self.pixel_dtype if op.dtype == "uint8" else op.dtype, name=op.name
            )
            for op in self.graph.inputs
        ]
        for number, name in enumerate(fed):
            shape = self.graph.ops[name].weights[0].shape
            specs.append(keras.InputSpec(shape=shape, dtype="float32", name=f"fed_kernel_{number}"))
        return specs if len(specs) == 1 else [specs]

    def saved_model(self, narrow: bool = False) -> str:
        """Path of the SavedModel, written on first use; ``narrow``: with 8-bit logits, where that differs."""
        narrow = narrow and self.logits is not None
        if narrow not in self._saved:
            path = self.folder / f"{self.precision}{'-narrow' if narrow else ''}.saved_model"
            model = self.model(narrow)
            model.export(str(path), format="tf_saved_model", verbose=False, input_signature=self.signature())
            self._saved[narrow] = path
        return str(self._saved[narrow])


@dataclass(frozen=True)
class Kernel:
    """One multiply-accumulate operator found in a file.

    Attributes:
        name: Its name there.
        kind: Its operator type in that format.
        macs: Multiply-accumulates for one image.
        weight_bytes: Bytes its constant operand takes.
        is_int8: Whether both operands reach it as 8-bit integers.
    """

    name: str
    kind: str
    macs: int
    weight_bytes: int
    is_int8: bool


@dataclass(frozen=True)
class Int8Share:
    """How much of a file's work is done in int8, counted in the file."""

    macs: float
    weight_bytes: float
    float_ops: tuple[FloatOp, ...]

    @classmethod
    def of(cls, kernels: list[Kernel]) -> Int8Share:
        """Shares over all kernels; 0.0 where there are none."""
        macs, weight_bytes = sum(k.macs for k in kernels), sum(k.weight_bytes for k in kernels)
        inside = [kernel for kernel in kernels if kernel.is_int8]
        return cls(
            sum(k.macs for k in inside) / macs if macs else 0.0,
            sum(k.weight_bytes for k in inside) / weight_bytes if weight_bytes else 0.0,
            tuple(_float_rest(kernels)),
        )


def _float_rest(kernels: list[Kernel]) -> Iterator[FloatOp]:
    """What is not in int8, by Keras layer: a recurrent layer has two operators for every step."""
    layers = Counter((_layer_of(kernel.name), kernel.kind) for kernel in kernels if not kernel.is_int8)
    for (layer, kind), count in layers.items():
        yield FloatOp(layer, kind if count == 1 else f"{kind} x {count}", "an operand is not 8-bit")


def _layer_of(name: str) -> str:
    """Exporters build names of a path: model, layer, whatever is inside."""
    parts = name.split("/")
    return parts[1] if len(parts) > 1 and parts[0].startswith("model") else parts[0]
