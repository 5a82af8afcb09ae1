"""The layers of a bundle as one HTML page: a bar per layer and file, the worst first; histograms open below each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.html import fill
from edgevision.benchmarks.report.layers import Activations, Layer, Layers, Weights, decibels, suffix, weakest, work
from edgevision.runtime.manifest import Artifact, Manifest

#: Bars end at this ratio, decibel: what is better cannot be told from exact on any picture.
_MOST = 60.0
#: The plotting area's width, percent: the rest is for the numbers.
_WIDTH = 88.0
#: Height of a histogram and width of one of its bins, in the units of its own picture.
_HEIGHT, _BIN = 60.0, 10.0
#: Bins of an activation histogram on each side of the grid.
_BESIDE = 4


def render_layers(name: str, manifest: Manifest, layers: Layers) -> str:
    """The page.

    Args:
        name: Of the bundle.
        manifest: What it says about itself.
        layers: What it says about its layers.

    Raises:
        MissingPackageError: jinja2 is not installed.
    """
    formats = {item.name: item.format for item in manifest.artifacts}
    content = {
        "name": name,
        "layers": layers,
        "verdict": _verdict(layers),
        "tiles": _tiles(layers, manifest.artifacts),
        "formats": {each: formats[each] for each in layers.artifacts},
        "rows": [_row(layer, layers.artifacts, formats) for layer in layers.ranked],
        "ticks": [{"x": _across(value), "text": f"{value:g}"} for value in range(0, int(_MOST) + 1, 10)],
        "depth": _depth(layers, formats),
        "version": manifest.provenance.get("tools", {}).get("edgevision", ""),
    }
    return fill("layers.html.j2", content)


def _verdict(layers: Layers) -> str:
    worst = weakest(layers.layers, layers.artifacts)
    if worst is None:
        return "No layer of any int8 file could be looked at"
    layer, artifact, ratios = worst
    return f"{layer.name} is the weakest of {len(layers.layers)} layers: {decibels(ratios.own)} dB alone, in {artifact}"


def _tiles(layers: Layers, artifacts: Sequence[Artifact]) -> list[dict[str, str]]:
    in_float = [layer for layer in layers.layers if not layer.int8]
    share = sum(layer.macs for layer in in_float)
    last = layers.layers[-1]
    ends = {name: ratios for name in layers.artifacts if (ratios := last.ratios(name)) is not None}
    least = min(ends, key=lambda name: ends[name].to_float, default=None)
    told = ", ".join(f"{suffix(name)} {decibels(ratios.to_float)}" for name, ratios in ends.items())
    strayed = ", ".join(f"{suffix(name)} {decibels(ratios.to_quantized)}" for name, ratios in ends.items())
    return [
        {
            "name": "At the output, against float",
            "value": words.DASH if least is None else f"{decibels(ends[least].to_float)} dB",
            "text": f"What is left of the signal behind the last layer: {told}." if told else "No file shows it.",
        },
        {
            "name": "At the output, against quantised Keras",
            "value": words.DASH if not ends else f"{decibels(min(each.to_quantized for each in ends.values()))} dB",
            "text": f"Whether each file computes what it was exported from: {strayed}." if strayed else "",
        },
        {
            "name": "Layers in float",
            "value": f"{len(in_float)} of {len(layers.layers)}",
            "text": _share_in_words(share) if in_float else "Everything is in int8.",
        },
    ]


def _share_in_words(share: float) -> str:
    return f"They do {work(share)} of the multiply-accumulates." if share else "They multiply nothing with weights."


def _across(value: float) -> float:
    return round(_WIDTH * min(max(value, 0.0), _MOST) / _MOST, 2)


def _row(layer: Layer, artifacts: Sequence[str], formats: Mapping[str, str]) -> dict[str, Any]:
    bars: list[dict[str, Any]] = []
    texts = []
    for name in artifacts:
        ratios = layer.ratios(name)
        if ratios is None:
            texts.append(f"{name} shows no output of it")
            bars.append({"format": formats[name], "width": None, "so_far": None})
            continue
        far = f"{decibels(ratios.to_float)} so far, {decibels(ratios.to_quantized)} against quantised Keras"
        texts.append(f"{name} {decibels(ratios.own)} dB alone, {far}")
        bars.append({"format": formats[name], "width": _across(ratios.own), "so_far": _across(ratios.to_float)})
    ends = [bar["width"] for bar in bars if bar["width"] is not None]
    return {
        "name": layer.name,
        "kind": layer.kind,
        "work": work(layer.macs) if layer.macs else "",
        "in_float": not layer.int8,
        "reason": layer.reason,
        "bars": bars,
        "end": max(ends, default=0.0),
        "worst": words.DASH if layer.worst is None else decibels(layer.worst),
        "texts": texts,
        "weights": None if layer.weights is None else _weights(layer.weights),
        "activations": None if layer.activations is None else _activations(layer.activations),
    }


def _weights(found: Weights) -> dict[str, Any]:
    low, high = found.scale
    ratio = f", the coarsest {high / low:.3g} times the finest" if low > 0 and found.channels > 1 else ""
    empty = f", {found.empty} of them all zero" if found.empty else ""
    text = f"{found.channels} output channels{empty}. One step is worth {low:.3g} to {high:.3g}{ratio}."
    return {"path": _path(found.counts), "width": _BIN * len(found.counts), "text": text}


def _activations(found: Activations) -> dict[str, Any]:
    bins = len(found.counts)
    low, high = (f"{end:.3g}" for end in found.grid)
    cut = "nothing" if not found.clipped else words.percent(found.clipped).replace("0.0 %", "<0.1 %")
    text = f"The grid goes from {low} to {high}, values from {found.seen[0]:.3g} to {found.seen[1]:.3g}: {cut} cut off."
    ends = [{"x": _BIN * _BESIDE, "text": low}, {"x": _BIN * (bins - _BESIDE), "text": high}]
    return {"path": _path(found.counts), "width": _BIN * bins, "ends": ends, "text": text}


def _path(counts: Sequence[int]) -> str:
    """Bars as one outline; heights by the square root, so that a peak at zero leaves the rest to be seen."""
    most = max(counts, default=0) or 1
    heights = [_HEIGHT * (count / most) ** 0.5 for count in counts]
    steps = "".join(f"V{_HEIGHT - height:.1f}h{_BIN:g}" for height in heights)
    return f"M0 {_HEIGHT:g}{steps}V{_HEIGHT:g}z"


def _depth(layers: Layers, formats: Mapping[str, str]) -> dict[str, Any]:
    """Ratio against float along the network, a line per file, in a picture 1000 wide and 100 high."""
    count = len(layers.layers)
    known = [
        r.to_float for layer in layers.layers for name in layers.artifacts if (r := layer.ratios(name)) is not None
    ]
    top = 10 * -(-min(max(known, default=10.0), _MOST) // 10)
    lines = []
    for name in layers.artifacts:
        places = [
            (1000 * (index + 0.5) / count, 100 * (1 - min(max(ratios.to_float, 0.0), top) / top))
            for index, layer in enumerate(layers.layers)
            if (ratios := layer.ratios(name)) is not None
        ]
        points = " ".join(f"{x:.1f},{y:.2f}" for x, y in places)
        lines.append({"format": formats[name], "name": name, "points": points})
    ticks = [{"y": 100 * (1 - value / top), "text": f"{value:g}"} for value in (0, top / 2, top)]
    ends = [f"{name} {decibels(r.to_float)} dB" for name in layers.artifacts if (r := layers.layers[-1].ratios(name))]
    text = "Ratio against float from the first layer to the last. At the end: " + ", ".join(ends) + "."
    return {
        "lines": lines,
        "ticks": ticks,
        "text": text,
        "first": layers.layers[0].name,
        "last": layers.layers[-1].name,
    }
