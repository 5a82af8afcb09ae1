"""Findings about how layers are put together."""

from __future__ import annotations

from typing import Any

from edgevision.converters.preflight.finding import Finding
from edgevision.converters.quantize.graph import Graph, Op

#: What only moves values, or keeps them where they are.
_CARRYING = ("Reshape", "Moved", "MaxPooling2D", "ZeroPadding2D", "UpSampling2D", "AveragePooling2D")
_BOUNDED = ("sigmoid", "softmax", "tanh")


def channels_first(model: Any) -> list[Finding]:
    """Layers that count channels before rows."""
    names = [layer.name for layer in flat_layers(model) if getattr(layer, "data_format", None) == "channels_first"]
    if not names:
        return []
    risk = f"counts channels before rows{'' if len(names) == 1 else f' (so do {len(names) - 1} more)'}"
    rewrite = "data_format='channels_last'; kernels stay as they are"
    return [Finding("channels-first", names[0], risk, "convert refuses it: engines here count channels last", rewrite)]


def open_size(model: Any) -> list[Finding]:
    """An input without a fixed size."""
    shape = "x".join("?" if size is None else str(size) for size in model.inputs[0].shape[1:])
    risk = f"takes images of any size ({shape}); engines want one"
    return [Finding("open-size", model.inputs[0].name, risk, "convert asks for it", "give convert --input-size HxW")]


def normalization(graph: Graph, metadata: dict[str, Any] | None) -> list[Finding]:
    """Pixels that are normalised twice, or in a way that nothing tells."""
    inside = _normalizations(graph)
    stored = (metadata or {}).get("preprocessing")
    outside = isinstance(stored, dict) and any(scale != 1.0 for scale in stored.get("scale", ()))
    if len(inside) + outside > 1:
        steps = [*(["its stored preprocessing"] if outside else []), *inside]
        return [
            Finding(
                "normalised-twice",
                inside[-1],
                f"pixels are normalised {len(steps)} times: {', then '.join(steps)}",
                "as good as blind when it was trained with one of them",
                "take one out; nothing to do if it was trained with both",
            )
        ]
    if inside or stored is not None:
        return []
    risk, cost = "nothing tells how pixels were prepared in training", "convert asks; a wrong answer costs the accuracy"
    rewrite = "a Rescaling layer in front, or give convert --preprocess"
    return [Finding("normalisation-unknown", graph.input.name, risk, cost, rewrite)]


def _normalizations(graph: Graph) -> list[str]:
    """Names of the normalisations that directly follow the input."""
    names, step = [], graph.sole_consumer(graph.input.name)
    while step is not None and (step.config.get("is_normalization") or step.kind in _CARRYING):
        names += [step.name] if step.config.get("is_normalization") else []
        step = graph.sole_consumer(step.name)
    return names


def shared_grids(graph: Graph) -> list[Finding]:
    """Scores 0..1 and values of any size in one tensor, which has one 8-bit grid."""
    found = []
    for op in graph:
        if op.kind != "Concatenate":
            continue
        sources = [_origin(graph, name) for name in op.inputs]
        bounded = [source.name for source in sources if _is_bounded(source)]
        free = [source.name for source in sources if source.has_kernel or source.kind == "Affine"]
        if bounded and free:
            found.append(
                Finding(
                    "shared-grid",
                    op.name,
                    f"puts {bounded[0]} (at most 1) and {free[0]} (of any size) on one 8-bit grid",
                    "1.7 % of answers changed became 25 % beside values that span 45, 69 % beside a span of 180",
                    "return them as two outputs, or scale the larger one down to about 1",
                )
            )
    return found


def _origin(graph: Graph, name: str) -> Op:
    op = graph.ops[name]
    while op.kind in _CARRYING and len(op.inputs) == 1:
        op = graph.ops[op.inputs[0]]
    return op


def _is_bounded(op: Op) -> bool:
    if op.kind == "ReLU":
        return op.config.get("max_value") is not None and float(op.config["max_value"]) <= 1
    return op.kind == "Activation" and op.config["activation"] in _BOUNDED


def flat_layers(model: Any) -> list[Any]:
    """Every layer, those of models inside it too."""
    layers = []
    for layer in model.layers:
        layers += flat_layers(layer) if hasattr(layer, "layers") else [layer]
    return layers
