"""Every check on a classifier's exported files: parity with the Keras models, and the accuracy gate."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.accuracy import ranks
from edgevision.converters.answers import Answers, Outputs, probabilities
from edgevision.converters.flips import flips, flips_bytes
from edgevision.converters.gate import judge
from edgevision.converters.parity import compare
from edgevision.runtime.manifest import Artifact, Manifest, Scores
from edgevision.runtime.spec import TensorSpec
from edgevision.runtime.tasks import task_of

if TYPE_CHECKING:
    from edgevision.runtime.results.classification import Classification

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
    outputs = answers.artifacts[artifact.name]
    reference, classes = answers.reference(artifact.precision), len(manifest.labels)
    before, after = (class_shares(each, manifest) for each in (answers.source, outputs))
    parity = None
    if reference is not None:  # else nothing is there that an int8 file should be like: the gate alone decides
        same = float((class_shares(reference, manifest).argmax(1) == after.argmax(1)).mean())
        in_full = bool(answers.alike)
        source, exact, found = map(_only, (answers.source, reference, outputs))
        parity = compare(source, exact, found, artifact.precision, same, in_full=in_full)
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
    labels = manifest.labels
    before = class_shares(answers.source, manifest)
    found = {
        name: flips(before, class_shares(outputs, manifest), labels, targets, names)
        for name, outputs in answers.artifacts.items()
    }
    return flips_bytes(found, len(before))


def class_shares(outputs: Outputs, manifest: Manifest) -> NDArray[np.float32]:
    """float32 (samples, labels), 0..1, by the very post-processing the device uses."""
    ((name, values),) = outputs.items()
    if manifest.head is None:
        return probabilities(values, _scores(manifest), len(manifest.labels))
    plain = dataclasses.replace(manifest, artifacts=())
    task = task_of(plain, [TensorSpec(name, (1, *values.shape[1:]), "float32")])
    found = [cast("Classification", task.decode({name: row[None]}, (1, 1))).scores for row in values]
    return np.stack(found)


def _only(outputs: Outputs) -> NDArray[Any]:
    (values,) = outputs.values()
    return values


def _scores(manifest: Manifest) -> Scores:
    assert manifest.scores is not None, "a classifier's outputs are scores"
    return manifest.scores
