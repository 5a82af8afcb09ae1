"""A bundle of a model whose layers cannot be seen: each format quantised by itself, the same gate and report."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import itertools
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgevision.converters import formats, native
from edgevision.converters.answers import Answers, answer, top1
from edgevision.converters.asked import Asked
from edgevision.converters.check import check
from edgevision.converters.export import open_artifact
from edgevision.converters.finish import gate, write
from edgevision.converters.formats.exported import OUTPUT
from edgevision.converters.native.export import Chosen, native_export
from edgevision.converters.native.opaque import AS_GIVEN, OpaqueModel
from edgevision.converters.provenance import provenance
from edgevision.converters.quantize.observe import batch_size
from edgevision.converters.samples import Samples
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.errors import InputError
from edgevision.runtime.manifest import Manifest

#: What each format can be made in here.
PRECISIONS = ("int8", "float32")
#: Images to choose a quantiser's setting on: each is run by every candidate of every format.
_CHOICE = 100


def convert_opaque(source: OpaqueModel, data: Samples, asked: Asked, steps: Callable[[str], None]) -> Bundle:
    """The second half of ``convert``, by each format's own quantiser (``native``).

    There is no quantised Keras model that an int8 file could be compared with: it has no parity, and the gate decides.

    Args:
        source: The model.
        data: What calibrates and what judges.
        asked: Everything else.
        steps: Called with each stage as it begins.

    Raises:
        InputError: A precision is not made of such a model, or it is to be fine-tuned.
        ConversionError: A converter or quantiser refused the model.
        MissingPackageError: A quantiser is not installed.
    """
    _refuse_what_needs_layers(source, asked)
    manifest = Manifest(source.task, data.labels, source.scores, source.preprocessing)
    size = batch_size(source.graph)
    steps("quantising")
    with tempfile.TemporaryDirectory(prefix="edgevision-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        exported, chosen = native_export(
            source,
            manifest,
            lambda: data.calibration.ranges.batches(size),
            data.calibration.choice.head(_CHOICE),
            folder,
            asked.wanted,
            lambda item: steps(f"exporting {item}"),
        )
        sessions = {item.name: stack.enter_context(open_artifact(item, folder)) for item in exported}
        steps("checking")
        answers = answer(source, None, sessions, data.judged.batches(size))
        manifest = dataclasses.replace(
            manifest,
            artifacts=tuple(check(item, answers, manifest, data.targets, asked.max_drop) for item in exported),
            provenance=provenance(source, recipe(source, chosen, answers, len(data.labels)), data, asked.golden),
        )
        manifest = dataclasses.replace(manifest, gate=gate(manifest, data, asked.max_drop, answers))
        steps("writing the bundle")
        return write(asked, manifest, folder, source, data, answers, sessions, {})


def recipe(source: OpaqueModel, chosen: Sequence[Chosen], answers: Answers, labels: int) -> dict[str, Any]:
    """What was done, for the manifest: which tool quantised each format and why, and how far the files agree."""
    assert source.scores is not None, "settled when it was read"
    classes = {}
    for each in chosen:
        name = f"int8{formats.SUFFIXES[each.format]}"
        classes[name] = top1(answers.artifacts[name][OUTPUT], source.scores, labels)
    pairs = itertools.combinations(classes, 2)
    same = {f"{one}, {other}": float((classes[one] == classes[other]).mean()) for one, other in pairs}
    quantizers = {str(each.format): _quantizer(each) for each in chosen}
    return {
        "name": "native",
        "reason": source.reason,
        "quantizers": quantizers,
        "float32": "each format's own conversion of the same SavedModel",
        "same_top1": same,
        "scores_from": source.scores_from,
        "notes": list(_notes(source, quantizers, same)),
    }


def _refuse_what_needs_layers(source: OpaqueModel, asked: Asked) -> None:
    others = [precision for _, precision in asked.wanted if precision not in PRECISIONS]
    if others:
        raise InputError(
            f"{source.name} has no visible layers: {others[0]} is not made of it", expected=" or ".join(PRECISIONS)
        )
    if asked.finetune:
        raise InputError(
            f"{source.name} cannot be fine-tuned in int8: its layers cannot be seen",
            cure="leave --finetune out, or write it with keras.Model(inputs, outputs)",
        )


def _quantizer(chosen: Chosen) -> dict[str, Any]:
    package = native.of(chosen.format).PACKAGE
    made = {"tool": package, "version": importlib.metadata.version(package), "setting": chosen.method}
    return {**made, "divergence_nats": chosen.errors}


def _notes(source: OpaqueModel, quantizers: dict[str, dict[str, Any]], same: dict[str, float]) -> list[str]:
    """The same in sentences, for people."""
    told = "" if source.scores_from == AS_GIVEN else ", which may be wrong: --scores (scores=...) says what they are"
    notes = [f"Outputs are taken for {source.scores}, by {source.scores_from}{told}"]
    if quantizers:
        tools = ", ".join(f"{name} by {made['tool']} {made['version']}" for name, made in quantizers.items())
        notes = [f"Each format was quantised by itself, {tools} ({source.reason})", *notes]
    if same:
        notes.append("Same best class: " + "; ".join(f"{pair} {share:.2%}" for pair, share in same.items()))
    return notes
