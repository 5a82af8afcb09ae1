"""How each task is judged on labelled data: one file per task, imported when a bundle has it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import cast

from edgevision.benchmarks.judges.judge import Judge as Judge
from edgevision.runtime.errors import BundleError
from edgevision.runtime.manifest import Manifest

# Task -> (module of this package, class). "multi_label" is a head of the task classification.
_JUDGES = {
    "classification": ("classification", "ClassJudge"),
    "multi_label": ("multi_label", "TagJudge"),
    "sequence": ("sequence", "WindowJudge"),
    "detection": ("detection", "BoxJudge"),
    "instance_segmentation": ("detection", "BoxJudge"),
    "keypoints": ("keypoints", "PointJudge"),
    "segmentation": ("segmentation", "PixelJudge"),
    "embedding": ("embedding", "PairJudge"),
    "generation": ("generation", "ImageJudge"),
}


def open_judge(manifest: Manifest, data: str | Path, split: str | None = None, *, name: str = "the bundle") -> Judge:
    """Labelled data for a bundle's task, and what collects the artifacts' answers on it.

    Args:
        manifest: What the bundle says.
        data: What the reader of the task takes (docs/evaluate.md).
        split: Split of the data; None prefers the test split.
        name: The bundle's, for messages.

    Raises:
        BundleError: There is no measure for the task.
        DatasetError: The data cannot be used, or its classes are not the bundle's.
    """
    is_tags = manifest.head is not None and manifest.head.kind == "multi_label"
    kind = "multi_label" if is_tags else manifest.task
    if kind not in _JUDGES:
        expected = "the task " + ", ".join(task for task in _JUDGES if task != "multi_label")
        cure = "compare the artifacts' outputs with 'edgevision verify'"
        problem = f"accuracy of {name} is not measured"
        raise BundleError(problem, expected=expected, got=f"the task {manifest.task}", cure=cure)
    module, class_name = _JUDGES[kind]
    judge = getattr(importlib.import_module(f"edgevision.benchmarks.judges.{module}"), class_name)
    return cast(Judge, judge.open(manifest, data, split))
