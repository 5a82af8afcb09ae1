"""The gate of models with a head on labelled data: the task's own metric, of every artifact and of the float model.

Each model's outputs are decoded as the runtime decodes them and judged as ``edgevision evaluate`` judges them
(``benchmarks.judges``): average precision of boxes at IoU 0.5, mean IoU of masks, mean average precision of several
labels. The difference to the float Keras model on the same images is bootstrapped over images; the verdict on it is
that of ``gate``: what may be lost is ``max_drop`` points.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgevision.benchmarks.figures import Figures, compare
from edgevision.benchmarks.judges import open_judge
from edgevision.benchmarks.judges.judge import ImageSamples
from edgevision.converters.answers import Answers, Outputs
from edgevision.runtime.errors import BundleError, DatasetError
from edgevision.runtime.heads import with_thresholds
from edgevision.runtime.manifest import Agreement, Artifact, Manifest, Verdict
from edgevision.runtime.spec import TensorSpec
from edgevision.runtime.tasks import task_of

_FLOAT = "float model"


def open_metric(manifest: Manifest, data: str | Path) -> tuple[ImageSamples | None, str]:
    """Labelled images and the task's measure on them; None and why where the data has no labels that can be used."""
    try:
        judge = open_judge(manifest, data)
    except (BundleError, DatasetError) as error:
        return None, f"judged by signals, because {error.problem}"
    if not isinstance(judge, ImageSamples):
        return None, f"judged by signals: the task {manifest.task} is measured by 'edgevision evaluate'"
    return judge, ""


def figures_of(judge: ImageSamples, manifest: Manifest, answers: Answers, count: int) -> dict[str, Figures]:
    """What the float model and every artifact got.

    Args:
        judge: Labelled images, in the order in which everything answered them; it is used up.
        manifest: With the head.
        answers: Outputs of everything.
        count: How many images were answered.
    """
    options = judge.options
    head = with_thresholds(manifest.head, options.get("score_threshold"), options.get("iou_threshold"))
    everything: Mapping[str, Outputs] = {_FLOAT: answers.source, **answers.artifacts}
    outputs = [TensorSpec(name, (1, *values.shape[1:]), values.dtype.name) for name, values in answers.source.items()]
    task = task_of(dataclasses.replace(manifest, head=head, artifacts=()), outputs)
    for index in range(count):
        size = judge.read(index).shape[:2]
        results = {
            who: task.decode({name: values[index : index + 1] for name, values in found.items()}, size)
            for who, found in everything.items()
        }
        judge.add(index, results)
    return judge.figures()


def judged_by_metric(item: Artifact, figures: Mapping[str, Figures], max_drop: float) -> Artifact:
    """The artifact with the metric in its ``agreement``, which decides the verdict instead of signals."""
    assert item.agreement is not None and item.parity is not None, "signals have been checked"
    found = compare(figures, item.name, _FLOAT)
    gain, low = _gain(found.difference, found.is_better)
    is_exact = item.precision == "float32" and item.parity.passed
    verdict: Verdict = "fail" if gain < -max_drop else "pass" if low > -max_drop or is_exact else "undecided"
    difference: dict[str, Any] = {
        "metric": found.metric,
        "value": figures[item.name].value,
        "float_value": figures[_FLOAT].value,
        "difference": found.difference.value,
        "interval": (found.difference.low, found.difference.high),
    }
    agreement: Agreement = dataclasses.replace(
        item.agreement, passed=verdict != "fail", verdict=verdict, images_needed=None, **difference
    )
    return dataclasses.replace(item, agreement=agreement)


def _gain(difference: Any, is_better: int) -> tuple[float, float]:
    """How much better, and at least how much, points; negative is worse."""
    return (difference.value, difference.low) if is_better > 0 else (-difference.value, -difference.high)
