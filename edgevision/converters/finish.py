"""The end of every conversion: the verdict on all artifacts, and the bundle on disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from edgevision.converters.answers import Answers
from edgevision.converters.asked import Asked, Progress
from edgevision.converters.card import model_card
from edgevision.converters.check import flips_file
from edgevision.converters.flips import FLIPS
from edgevision.converters.gate import verdict
from edgevision.converters.golden import COUNT, make_golden, synthetic
from edgevision.converters.parity import unsteady
from edgevision.converters.samples import Samples
from edgevision.converters.source import SourceModel
from edgevision.converters.training_samples import TrainingSamples
from edgevision.runtime.bundle import Bundle, file_entry, golden_bytes, write_bundle
from edgevision.runtime.manifest import Gate, Manifest
from edgevision.runtime.session import Session


class Steps:
    """Counts stages as they begin.

    Args:
        progress: Told of every stage.
        total: How many there will be.
    """

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._begun = progress, total, 0

    def __call__(self, stage: str) -> None:
        """The stage of that name begins."""
        if self._progress is not None:
            self._progress(stage, self._begun, self._total)
        self._begun += 1

    def within(self, stage: str, done: int, total: int) -> None:
        """Progress of something long inside a stage."""
        if self._progress is not None:
            self._progress(stage, done, total)

    def skip(self, stages: int) -> None:
        """So many will not begin."""
        self._begun += stages


def gate(
    manifest: Manifest, data: Samples, max_drop: float, answers: Answers, training: TrainingSamples | None = None
) -> Gate:
    """The verdict on a manifest's checked artifacts; ``training`` is what fine-tuning learned from."""
    images, judged = data.calibration, data.judged
    more = () if training is None else training.digests
    # Judging images that come from the calibration data itself are the same to look at, and may be the same.
    overlap = None if images.is_shared and not data.is_separate else images.overlap(judged, more)  # type: ignore[arg-type]
    odd = images.warnings(judged if data.is_separate else None)  # type: ignore[arg-type]  # both are of one kind
    odd = (*odd, *([data.remark] if data.remark else []), *_alike(answers), *unsteady(manifest.artifacts))
    basis = _basis(manifest, data)
    is_shared = images.is_shared and not data.is_separate
    return verdict(manifest.artifacts, max_drop, basis, len(judged), is_shared, overlap=overlap, warnings=odd)


def _alike(answers: Answers) -> list[str]:
    """A model that does not look at its input is exported faithfully, and is of no use."""
    samples = len(next(iter(answers.source.values())))
    if samples == 1 or answers.alike != answers.source.keys():
        return []
    return [f"the float model gives all {samples} the same answer: it has learned nothing, or expects another input"]


def _basis(manifest: Manifest, data: Samples) -> str:
    if manifest.names_one_class:
        return "agreement" if data.targets is None else "accuracy"
    metrics = [item.agreement.metric for item in manifest.artifacts if item.agreement and item.agreement.metric]
    return metrics[0] if metrics else "signal"


def write(
    asked: Asked,
    manifest: Manifest,
    folder: Path,
    source: SourceModel,
    data: Samples,
    answers: Answers,
    sessions: dict[str, Session],
    extra: dict[str, bytes],
) -> Bundle:
    """Write the bundle with golden outputs, card and flips.

    Args:
        asked: Where to write, whether a bundle there is replaced, and what the golden inputs are.
        manifest: With checked artifacts, provenance and gate.
        folder: Where the artifacts' files are.
        source: The model.
        data: What judged.
        answers: What everything answered to it.
        sessions: An open session per artifact name.
        extra: More files by name.

    Raises:
        OutputExistsError: ``asked.out`` exists and may not be replaced.
    """
    out, is_real = Path(asked.out), asked.golden == "real"
    head = data.judged.head(COUNT)
    inputs = head if is_real else synthetic(source.graph.inputs, head)
    extra = {
        **extra,
        "golden.npz": golden_bytes(make_golden(inputs, sessions)),
        "README.md": model_card(out.name, manifest).encode(),
    }
    if source.is_classifier:
        names = data.judged.names if is_real else None
        extra[FLIPS] = flips_file(answers, manifest, data.targets, names)
    manifest = dataclasses.replace(manifest, files=tuple(file_entry(name, data) for name, data in extra.items()))
    models: dict[str, Path | bytes] = {e.name: folder / e.name for item in manifest.artifacts for e in item.files}
    return write_bundle(out, manifest, {**models, **extra}, force=asked.force)
