"""layers.json: signal-to-quantisation-noise ratio of every layer in every int8 file, read from inside the engines.

Three ratios per layer and file, because each answers another question:

- against the float Keras graph: how much is left of the signal here, whoever lost it;
- against the quantised Keras model: whether the file computes what it was exported from;
- of the layer alone, its float computation on the very values that the file's layer took in: who lost it. Noise grows
  on the way through a network, so that the first ratio alone would blame the last layers for what the first ones did.
  A corrected bias (``quantize.correct``) counts as noise here though it makes up for that of earlier layers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgevision.converters.layers.listing import Layer, list_layers
from edgevision.converters.layers.opened import OpenedFile, compiled
from edgevision.converters.layers.sums import Histogram, Noise, Signal
from edgevision.converters.quantize.build import build_model, build_pieces
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.observe import Batch
from edgevision.converters.quantize.quantize import Quantized
from edgevision.runtime.manifest import Artifact

#: File name in the bundle, and how many images are enough: a ratio over a layer's values settles quickly.
LAYERS, IMAGES = "layers.json", 8
SCHEMA = 1


def layers_bytes(
    graph: Graph, quantized: Quantized, artifacts: Sequence[Artifact], folder: Path, batch: Batch
) -> bytes:
    """The content of layers.json; docs/bundle.md has its fields.

    Args:
        graph: Float graph.
        quantized: The quantised one.
        artifacts: Exported; those in int8 are looked into.
        folder: Where their files are.
        batch: A few samples, (n, ...) per input, images as raw pixels; one at a time goes through the models.
    """
    layers = list_layers(graph, quantized)
    files = {item.name: OpenedFile(item, folder, quantized) for item in artifacts if item.precision == "int8"}
    run = _Run(graph, quantized, layers, files)
    count = min(len(array) for array in batch.values())
    for index in range(count):
        run.see({name: array[index : index + 1] for name, array in batch.items()})
    plain = {"schema": SCHEMA, "images": count, "artifacts": list(files), "layers": run.plain()}
    return (json.dumps(plain, separators=(",", ":"), allow_nan=False) + "\n").encode()


class _Run:
    """Sums over images."""

    def __init__(
        self, graph: Graph, quantized: Quantized, layers: list[Layer], files: Mapping[str, OpenedFile]
    ) -> None:
        self._layers, self._files, self._inputs = layers, files, graph.inputs
        names = [layer.point for layer in layers if layer.point is not None]
        self._float = compiled(build_model(graph, outputs=names))
        self._quantized = compiled(build_model(quantized.graph, quantized.ranges, outputs=names, whole=True))
        self._pieces = compiled(build_pieces(graph, names))
        self._signals = {name: Signal() for name in names}, {name: Signal() for name in names}
        self._noises = {
            (file, name): (Noise(self._signals[0][name]), Noise(self._signals[1][name]), Noise(self._signals[0][name]))
            for file, item in files.items()
            for name in names
            if name in item.names
        }
        ranges = quantized.ranges
        self._histograms = {name: Histogram(ranges[name]) for name in names if name in ranges}

    def see(self, sample: Batch) -> None:
        """One sample through everything."""
        kinds = {op.name: "int32" if op.dtype == "int32" else "float32" for op in self._inputs}
        sources = [sample[name].astype(kind) for name, kind in kinds.items()]
        exact, rounded = self._float(sources), self._quantized(sources)
        for name in exact:
            self._signals[0][name].see(exact[name])
            self._signals[1][name].see(rounded[name])
            if name in self._histograms:
                self._histograms[name].see(exact[name])
        for file, item in self._files.items():
            found = item.values(sample, rounded)
            alone = self._pieces([*sources, *(found.get(name, rounded[name]) for name in self._signals[0])])
            for name, values in found.items():
                to_float, to_quantized, own = self._noises[file, name]
                to_float.see(exact[name], values)
                to_quantized.see(rounded[name], values)
                own.see(alone[name], values)

    def plain(self) -> list[dict[str, Any]]:
        """As layers.json holds it."""
        return [{**layer.plain(), **self._measured(layer)} for layer in self._layers]

    def _measured(self, layer: Layer) -> dict[str, Any]:
        name = layer.point
        noises = {file: None if name is None else self._noises.get((file, name)) for file in self._files}
        ratios = {
            file: None
            if each is None
            else dict(zip(("to_float", "to_quantized", "own"), (item.sqnr_db for item in each)))
            for file, each in noises.items()
        }
        histogram = None if name is None else self._histograms.get(name)
        return {"sqnr_db": ratios, "activations": None if histogram is None else histogram.plain()}
