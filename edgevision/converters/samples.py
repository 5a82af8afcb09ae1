"""The data of one conversion: what calibrates and what judges, images or named arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.judges.judge import ImageSamples
from edgevision.converters.calibration import CalibrationSet, PixelSet
from edgevision.converters.heads import manifest_of
from edgevision.converters.labels import settle_labels
from edgevision.converters.metric_gate import open_metric
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.source import SourceModel
from edgevision.converters.tensor_set import TensorRows, TensorSet, content_hash, judged_rows
from edgevision.datasets import open_clips, open_dataset, open_images
from edgevision.runtime.errors import InputError

#: Outputs of all samples by all models are held at once up to this many bytes: fewer samples judge large outputs.
_ANSWERS_BYTES = 2**30


@dataclass(frozen=True, eq=False)
class Samples:
    """What one conversion runs on.

    Attributes:
        labels: Class names; none where there are no classes.
        calibration: Three groups, one of which judges when there is no evaluation data.
        judged: What judges.
        targets: True class of each judged image, int64; None without labels.
        is_separate: Whether ``judged`` is evaluation data of its own.
        evaluation: What that is, for the manifest; None without.
        judge: The task's own measure on that, of a model with a head and labels that can be used; else None.
        remark: Why there is none although there is evaluation data; "" where nothing is to be said.
    """

    labels: tuple[str, ...]
    calibration: CalibrationSet | TensorSet
    judged: PixelSet | TensorRows
    targets: NDArray[np.int64] | None
    is_separate: bool
    evaluation: dict[str, Any] | None
    judge: ImageSamples | None = None
    remark: str = ""


def open_samples(
    source: SourceModel, calibration: str | Path, evaluate: str | Path | None, labels: Sequence[str] | None, models: int
) -> Samples:
    """Open the data that fits the model.

    Args:
        source: The model.
        calibration: Images, or an .npz whose arrays bear the inputs' names.
        evaluate: The same kind of data; labelled for a classifier. None judges on calibration data left over.
        labels: Class names, if given.
        models: How many models will answer.

    Raises:
        InputError: Class names are missing, wrong, or given to a model without classes.
        DatasetError: The data is not what the model takes.
    """
    if source.is_classifier:
        return _labelled(source, calibration, evaluate, labels)
    if labels is not None and source.head is None:
        raise InputError(
            f"{source.name} is no image classifier: its outputs have no class names", cure="leave --labels out"
        )
    if source.preprocessing is None:
        return _arrays(source, calibration, evaluate, models)
    names = tuple(labels if labels is not None else source.labels or ()) if source.head else ()
    name, preprocessing = source.graph.input.name, source.preprocessing
    images = CalibrationSet(calibration, preprocessing, name)
    most = _enough(source.graph, models)
    if evaluate is None:
        return Samples(names, images, images.judgement.first(most), None, False, None)
    judge, remark = open_metric(manifest_of(source, names), evaluate) if source.head else (None, "")
    tested = judge.images if judge is not None else open_images(evaluate, prefer="test")
    about = {"images": min(most, len(tested)), "split": tested.split, "sha256": tested.content_hash()}
    judged = PixelSet(tested, preprocessing, name).first(most)
    return Samples(names, images, judged, None, True, about, judge, remark)


def _labelled(
    source: SourceModel, calibration: str | Path, evaluate: str | Path | None, labels: Sequence[str] | None
) -> Samples:
    p, name, frames = source.preprocessing, source.graph.input.name, source.frames
    opener: Any = open_clips if frames else open_dataset
    found = None if evaluate is None else opener(evaluate, prefer="test")
    names = settle_labels(source, labels, found, calibration)
    assert p is not None, "a classifier takes an image, or frames"
    images = CalibrationSet(calibration, p, name, frames=frames, overlapping=found is not None)
    if found is None:
        return Samples(names, images, images.judgement, None, False, None)
    tested = found.aligned_to(names).windows(frames) if frames else found.aligned_to(names)
    about = {"images": len(tested), "split": tested.split, "sha256": tested.content_hash()}
    return Samples(names, images, PixelSet(tested, p, name), tested.targets, True, about)


def _arrays(source: SourceModel, calibration: str | Path, evaluate: str | Path | None, models: int) -> Samples:
    arrays, most = TensorSet(calibration, source.graph.inputs), _enough(source.graph, models)
    if evaluate is None:
        return Samples((), arrays, arrays.judgement.first(most), None, False, None)
    judged = judged_rows(evaluate, source.graph.inputs).first(most)
    about = {"images": len(judged), "split": "", "sha256": content_hash(judged)}
    return Samples((), arrays, judged, None, True, about)


def _enough(graph: Graph, models: int) -> int:
    one_sample = 4 * models * sum(int(np.prod(graph.ops[name].shape)) for name in graph.outputs.values())
    return max(10, _ANSWERS_BYTES // one_sample)
