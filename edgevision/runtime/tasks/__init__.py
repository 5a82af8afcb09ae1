"""Output tensors to a typed result, one file per task."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from edgevision.runtime.manifest import Manifest
    from edgevision.runtime.spec import TensorSpec
    from edgevision.runtime.tasks.task import Task

# Kind of head -> (module of this package, class); imported when a bundle has it. "": a classifier of one label.
_TASKS = {
    "": ("classification", "ClassificationTask"),
    "multi_label": ("classification", "ClassificationTask"),
    "sequence": ("sequence", "SequenceTask"),
    "ssd": ("detection", "DetectionTask"),
    "yolo": ("detection", "DetectionTask"),
    "fcos": ("detection", "DetectionTask"),
    "centernet": ("detection", "DetectionTask"),
    "postprocessed": ("detection", "DetectionTask"),
    "segmentation": ("segmentation", "SegmentationTask"),
    "image": ("generation", "GenerationTask"),
    "embedding": ("embedding", "EmbeddingTask"),
    "heatmap_keypoints": ("keypoints", "HeatmapKeypointsTask"),
    "direct_keypoints": ("keypoints", "DirectKeypointsTask"),
    "instance_keypoints": ("keypoints", "InstanceKeypointsTask"),
    "prototype_masks": ("instance_masks", "PrototypeMasksTask"),
    "box_masks": ("instance_masks", "BoxMasksTask"),
}


def task_of(manifest: Manifest, outputs: Sequence[TensorSpec]) -> Task:
    """What decodes this model's outputs.

    Raises:
        BundleError: The outputs are not those that the manifest's head describes.
    """
    module, name = _TASKS["" if manifest.head is None else manifest.head.kind]
    made = getattr(importlib.import_module(f"edgevision.runtime.tasks.{module}"), name)(manifest, outputs)
    return cast("Task", made)
