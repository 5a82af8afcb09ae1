"""evaluate(): accuracy of a bundle's artifacts on labelled images, all on the same images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.accuracy import Accuracy, Comparison, compare_precisions, ranks
from edgevision.benchmarks.choice import runnable
from edgevision.datasets import Dataset, open_dataset
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.errors import DatasetError, ImageError, InputError
from edgevision.runtime.predictor import Predictor, load_classifier, no_classifier

Progress = Callable[[str, int, int], None]

#: Names of unreadable images spelled out in an error.
_NAMED = 5


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Accuracy of one or more artifacts of a bundle on the same images.

    Attributes:
        bundle: Name of the bundle.
        data: Name of the data set.
        split: Which split of it.
        artifacts: Accuracy per artifact name.
        unreadable: Names of images that could not be decoded; they count for no artifact.
        skipped: Artifacts that could not run here, and why.
    """

    bundle: str
    data: str
    split: str
    artifacts: dict[str, Accuracy]
    unreadable: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every int8 artifact against float32, paired over images; empty without a float32 artifact."""
        return compare_precisions(self.artifacts)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: {"artifacts": {"int8.tflite": {"top1": 0.87, "n": 1000, ...}}, ...}."""
        return {
            "bundle": self.bundle,
            "data": self.data,
            "split": self.split,
            "artifacts": {name: accuracy.to_dict() for name, accuracy in self.artifacts.items()},
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
            "unreadable": list(self.unreadable),
            "skipped": dict(self.skipped),
        }


def evaluate(
    bundle_path: str | Path,
    data: str | Path,
    artifact: str | None = None,
    all: bool = False,
    progress: Progress | None = None,
    *,
    split: str | None = None,
    skip_unreadable: bool = False,
    threads: int | None = None,
) -> Evaluation:
    """Accuracy of a bundle on labelled images, through the very predictor that users call.

    Each image is decoded once and shown to every artifact, so that artifacts can be compared image by image.

    Args:
        bundle_path: The bundle.
        data: What ``datasets.open_dataset`` takes; its classes must be the bundle's, in any order.
        artifact: The one to measure, e.g. "int8.onnx"; None takes the one that ``load`` would choose by
            rule, so that the figure is the same on every machine.
        all: Measure every artifact whose engine is installed; the others are listed in ``skipped``.
        progress: Called with ("evaluate", images done, images).
        split: Split of the data; None prefers the test split.
        skip_unreadable: Leave unreadable images out and list them, instead of raising.
        threads: Threads per engine; None leaves it to ``load``.

    Raises:
        DatasetError: The data cannot be used, its classes do not match, or images cannot be read.
        BundleError: The bundle cannot be used.
        InputError: ``artifact`` and ``all`` exclude each other.
        BackendError: An engine is missing or failed.
    """
    if artifact is not None and all:
        raise InputError("artifact and all exclude each other", got=f"artifact={artifact!r}, all=True")
    bundle = Bundle.open(bundle_path)
    if bundle.manifest.task != "classification":
        raise no_classifier(bundle_path, bundle.manifest.task)
    dataset = open_dataset(data, split, prefer="test").aligned_to(bundle.manifest.labels)
    names: Sequence[str | None] = (artifact,)
    skipped: dict[str, str] = {}
    if all:
        names, skipped = runnable(bundle.manifest)
    artifacts, unreadable = measure_accuracy(
        bundle_path, names, dataset, threads=threads, skip_unreadable=skip_unreadable, progress=progress
    )
    return Evaluation(Path(bundle_path).resolve().name, Path(data).name, dataset.split, artifacts, unreadable, skipped)


def measure_accuracy(
    bundle_path: str | Path,
    names: Sequence[str | None],
    dataset: Dataset,
    *,
    threads: int | None = None,
    skip_unreadable: bool = False,
    progress: Progress | None = None,
) -> tuple[dict[str, Accuracy], tuple[str, ...]]:
    """Accuracy per artifact, and the names of unreadable images left out; ``dataset`` follows the bundle's labels.

    Raises:
        DatasetError: Images cannot be read and ``skip_unreadable`` is not set, or none can be read.
        BackendError: An engine is missing or failed.
    """
    with ExitStack() as stack:
        opened = [
            stack.enter_context(load_classifier(bundle_path, threads=threads, artifact=name, tune=False))
            for name in names
        ]
        return _measure({each.artifact.name: each for each in opened}, dataset, progress, skip_unreadable)


def _measure(
    predictors: Mapping[str, Predictor], dataset: Dataset, progress: Progress | None, skip_unreadable: bool
) -> tuple[dict[str, Accuracy], tuple[str, ...]]:
    total, unreadable, truth = len(dataset), [], []
    scores: dict[str, list[NDArray[np.float32]]] = {name: [] for name in predictors}
    for done in range(total):
        image, label = _read(dataset, done)
        if isinstance(image, str):
            unreadable.append(image)
        elif skip_unreadable or not unreadable:
            # After the first unreadable image that is an error, only the others of its kind are looked for.
            truth.append(label)
            for name, predictor in predictors.items():
                outputs = predictor.infer(predictor.preprocess(image))
                scores[name].append(predictor.postprocess(outputs, image.shape[:2]).scores)
        if progress is not None:
            progress("evaluate", done + 1, total)
    if unreadable and (not skip_unreadable or not truth):
        raise _unreadable(unreadable, total)
    right = np.array(truth, np.int64)
    return {name: _accuracy(np.stack(rows), right) for name, rows in scores.items()}, tuple(unreadable)


def _read(dataset: Dataset, index: int) -> tuple[NDArray[np.uint8] | str, int | None]:
    """The decoded image and its label; the image's name instead of the pixels when it cannot be read."""
    try:
        sample = dataset[index]
        return sample.decode(), sample.label
    except ImageError:
        return dataset.entries[index].name, None


def _unreadable(names: list[str], total: int) -> DatasetError:
    shown = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return DatasetError(
        f"{len(names)} of {total} images cannot be read",
        got=shown,
        cure="mend or remove them, or leave them out with skip_unreadable=True",
    )


def _accuracy(scores: NDArray[np.float32], truth: NDArray[np.int64]) -> Accuracy:
    """Accuracy from float32 (n, classes) scores. Of equal scores the first class is the better one."""
    known = ranks(scores, truth) if scores.shape[1] > 5 else None
    return Accuracy(scores.argmax(axis=1).astype(np.int64), truth, known)
