"""evaluate(): accuracy of a bundle's artifacts on labelled data, all on the same samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from edgevision.benchmarks.accuracy import Accuracy
from edgevision.benchmarks.choice import runnable
from edgevision.benchmarks.figures import Comparison, Figures, compare_precisions
from edgevision.benchmarks.judges import Judge, open_judge
from edgevision.benchmarks.judges.classification import ClassJudge
from edgevision.datasets import Dataset
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.errors import BundleError, DatasetError, ImageError, InputError
from edgevision.runtime.manifest import Manifest
from edgevision.runtime.predictor import Predictor, load

Progress = Callable[[str, int, int], None]

#: Names of unreadable images spelled out in an error.
_NAMED = 5


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Accuracy of one or more artifacts of a bundle on the same samples.

    Attributes:
        bundle: Name of the bundle.
        data: Name of the data set.
        split: Which split of it.
        artifacts: What each got, by name; of a classifier an ``Accuracy``.
        unreadable: Names of images that could not be decoded; they count for no artifact.
        skipped: Artifacts that could not run here, and why.
        task: The bundle's task.
    """

    bundle: str
    data: str
    split: str
    artifacts: dict[str, Figures]
    unreadable: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    task: str = "classification"

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every int8 artifact against float32, paired over samples; empty without a float32 artifact."""
        return compare_precisions(self.artifacts)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: {"artifacts": {"int8.tflite": {"top1": 0.87, "n": 1000, ...}}, ...}."""
        return {
            "bundle": self.bundle,
            "task": self.task,
            "data": self.data,
            "split": self.split,
            "artifacts": {name: figures.to_dict() for name, figures in self.artifacts.items()},
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
    """Accuracy of a bundle on labelled data, through the very predictor that users call.

    Each sample is decoded once and shown to every artifact, so that artifacts can be compared sample by sample.

    Args:
        bundle_path: The bundle.
        data: Labelled data of its task (docs/evaluate.md): class folders, boxes, masks, pairs, clips, a table of
            labels; its classes must be the bundle's, in any order. Of a generator images, latents or their number.
        artifact: The one to measure, e.g. "int8.onnx"; None takes the one that ``load`` would choose by
            rule, so that the figure is the same on every machine.
        all: Measure every artifact whose engine is installed; the others are listed in ``skipped``.
        progress: Called with ("evaluate", samples done, samples).
        split: Split of the data; None prefers the test split.
        skip_unreadable: Leave unreadable images out and list them, instead of raising.
        threads: Threads per engine; None leaves it to ``load``.

    Raises:
        DatasetError: The data cannot be used, its classes do not match, or images cannot be read.
        BundleError: The bundle cannot be used, or there is no measure for its task.
        InputError: ``artifact`` and ``all`` exclude each other.
        BackendError: An engine is missing or failed; of a detector pycocotools may be missing, too.
    """
    if artifact is not None and all:
        raise InputError("artifact and all exclude each other", got=f"artifact={artifact!r}, all=True")
    bundle = Bundle.open(bundle_path)
    judge = open_judge(bundle.manifest, data, split, name=bundle.path.name)
    names: Sequence[str | None] = (artifact,)
    skipped: dict[str, str] = {}
    if all:
        names, skipped = runnable(bundle.manifest)
    artifacts, unreadable = measure_figures(
        bundle, names, judge, threads=threads, skip_unreadable=skip_unreadable, progress=progress
    )
    where, what = Path(bundle_path).resolve().name, Path(data).name
    return Evaluation(where, what, judge.split, artifacts, unreadable, skipped, bundle.manifest.task)


def measure_figures(
    bundle: Bundle,
    names: Sequence[str | None],
    judge: Judge,
    *,
    threads: int | None = None,
    provider: str | None = None,
    skip_unreadable: bool = False,
    progress: Progress | None = None,
) -> tuple[dict[str, Figures], tuple[str, ...]]:
    """What each artifact got, and the names of unreadable images left out.

    Args:
        bundle: The bundle.
        names: Of its artifacts; None is the one that ``load`` chooses by rule. Where artifacts are judged by a float32
            artifact's answers, that is measured too.
        judge: The data, from ``open_judge``; it is used up.
        threads: Threads per engine; None leaves it to ``load``.
        provider: Where to compute, as ``load`` takes it.
        skip_unreadable: Leave unreadable images out.
        progress: Called with ("evaluate", samples done, samples).

    Raises:
        DatasetError: Images cannot be read and ``skip_unreadable`` is not set, or none can be read.
        BackendError: An engine is missing or failed.
        BundleError: There is no float32 artifact where one is needed.
    """
    if judge.needs_float:
        names = (*names, *_missing_float(bundle.manifest, names))
    options = {"threads": threads, "provider": provider, "tune": False, **judge.options}
    with ExitStack() as stack:
        opened = [stack.enter_context(load(bundle.path, artifact=name, **options)) for name in names]
        return _measure({each.artifact.name: each for each in opened}, judge, progress, skip_unreadable)


def measure_accuracy(
    bundle_path: str | Path,
    names: Sequence[str | None],
    dataset: Dataset,
    *,
    threads: int | None = None,
    provider: str | None = None,
    progress: Progress | None = None,
) -> tuple[dict[str, Accuracy], tuple[str, ...]]:
    """``measure_figures`` of a classifier on data that follows its labels; raises the same."""
    judge = ClassJudge(dataset)
    bundle = Bundle.open(bundle_path)
    found, unreadable = measure_figures(bundle, names, judge, threads=threads, provider=provider, progress=progress)
    return cast("dict[str, Accuracy]", found), unreadable


def _missing_float(manifest: Manifest, names: Sequence[str | None]) -> tuple[str, ...]:
    floats = [name for name in runnable(manifest)[0] if name.startswith("float32.")]
    if not floats:
        got = ", ".join(artifact.name for artifact in manifest.artifacts)
        problem = "made images are judged by those of a float32 artifact"
        raise BundleError(problem, expected="one that runs here", got=got, cure="convert with float32")
    own = {f"float32.{name.partition('.')[2]}" for name in names if name is not None}
    return () if own & set(names) else (next((name for name in floats if name in own), floats[0]),)


def _measure(
    predictors: Mapping[str, Predictor], judge: Judge, progress: Progress | None, skip_unreadable: bool
) -> tuple[dict[str, Figures], tuple[str, ...]]:
    total, judged = len(judge), 0
    unreadable: list[str] = []
    for index in range(total):
        sample = _read(judge, index)
        if sample is None:
            unreadable.append(judge.name(index))
        elif skip_unreadable or not unreadable:
            # After the first unreadable image that is an error, only the others of its kind are looked for.
            judge.add(index, {name: _answer(predictor, sample) for name, predictor in predictors.items()})
            judged += 1
        if progress is not None:
            progress("evaluate", index + 1, total)
    if unreadable and (not skip_unreadable or not judged):
        raise _unreadable(unreadable, total)
    return judge.figures(), tuple(unreadable)


def _read(judge: Judge, index: int) -> Any:
    """The sample; None when it cannot be read."""
    try:
        return judge.read(index)
    except ImageError:
        return None


def _answer(predictor: Predictor, sample: Any) -> Any:
    decoded = predictor.decode(sample)
    return predictor.postprocess(predictor.infer(predictor.preprocess(decoded)), predictor.form.size(decoded))


def _unreadable(names: list[str], total: int) -> DatasetError:
    shown = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return DatasetError(
        f"{len(names)} of {total} images cannot be read",
        got=shown,
        cure="mend or remove them, or leave them out with skip_unreadable=True",
    )
