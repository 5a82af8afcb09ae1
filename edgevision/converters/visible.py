"""A bundle of a model whose layers can be seen: quantised once, exported to every format, checked in every engine."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevision.converters.answers import Answers, answer
from edgevision.converters.asked import Asked
from edgevision.converters.calibration import CalibrationSet
from edgevision.converters.check import check
from edgevision.converters.export import export_all, left_out, open_artifact
from edgevision.converters.finetuning import fine_tuned
from edgevision.converters.finish import Steps, gate, write
from edgevision.converters.heads import manifest_of
from edgevision.converters.layers.faults import looked_into
from edgevision.converters.layers.measure import IMAGES, LAYERS, layers_bytes
from edgevision.converters.metric_gate import figures_of, judged_by_metric
from edgevision.converters.pareto import search_record
from edgevision.converters.provenance import provenance, recipe
from edgevision.converters.quantize.correct import images_to_correct
from edgevision.converters.quantize.observe import batch_size
from edgevision.converters.quantize.quantize import Quantized, quantize
from edgevision.converters.quantize.search import Found
from edgevision.converters.reverting import revert
from edgevision.converters.samples import Samples
from edgevision.converters.signal_gate import check_signals
from edgevision.converters.source import SourceModel
from edgevision.converters.tensor_set import TensorSet
from edgevision.converters.training_samples import TrainingSamples
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.manifest import Artifact, Manifest, Target
from edgevision.runtime.session import Session


@dataclass(frozen=True, eq=False)
class Made:
    """The one quantised model, and how it came about.

    Attributes:
        quantized: What is exported.
        tuning: What the manifest says of its fine-tuning; None without.
        training: What it was fine-tuned on; None without.
        found: What the search for layers that have to stay in float found; None when nothing was searched for.
        remark: What has to be said about where the search's trials are kept.
    """

    quantized: Quantized
    tuning: dict[str, Any] | None = None
    training: TrainingSamples | None = None
    found: Found | None = None
    remark: str = ""


def convert_visible(source: SourceModel, data: Samples, asked: Asked, steps: Steps) -> Bundle:
    """The second half of ``convert``.

    Args:
        source: The model.
        data: What calibrates and what judges.
        asked: Everything else.
        steps: Called with each stage as it begins.

    Raises:
        BundleError: The outputs do not fit the model's head.
        ConversionError: An exporter refused the model.
        InputError: The data to fine-tune on is not usable (DatasetError, ImageError: or cannot be read).
        OutputExistsError: There is something at ``asked.out`` by now.
    """
    manifest = manifest_of(source, data.labels)
    steps("quantising")
    made = _made(source, data, asked, steps)
    with tempfile.TemporaryDirectory(prefix="edgevision-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        exported = export_all(
            source.graph,
            made.quantized,
            manifest,
            folder,
            asked.wanted,
            lambda item: steps(f"exporting {item}"),
            lambda: data.calibration.ranges.batches(batch_size(source.graph)),
        )
        sessions = {item.name: stack.enter_context(open_artifact(item, folder)) for item in exported}
        steps("checking")
        answers = _answers(source, made.quantized, sessions, data, asked)
        few = data.judged.head(IMAGES)
        checked = _checked(exported, answers, manifest, source, data, asked.max_drop)
        checked = tuple(looked_into(item, made.quantized, folder, few) for item in checked)
        manifest = dataclasses.replace(manifest, artifacts=checked, provenance=_provenance(source, made, data, asked))
        if made.found is not None:
            image = data.calibration.choice.head(1)
            record = search_record(made.found, source.graph, manifest, folder, exported, image)
            manifest.provenance["search"] = {"remark": made.remark, **record}
        manifest = dataclasses.replace(manifest, gate=gate(manifest, data, asked.max_drop, answers, made.training))
        extra = {}
        if "int8" in asked.precisions:
            extra[LAYERS] = layers_bytes(made.quantized.exact, made.quantized, exported, folder, few)
        steps("writing the bundle")
        return write(asked, manifest, folder, source, data, answers, sessions, extra)


def _made(source: SourceModel, data: Samples, asked: Asked, steps: Steps) -> Made:
    """Quantised, fine-tuned if that was asked for, and with as much in float as the gate is likely to want."""
    made = Made(source.trained or _quantize(source, data.calibration, asked.target))
    if asked.finetune:
        training = TrainingSamples(source, data, asked.calibration, asked.finetune_data)
        quantized, tuning = fine_tuned(source, made.quantized, data, training, asked.finetune, steps)
        steps.skip(asked.finetune - tuning["epochs"])
        made = Made(quantized, tuning, training)
    # Whose kernels have no float model that they were rounded from.
    is_trained = source.trained is not None or (made.tuning is not None and made.tuning["kept"])
    images = data.calibration
    if "int8" not in asked.precisions or not isinstance(images, CalibrationSet) or is_trained:
        return made
    quantized, found, remark = revert(source, made.quantized, images, asked.max_drop, asked.budget, steps.within)
    return dataclasses.replace(made, quantized=quantized, found=found, remark=remark)


def _quantize(source: SourceModel, images: CalibrationSet | TensorSet, target: Target) -> Quantized:
    size = batch_size(source.graph)
    correction = images.ranges.head(images_to_correct(source.graph))
    ranges, choice = (lambda: images.ranges.batches(size)), (lambda: images.choice.batches(size))
    return quantize(source.graph, source.scores, ranges, correction, choice, target)


def _answers(
    source: SourceModel, quantized: Quantized, sessions: dict[str, Session], data: Samples, asked: Asked
) -> Answers:
    """What both Keras models and all files answer to the images that judge."""
    weights = quantized.weights_model() if {"dynamic-int8", "int16x8"} & {p for _, p in asked.wanted} else None
    return answer(source, quantized.whole_model(), sessions, data.judged.batches(batch_size(source.graph)), weights)


def _checked(
    exported: Sequence[Artifact],
    answers: Answers,
    manifest: Manifest,
    source: SourceModel,
    data: Samples,
    max_drop: float,
) -> tuple[Artifact, ...]:
    """The artifacts with what was found about them: classes, signals, or the task's own measure."""
    if source.is_classifier:
        checked = tuple(check(item, answers, manifest, data.targets, max_drop) for item in exported)
    else:
        checked = tuple(check_signals(item, answers, source.graph) for item in exported)
    if data.judge is None:
        return checked
    figures = figures_of(data.judge, manifest, answers, len(data.judged))
    return tuple(judged_by_metric(item, figures, max_drop) for item in checked)


def _provenance(source: SourceModel, made: Made, data: Samples, asked: Asked) -> dict[str, Any]:
    how = recipe(source, made.quantized, made.tuning)
    return provenance(source, how, data, asked.golden, made.quantized.convergence, left_out(asked.pairs))
