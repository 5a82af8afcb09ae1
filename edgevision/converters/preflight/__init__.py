"""What will hurt int8, told from a model's layers and weights alone, before any data is needed.

Every kind of finding is in docs/preflight.md, with what its cost was measured on.
"""

from __future__ import annotations

from typing import Any

from edgevision.converters.native.opaque import is_opaque
from edgevision.converters.preflight import layers, structure, weights
from edgevision.converters.preflight.finding import Finding
from edgevision.converters.quantize.fold import fold
from edgevision.converters.quantize.trace import trace_tensors
from edgevision.converters.source_ends import Ends, settle_ends
from edgevision.runtime.errors import EdgevisionError, InputError

__all__ = ["Finding", "preflight"]

#: Side of the image that a model of open size is looked at with, pixels.
_SIDE = 224


def preflight(model: Any, metadata: dict[str, Any] | None = None) -> list[Finding]:
    """What to know before converting a model; nothing for one that int8 will not hurt.

    Args:
        model: keras.Model, or what ``files.read_model`` makes of a SavedModel without layers.
        metadata: What a trainer of ours stored beside it; None without.
    """
    if is_opaque(model):
        return [_without_layers(model)]
    found = structure.channels_first(model)
    try:
        ends, is_open = _ends(model)
        graph = trace_tensors(model, ends.inputs, ends.outputs)
        fold(graph.copy())  # what cannot be folded, convert refuses
    except (EdgevisionError, ValueError) as error:  # ValueError: Keras', where nothing is left of the image
        return [*found, _refusal(model, error)]
    found += structure.open_size(model) if is_open else []
    found += structure.normalization(graph, metadata) if ends.image is not None else []
    for check in (layers.kept, structure.shared_grids, layers.gates, layers.large_dense):
        found += check(graph)
    for look in (weights.uneven_channels, weights.outlying_weights, weights.dead_channels):
        found += look(graph, model)
    return found


def _ends(model: Any) -> tuple[Ends, bool]:
    """Inputs and outputs, and whether an image's size is open; it is looked at with some size then."""
    try:
        return settle_ends(model, model.name), False
    except InputError:
        height, width = (*model.inputs[0].shape[1:3], None, None)[:2]
        return settle_ends(model, model.name, (height or _SIDE, width or _SIDE)), True


def _without_layers(model: Any) -> Finding:
    return Finding(
        "opaque",
        getattr(model, "name", "the model"),
        "its layers cannot be seen, so every format is quantised by its own tool, and nothing can be said about them",
        "the int8 files agree less with float and with each other",
        "write it with keras.Model(inputs, outputs) and convert the .keras file",
    )


def _refusal(model: Any, error: Exception) -> Finding:
    return Finding(
        "refused",
        model.name,
        f"convert refuses it: {' '.join(str(error).split())}",
        "there will be no bundle",
        getattr(error, "cure", "") or "change what is named",
    )
