"""What a bundle's layers.json says, worst layer first: for the terminal, and as pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.tables import text_table
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.errors import BundleError
from edgevision.runtime.manifest import Manifest, from_plain, to_plain

LAYERS = "layers.json"
#: Stands for "no difference at all" in files without infinity, decibel; differences below 1e-12 come out above this.
EXACT_DB = 119.0


@dataclass(frozen=True)
class Ratios:
    """Signal-to-quantisation-noise ratios of one layer in one file, decibel.

    Attributes:
        to_float: Its output against the float Keras graph's.
        to_quantized: Against the quantised Keras model's.
        own: Against its own float computation on the values it took in, in that file.
    """

    to_float: float
    to_quantized: float
    own: float


@dataclass(frozen=True)
class Weights:
    """A layer's stored weights: counts over -127..127, output channels, how many of them are all zero, and the least
    and greatest step of a channel."""

    counts: tuple[int, ...]
    channels: int
    empty: int
    scale: tuple[float, float]


@dataclass(frozen=True)
class Activations:
    """A layer's float output: counts, of which the first and last tenth lie beyond its 8-bit grid, that grid's ends,
    least and greatest value seen, and the share of values cut off, 0..1."""

    counts: tuple[int, ...]
    grid: tuple[float, float]
    seen: tuple[float, float]
    clipped: float


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        name: Its name in Keras.
        kind: What it computes, e.g. "Conv2D + ReLU".
        macs: Share of the network's multiply-accumulates, 0..1.
        int8: Whether it computes in 8 bits.
        reason: Why not, or why no file shows it.
        weights: None where it has none.
        sqnr_db: Per artifact; None where no tensor of the file was found to hold its output.
        activations: None where its output is on no grid.
    """

    name: str
    kind: str
    macs: float
    int8: bool
    reason: str
    weights: Weights | None
    sqnr_db: dict[str, Any]
    activations: Activations | None

    def ratios(self, artifact: str) -> Ratios | None:
        """Its ratios in one artifact."""
        plain = self.sqnr_db.get(artifact)
        return None if plain is None else from_plain(Ratios, plain)

    @property
    def worst(self) -> float | None:
        """The least of its own ratios, decibel; None where no artifact shows it."""
        found = [ratios.own for name in self.sqnr_db if (ratios := self.ratios(name)) is not None]
        return min(found, default=None)


@dataclass(frozen=True)
class Layers:
    """The content of layers.json.

    Attributes:
        artifacts: The int8 files that were looked into.
        images: How many images went through them.
        layers: In the network's order.
    """

    schema: Literal[1]
    artifacts: tuple[str, ...]
    images: int
    layers: tuple[Layer, ...] = field(default_factory=tuple)

    @classmethod
    def read(cls, bundle: Bundle) -> Layers:
        """What was measured when the bundle was made.

        Raises:
            BundleError: It has no layers.json: made without int8, or before there was one.
            BundleDamagedError: The file is not as written.
        """
        if LAYERS not in {entry.name for entry in bundle.manifest.files}:
            raise BundleError(
                f"{bundle.path} says nothing about its layers",
                expected=f"a {LAYERS} in it",
                got="a bundle without int8, of a model whose layers cannot be seen, or of an older edgevision",
                cure="convert the model again, with int8 among --precision",
            )
        return from_plain(cls, json.loads(bundle.read(LAYERS)))

    @property
    def ranked(self) -> list[Layer]:
        """The worst layer first; those that no file shows last."""
        return sorted(self.layers, key=lambda layer: (layer.worst is None, layer.worst))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the worst layer first."""
        plain: dict[str, Any] = to_plain(self)
        return {**plain, "layers": to_plain(self.ranked)}

    def to_text(self) -> str:
        """A table for the terminal."""
        head = (
            f"Signal-to-quantisation-noise ratio of each layer in dB, {self.images} samples, the worst layer first.\n"
            "Three numbers a file: the layer's own noise, on the values it takes in; against float Keras, with all"
            " noise from\nbefore it; against the quantised Keras model that the file was exported from."
        )
        return f"{head}\n\n{text_table([self._row(layer) for layer in self.ranked])}{self._left_out()}"

    def to_html(self, name: str, manifest: Manifest) -> str:
        """One self-contained page.

        Args:
            name: Of the bundle.
            manifest: What it says about itself.

        Raises:
            MissingPackageError: jinja2 is not installed.
        """
        from edgevision.benchmarks.report.layers_html import render_layers

        return render_layers(name, manifest, self)

    def _row(self, layer: Layer) -> dict[str, str]:
        place = "int8" if layer.int8 else "float"
        cells = {"layer": layer.name, "kind": layer.kind, "work": work(layer.macs), "in": place}
        for name in self.artifacts:
            ratios = layer.ratios(name)
            shown = [] if ratios is None else [ratios.own, ratios.to_float, ratios.to_quantized]
            cells[name] = " ".join(f"{decibels(value):>5}" for value in shown) or "not found"
        return cells

    def _left_out(self) -> str:
        lines = [f"{layer.name} in float: {layer.reason}" for layer in self.layers if not layer.int8]
        for name in self.artifacts:
            gone = [layer.name for layer in self.layers if layer.ratios(name) is None]
            lines += [f"{name} shows no output of {', '.join(gone)}"] if gone else []
        return "\n\n" + "\n".join(lines) if lines else ""


def suffix(artifact: str) -> str:
    """The format's short name in an artifact's: "int8.tflite" is "tflite"."""
    return artifact.rsplit(".", 1)[-1]


def work(share: float) -> str:
    """A share of the multiply-accumulates in words."""
    return "<0.1 %" if 0 < share < 0.0005 else words.percent(share)


def decibels(value: float) -> str:
    """A ratio in words without its unit."""
    return "exact" if value >= EXACT_DB else f"{value:.1f}"


def weakest(layers: Sequence[Layer], artifacts: Sequence[str]) -> tuple[Layer, str, Ratios] | None:
    """The layer with the least ratio of its own, in which artifact, and its ratios there."""
    found = [(layer, name, ratios) for layer in layers for name in artifacts if (ratios := layer.ratios(name))]
    return min(found, key=lambda item: item[2].own, default=None)
