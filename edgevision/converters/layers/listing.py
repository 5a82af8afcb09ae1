"""The layers that layers.json tells of: whatever computes, under the name of its Keras layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevision.converters.quantize.graph import Graph, Op
from edgevision.converters.quantize.macs import mac_shares
from edgevision.converters.quantize.points import is_float_tail, is_fused
from edgevision.converters.quantize.quantize import Quantized
from edgevision.converters.quantize.weights import LIMIT, channel_axes, to_grid

#: Bins of a weight histogram, over the stored values -127..127.
BINS = 32


@dataclass(frozen=True)
class Layer:
    """One layer, with whatever is fused to it.

    Attributes:
        name: Of its operation.
        kind: What it computes, e.g. "Conv2D + ReLU".
        point: The operation at whose output it can be looked at; None where no file shows it.
        macs: Share of the network's multiply-accumulates, 0..1.
        is_int8: Whether it computes in 8 bits.
        reason: Why not; or why no file shows it.
        weights: Histogram of its stored weights; None where it has none.
    """

    name: str
    kind: str
    point: str | None
    macs: float
    is_int8: bool
    reason: str
    weights: dict[str, Any] | None

    def plain(self) -> dict[str, Any]:
        """As layers.json holds it."""
        return {
            "name": self.name,
            "kind": self.kind,
            "macs": float(f"{self.macs:.4g}"),
            "int8": self.is_int8,
            "reason": self.reason,
            "weights": self.weights,
        }


def list_layers(graph: Graph, quantized: Quantized) -> list[Layer]:
    """In the network's order. Operations that only move values (pooled maxima, reshapes) are left out.

    Args:
        graph: Float graph.
        quantized: The quantised one.
    """
    shares = mac_shares(graph)
    layers = []
    for op in graph:
        fused_with = _fused_with(graph, quantized, op)
        has_output = op.name in quantized.ranges or op.name in graph.outputs.values()
        if op.dtype == "uint8" or not (has_output or op.kind == "Kept"):
            continue
        main = op if fused_with is None else fused_with
        kind = _kind(main) if fused_with is None else f"{_kind(main)} + {_kind(op)}"
        reason = _reason(graph, op)
        if not has_output:
            reason += "; float on both sides, so no file shows it apart"
        weights = _weights(quantized.graph.ops[main.name])
        is_int8 = op.kind != "Kept" and (fused_with is not None or not is_float_tail(graph, op))
        layers.append(
            Layer(main.name, kind, op.name if has_output else None, shares[main.name], is_int8, reason, weights)
        )
    return layers


def _fused_with(graph: Graph, quantized: Quantized, op: Op) -> Op | None:
    """The operation before, where the two have one output: an activation, or scores of logits without a grid."""
    before = graph.ops[op.inputs[0]] if op.inputs else None
    is_scores = before is not None and quantized.logits is not None and quantized.logits.name == before.name
    return before if before is not None and (is_scores or is_fused(graph, before)) else None


def _kind(op: Op) -> str:
    if op.kind == "Kept":
        return type(op.config["operation"]).__name__
    return str(op.config["activation"]) if op.kind == "Activation" else op.kind


def _reason(graph: Graph, op: Op) -> str:
    if op.kind == "Kept":
        return str(op.config["reason"])
    return "closes the network: scores stay fine" if is_float_tail(graph, op) else ""


def _weights(op: Op) -> dict[str, Any] | None:
    if not op.has_kernel:
        return None
    stored, scale = to_grid(op.weights[0], channel_axes(op))
    counts = np.histogram(stored, BINS, (-LIMIT, LIMIT))[0]
    used = scale.ravel()[np.abs(op.weights[0]).max(tuple(set(range(stored.ndim)) - set(channel_axes(op)))).ravel() > 0]
    ends = [float(f"{each:.4g}") for each in (used.min(), used.max())] if used.size else [0.0, 0.0]
    return {"counts": counts.tolist(), "channels": int(scale.size), "empty": int(scale.size - used.size), "scale": ends}
