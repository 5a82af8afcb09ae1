"""A quantised model that was trained as such, stored in the .keras file of its float model: edgevision-int8.npz.

``convert`` takes it in place of calibrating. The float model stays what it is: float artifacts are made of it, and int8
artifacts are judged by it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.converters.metadata import read_entry, write_entry
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Array, Graph
from edgevision.converters.quantize.logits import Logits
from edgevision.converters.quantize.quantize import Quantized
from edgevision.runtime.errors import ModelError

_ENTRY = "edgevision-int8.npz"
#: What ``Quantized.ranges_by`` and ``rounding`` are called of such a model.
TRAINED = "trained"


def write_trained(path: str | Path, graph: Graph, quantized: Quantized) -> None:
    """Store a quantised model in the .keras file at ``path``.

    Args:
        path: The float model's file.
        graph: That model's operations, folded (``source.load_source``), by which the entry is told to be its own.
        quantized: What was trained.

    Raises:
        ModelError: The file is no .keras file.
    """
    logits = quantized.logits
    plain = {
        "of": fingerprint(graph),
        "ranges": {name: [grid.scale, grid.zero_point] for name, grid in quantized.ranges.items()},
        "logits": logits and [logits.name, logits.grid.scale, logits.grid.zero_point, logits.windows],
        "equalized": quantized.equalized,
    }
    arrays: dict[str, Any] = _weights("int8", quantized.graph)
    if quantized.equalized:
        arrays |= _weights("exact", quantized.exact)
    data = io.BytesIO()
    np.savez_compressed(data, about=np.array(json.dumps(plain)), **arrays)
    write_entry(path, _ENTRY, data.getvalue())


def read_trained(path: str | Path, graph: Graph) -> Quantized | None:
    """What ``write_trained`` stored; None where there is nothing.

    Args:
        path: The float model's file.
        graph: Its operations, folded.

    Raises:
        ModelError: The entry is damaged, or belongs to other weights.
    """
    try:
        data = read_entry(path, _ENTRY)
        if data is None:
            return None
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            plain = json.loads(str(stored["about"]))
            if plain["of"] != fingerprint(graph):
                raise ValueError("it belongs to other weights")
            arrays = {name: stored[name] for name in stored.files}
        rounded = _with_weights("int8", graph, arrays)
        exact = _with_weights("exact", graph, arrays) if plain["equalized"] else graph
        ranges = {name: Range(float(scale), int(zero)) for name, (scale, zero) in plain["ranges"].items()}
        logits = plain["logits"] and Logits(plain["logits"][0], Range(*plain["logits"][1:3]), plain["logits"][3])
        return Quantized(rounded, exact, ranges, TRAINED, "nearest", logits, plain["equalized"], {})
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, OSError) as error:
        cure = "train it again, or save it anew with Keras, which leaves the entry out"
        raise ModelError(f"{_ENTRY} in {Path(path).name} is not usable", got=str(error), cure=cure) from error


def fingerprint(graph: Graph) -> str:
    """Hex sha256 of a graph's operations and weights."""
    digest = hashlib.sha256()
    for op in graph:
        digest.update(repr((op.name, op.kind, op.inputs, op.shape)).encode())
        for weight in op.weights:
            digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


def _weights(what: str, graph: Graph) -> dict[str, Array]:
    return {f"{what}/{op.name}/{index}": weight for op in graph for index, weight in enumerate(op.weights)}


def _with_weights(what: str, graph: Graph, arrays: dict[str, Any]) -> Graph:
    made = graph.copy()
    for op in made:
        found = [arrays[f"{what}/{op.name}/{index}"] for index in range(len(op.weights))]
        if any(one.shape != weight.shape or one.dtype != weight.dtype for one, weight in zip(found, op.weights)):
            raise ValueError(f"weights of {op.name} do not fit")
        if not all(np.isfinite(one).all() for one in found):
            raise ValueError(f"weights of {op.name} are no numbers")
        made.ops[op.name] = dataclasses.replace(op, weights=found)
    return made
