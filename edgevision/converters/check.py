"""Every check on the exported files: parity with the Keras models, and the accuracy gate."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.gate import judge
from edgevision.converters.parity import Answers, compare, top1
from edgevision.runtime.manifest import Artifact, Manifest


def check(
    artifact: Artifact, answers: Answers, manifest: Manifest, targets: NDArray[np.int64] | None, max_drop: float
) -> Artifact:
    """The artifact with its ``parity`` and ``agreement`` filled in.

    Args:
        artifact: As exported.
        answers: What it and the Keras models answered.
        manifest: Scores kind and labels.
        targets: True class per image; None without labels.
        max_drop: Allowed loss, points.
    """
    outputs = answers.artifacts[artifact.name]
    reference = answers.quantized if artifact.precision == "int8" else answers.source
    scores, classes = manifest.scores, len(manifest.labels)
    before, after = top1(answers.source, scores, classes), top1(outputs, scores, classes)
    return dataclasses.replace(
        artifact,
        parity=compare(reference, outputs, artifact.precision, scores, classes),
        agreement=judge(before, after, targets, max_drop),
    )
