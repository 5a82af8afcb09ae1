"""Findings about kinds of layers."""

from __future__ import annotations

from edgevision.converters.preflight.finding import Finding
from edgevision.converters.quantize.graph import Graph, Op
from edgevision.converters.quantize.macs import mac_shares

#: Layer that stays in float -> what to use instead.
_INSTEAD = {
    "LayerNormalization": "BatchNormalization where the task allows it: it disappears into its neighbours",
    "GroupNormalization": "BatchNormalization where the task allows it: it disappears into its neighbours",
    "Conv3D": "one stride for rows and columns, and no groups: then it is in 8 bits",
    "LSTM": "Conv1D over the steps",
    "GRU": "Conv1D over the steps",
    "Bidirectional": "Conv1D over the steps",
    "SimpleRNN": "Conv1D over the steps",
    "Conv2DTranspose": "UpSampling2D and Conv2D, which integer kernels know",
    "Activation": "relu, or hard_silu where a smooth one is wanted",
}
#: A Dense layer of at least so many weights that are at least such a share of all.
_LARGE, _SHARE = 1_000_000, 0.5
#: Answers that int8 changed and points it lost, TFLite, on 3,000 CIFAR-10 images, of small networks trained for it
#: (scripts/train_small_networks.py, scripts/check_cifar.py). A plain residual one: 1.6 % and none.
_MEASURED = {
    "swish": "2.3 % of answers changed, no point lost",
    "hard swish": "2.6 % of answers changed, 0.1 point gained, with squeeze-and-excite",
    "gelu": "2.7 % of answers changed, 0.1 point gained, in a transformer",
    "squeeze-and-excite": "2.6 % of answers changed, 0.1 point gained, with hard swish",
}


def kept(graph: Graph) -> list[Finding]:
    """Layers without an 8-bit form: they run in float between 8-bit neighbours. Long loops among them apart."""
    shares = mac_shares(graph)
    found = []
    for op in graph:
        if op.kind != "Kept":
            continue
        layer, share = op.config["operation"], shares[op.name]
        kind = type(layer).__name__
        instead = _INSTEAD.get(kind, "a layer with an 8-bit form, if it does much of the work; else leave it")
        work = f"{share:.1%} of the multiply-accumulates stay as slow as in float" if share else "two conversions"
        found.append(Finding("float-layer", op.name, f"stays in float: {op.config['reason']}", work, instead))
        if _loops(layer):
            steps = graph.ops[op.inputs[0]].shape[0]
            risk = f"a loop of {steps} steps; ONNX Runtime has died on loops that read 8-bit values"
            found.append(Finding("loop", op.name, risk, "the ONNX file may fail", "at most 64 steps, or Conv1D"))
    return found


def _loops(layer: object) -> bool:
    """Whether a recurrent layer was left as a loop: the shorter ones are written out step by step when traced."""
    parts = [layer, getattr(layer, "forward_layer", None)]
    return any(getattr(part, "unroll", None) is False for part in parts)


def gates(graph: Graph) -> list[Finding]:
    """Activations and gates that cost more in int8 than a ReLU; one finding for each kind in the network."""
    seen: dict[str, list[str]] = {}
    for op in graph:
        kind = _gate(graph, op)
        if kind is not None:
            seen.setdefault(kind, []).append(op.name)
    found = []
    for kind, names in seen.items():
        count = "" if len(names) == 1 else f" ({len(names)} in the network)"
        risk = f"{kind}{count}: products and curves are rounded once more than a ReLU, which is free"
        cost = f"small: {_MEASURED[kind]} on 3,000 CIFAR-10 images (residual network with ReLU: 1.6 %)"
        rewrite = "nothing, unless the gate fails: then train with relu"
        found.append(Finding("gate", names[0], risk, cost, rewrite))
    return found


def _gate(graph: Graph, op: Op) -> str | None:
    if op.kind == "Activation":
        return "gelu" if op.config["activation"] == "gelu" else None
    if op.kind != "Multiply":
        return None
    if op.name.endswith("_silu"):
        return "hard swish" if op.name.endswith("_hard_silu") else "swish"
    maps = [graph.ops[name].shape for name in op.inputs]
    is_gate = [len(shape) == 3 and shape[:2] == (1, 1) for shape in maps]
    return "squeeze-and-excite" if any(is_gate) and not all(is_gate) else None


def large_dense(graph: Graph) -> list[Finding]:
    """A dense layer that is most of the model."""
    total = sum(weight.size for op in graph for weight in op.weights)
    found = []
    for op in graph:
        size = op.weights[0].size if op.kind == "Dense" else 0
        if size >= _LARGE and size >= _SHARE * total:
            risk = f"{size / 1e6:.1f} million weights, {size / total:.0%} of the model"
            cost = f"{size / 1e6:.1f} MB in int8, and every prediction reads all of it"
            rewrite = "GlobalAveragePooling2D in place of the Flatten before it"
            found.append(Finding("large-dense", op.name, risk, cost, rewrite))
    return found
