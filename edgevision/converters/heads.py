"""What a bundle says of its outputs, and whether that fits them, before anything long is begun."""

from __future__ import annotations

from collections.abc import Sequence

from edgevision.converters.source import SourceModel, output_scores
from edgevision.runtime.manifest import Manifest, Scores
from edgevision.runtime.spec import TensorSpec
from edgevision.runtime.tasks import task_of


def manifest_of(source: SourceModel, labels: Sequence[str]) -> Manifest:
    """Task, labels, scores, preprocessing and head, without artifacts.

    Raises:
        BundleError: An output that the head names is missing or of another shape, or labels are missing.
        InputError: The task needs images, and the model takes none.
    """
    manifest = Manifest(source.task, tuple(labels), _scores(source), source.preprocessing, head=source.head)
    if source.head is not None:
        shapes = {name: (1, *source.graph.ops[made].shape) for name, made in source.graph.outputs.items()}
        task_of(manifest, [TensorSpec(name, shape, "float32") for name, shape in shapes.items()])
    return manifest


def _scores(source: SourceModel) -> Scores | None:
    """A classifier's; of several labels at once what is independent, whatever the model ends in."""
    if source.head is None or source.head.kind != "multi_label":
        return source.scores
    return "sigmoid" if output_scores(source.graph) == "sigmoid" else "sigmoid_logits"
