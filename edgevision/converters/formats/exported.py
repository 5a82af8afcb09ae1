"""What every exporter starts from, and what it says about the file it made."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgevision.converters.quantize.build import build_model
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.logits import Logits
from edgevision.converters.quantize.observe import Batches
from edgevision.runtime.manifest import FloatOp, Precision

#: Tensor names of an image classifier in every artifact of every format; other models keep their own.
INPUT, OUTPUT = "image", "output"


@dataclass
class Source:
    """One Keras model to export, float or quantised, and its SavedModel, which two of the formats are made from.

    Attributes:
        graph: Folded operations. Of "dynamic-int8" and "int16x8" the kernels lie on the int8 grid.
        ranges: 8-bit grids of a quantised model; None where activations are not 8-bit.
        folder: Where intermediate files may go; the caller removes it.
        logits: The last dense layer, when its output leaves the integer domain at full precision. ``ranges`` has no
            grid for it; a format whose kernels must write 8 bits asks for one (``narrow``).
        asked: The precision to store it in; None: "int8" with ranges, "float32" without.
        batches: Calibration images, for "int16x8": called once per pass, yields named arrays.
    """

    graph: Graph
    ranges: dict[str, Range] | None
    folder: Path
    logits: Logits | None = None
    asked: Precision | None = None
    batches: Batches | None = None
    _saved: dict[tuple[str, bool], Path] = field(default_factory=dict, repr=False)

    @property
    def precision(self) -> Precision:
        """Name of the artifact's precision."""
        return self.asked or ("float32" if self.ranges is None else "int8")

    @property
    def pixel_dtype(self) -> str:
        """dtype of exported inputs of pixels. Integer graphs' casts are replaced by an integer input afterwards."""
        return "float32" if self.precision in ("int8", "int16x8") else "uint8"

    def stored_in(self, precision: Precision) -> Source:
        """The same model to be stored otherwise; SavedModels are shared."""
        return dataclasses.replace(self, asked=precision)

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
        key = self.pixel_dtype, narrow
        if key not in self._saved:
            path = self.folder / f"{self.precision}{'-narrow' if narrow else ''}.saved_model"
            model = self.model(narrow)
            model.export(str(path), format="tf_saved_model", verbose=False, input_signature=self.signature())
            self._saved[key] = path
        return str(self._saved[key])


@dataclass(frozen=True)
class Kernel:
    """One multiply-accumulate operator found in a file.

    Attributes:
        name: Its name there.
        kind: Its operator type in that format.
        macs: Multiply-accumulates for one image.
        weight_bytes: Bytes its constant operand takes.
        is_int8: Whether both operands reach it as 8-bit integers.
        stored: numpy name of the type its constant operand is stored in; "" where it has none.
    """

    name: str
    kind: str
    macs: int
    weight_bytes: int
    is_int8: bool
    stored: str


@dataclass(frozen=True)
class Int8Share:
    """How much of a file is in int8, counted in the file.

    Attributes:
        macs: Share of multiply-accumulates whose operands are both 8-bit, 0..1.
        weight_bytes: Share of weight bytes stored as int8, 0..1.
        float16_weight_bytes: Share of weight bytes stored as float16, 0..1.
        float_ops: What multiplies in float.
    """

    macs: float
    weight_bytes: float
    float16_weight_bytes: float
    float_ops: tuple[FloatOp, ...]

    @classmethod
    def of(cls, kernels: list[Kernel]) -> Int8Share:
        """Shares over all kernels; 0.0 where there are none."""
        macs, weight_bytes = sum(k.macs for k in kernels), sum(k.weight_bytes for k in kernels)
        stored = {name: sum(k.weight_bytes for k in kernels if k.stored == name) for name in ("int8", "float16")}
        return cls(
            sum(k.macs for k in kernels if k.is_int8) / macs if macs else 0.0,
            stored["int8"] / weight_bytes if weight_bytes else 0.0,
            stored["float16"] / weight_bytes if weight_bytes else 0.0,
            by_layer([kernel for kernel in kernels if not kernel.is_int8], "an operand is not 8-bit"),
        )


def by_layer(kernels: Iterable[Kernel], reason: str) -> tuple[FloatOp, ...]:
    """Operators by Keras layer: a recurrent layer has two for every step."""
    layers = Counter((_layer_of(kernel.name), kernel.kind) for kernel in kernels)
    return tuple(
        FloatOp(layer, kind if count == 1 else f"{kind} x {count}", reason) for (layer, kind), count in layers.items()
    )


def _layer_of(name: str) -> str:
    """Exporters build names of a path: model, layer, whatever is inside."""
    parts = name.split("/")
    return parts[1] if len(parts) > 1 and parts[0].startswith("model") else parts[0]
