"""Every check on a classifier's exported files: parity with the Keras models, and the accuracy gate."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.accuracy import ranks
from edgevision.converters.flips import flips, flips_bytes
from edgevision.converters.gate import judge
from edgevision.converters.parity import Answers, Outputs, compare, probabilities
from edgevision.runtime.manifest import Artifact, Manifest, Scores

Targets = NDArray[np.int64] | None


def check(artifact: Artifact, answers: Answers, manifest: Manifest, targets: Targets, max_drop: float) -> Artifact:
    """The artifact with its ``parity`` and ``agreement`` filled in.

    Args:
        artifact: As exported.
        answers: What it and the Keras models answered.
        manifest: Scores kind and labels.
        targets: True class per image; None without labels.
        max_drop: Allowed loss, points.
    """
    exact, outputs = (_only(each) for each in (answers.source, answers.artifacts[artifact.name]))
    reference = answers.reference(artifact.precision)
    scores, classes = _scores(manifest), len(manifest.labels)
    # Without a quantised Keras model nothing is there that an int8 file should be like: the gate alone decides.
    parity = None if reference is None else compare(_only(reference), outputs, artifact.precision, scores, classes)
    before, after = (probabilities(each, scores, classes) for each in (exact, outputs))
    agreement = judge(
        before.argmax(1).astype(np.int64),
        after.argmax(1).astype(np.int64),
        targets,
        max_drop,
        in_top5=None if targets is None or classes < 6 else (ranks(before, targets) < 5, ranks(after, targets) < 5),
        is_exact=artifact.precision == "float32" and parity is not None and parity.passed,
    )
    return dataclasses.replace(artifact, parity=parity, agreement=agreement)


def flips_file(answers: Answers, manifest: Manifest, targets: Targets, names: Sequence[str] | None) -> bytes:
    """The content of flips.json for every artifact.

    Args:
        answers: What the artifacts and the float model answered.
        manifest: Scores kind and labels.
        targets: True class per image; None without labels.
        names: Name per image; None leaves them out.
    """
    labels, scores = manifest.labels, _scores(manifest)
    before = probabilities(_only(answers.source), scores, len(labels))
    found = {
        name: flips(before, probabilities(_only(outputs), scores, len(labels)), labels, targets, names)
        for name, outputs in answers.artifacts.items()
    }
    return flips_bytes(found, len(before))


def _only(outputs: Outputs) -> NDArray[Any]:
    (values,) = outputs.values()
    return values


def _scores(manifest: Manifest) -> Scores:
    assert manifest.scores is not None, "a classifier's outputs are scores"
    return manifest.scores
