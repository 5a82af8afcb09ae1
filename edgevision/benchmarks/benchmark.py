"""benchmark(): latency, memory, size and accuracy of a bundle's artifacts on this machine."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from edgevision import __version__
from edgevision.benchmarks.accuracy import Accuracy
from edgevision.benchmarks.choice import chosen
from edgevision.benchmarks.energy import find_meter, idle_watts
from edgevision.benchmarks.environment import machine_state, own_cpu_s
from edgevision.benchmarks.evaluate import measure_accuracy, measure_figures
from edgevision.benchmarks.figures import compare_precisions
from edgevision.benchmarks.flips import with_flips
from edgevision.benchmarks.judges import Judge, open_judge
from edgevision.benchmarks.measure import Job, measure
from edgevision.benchmarks.protocol import Protocol
from edgevision.benchmarks.report.model import AccuracyRecord, Measured, Report
from edgevision.benchmarks.sources import MeasuredImages, from_dataset, from_golden, from_golden_arrays, lay_out
from edgevision.datasets import Dataset, open_dataset, open_images
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.errors import BundleError, DatasetError
from edgevision.runtime.host import host_description
from edgevision.runtime.predictor import no_classifier

Progress = Callable[[str, int, int], None]

#: Distinct images that latency is measured on, at most.
DISTINCT = 200


def benchmark(
    bundle_path: str | Path,
    data: str | Path | None = None,
    artifacts: Sequence[str] | None = None,
    runs: int | None = None,
    min_s: float | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    *,
    provider: str | None = None,
    processes: int | None = None,
    quick: bool = False,
    no_images: bool = False,
) -> Report:
    """Measures the very predictor that users call, each artifact in processes of its own.

    Args:
        bundle_path: The bundle.
        data: Images to run, what ``datasets`` takes; with the bundle's labels accuracy is measured too. None runs
            the bundle's golden inputs, which need no decoding and no resizing; a bundle of the task "tensors" has
            nothing else to run.
        artifacts: Names of the artifacts, e.g. ["int8.tflite"]; None takes all whose engine is installed.
        runs: Least number of measured predictions per artifact; None takes 200.
        min_s: Least seconds of measured predictions per artifact, up to 100,000 runs; None takes 10, quick 0.5.
        threads: Threads per engine; None leaves it to ``load``.
        progress: Called with ("measure" or "evaluate", steps done, steps).
        provider: Where engines compute, e.g. "cuda"; None is each engine's own way on the CPU.
        processes: Processes per artifact, one after the other; None takes 5, quick 1.
        quick: A quick look, and the report says that it is one.
        no_images: Leave small copies of images that int8 answers otherwise than float out of the report.

    Raises:
        InputError: ``runs``, ``min_s`` or ``processes`` is not usable.
        DatasetError, ImageError: The data cannot be used, or an image cannot be read.
        BundleError: The bundle cannot be used, or ``data`` is given and it is no image classifier.
        BackendError: An engine is missing or failed.
    """
    where: dict[str, Any] = {"threads": threads, "provider": provider}
    given = {"runs": runs, "min_s": min_s, **where, "processes": processes, "quick": quick, "no_images": no_images}
    protocol = Protocol.of(quick, runs, min_s, processes)
    bundle = Bundle.open(bundle_path)
    names, skipped = chosen(bundle.manifest, None if artifacts is None else tuple(artifacts))
    labelled, images, remarks = images_to_run(bundle, data, protocol.runs)
    judge, remarks = _judge(bundle, data, remarks)
    found, about = _run(bundle, names, images, protocol, where, progress)
    accuracies = _accuracies(bundle, labelled, names, where, progress)
    report = Report(
        bundle=bundle.path.resolve().name,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=_command(bundle, data, artifacts, **given),
        gate=bundle.manifest.gate,
        artifacts=tuple(_measured(bundle, name, facts) for name, facts in zip(names, found)),
        overhead=_measured(bundle, names[0], found[-1], null=True),
        accuracy=None if labelled is None else _record(images.name, labelled, accuracies),
        versions=_versions(),
        provenance=_names_only(bundle.manifest.provenance),
        skipped=skipped,
        remarks=remarks,
        protocol=asdict(protocol),
        files={file.name: file.sha256 for name in names for file in bundle.artifact(name).files},
        figures={} if judge is None else _figures(bundle, judge, images.name, names, where, progress),
        **about,
    )
    return report if labelled is None else with_flips(report, labelled, accuracies, images=not no_images)


def _run(
    bundle: Bundle,
    names: Sequence[str],
    images: MeasuredImages,
    protocol: Protocol,
    where: dict[str, Any],
    progress: Progress | None,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The timed phase: what each job found, and the fields of the report that say how it went."""
    meter = find_meter()
    energy = {} if meter is None else {"meter": meter.name, "idle_w": round(idle_watts(meter), 3)}
    # One more worker runs the first artifact's tensors through no engine: what is left is the harness.
    jobs, here = [*map(Job, names), Job(names[0], null=True)], bundle.path.resolve()
    with tempfile.TemporaryDirectory(prefix="edgevision-") as folder:
        sources = lay_out(images, Path(folder))
        before, start, own = machine_state(), time.perf_counter(), own_cpu_s()
        found = measure(jobs, here, sources, Path(folder), protocol=protocol, **where, meter=meter, progress=progress)
        elapsed, own, after = time.perf_counter() - start, own_cpu_s() - own, machine_state()
        about = {"kind": images.kind, "name": images.name, "split": images.split, "distinct": len(images.samples)}
        return found, {
            "images": {**about, "sha256": _content_hash(sources)},
            "host": {**host_description(), **before},
            "host_after": after,
            "elapsed_s": round(elapsed, 3),
            "own_cpu_s": round(own, 3),
            "energy": energy,
        }


def images_to_run(
    bundle: Bundle, data: str | Path | None, runs: int
) -> tuple[Dataset | None, MeasuredImages, tuple[str, ...]]:
    """Labelled data if there is any, up to ``runs`` images to run, and what has to be said about them."""
    most = min(runs, DISTINCT)
    manifest = bundle.manifest
    if manifest.task in ("tensors", "sequence") or manifest.preprocessing is None:
        if data is not None:
            raise no_classifier(bundle.path, manifest.task)
        return None, from_golden_arrays(bundle, most), ()
    if data is None:
        return None, from_golden(bundle, most), ()
    name = Path(data).name
    if not manifest.is_classifier:
        return None, from_dataset(_images_of(bundle, data), name, most), ()
    try:
        labelled = open_dataset(data, prefer="test").aligned_to(bundle.manifest.labels)
    except DatasetError as error:
        # Photos without usable labels still have a latency; if they are no images either, this raises in turn.
        images = from_dataset(open_images(data, prefer="test"), name, most)
        return None, images, (f"Accuracy was not measured: {_without_path(error, data)}.",)
    return labelled, from_dataset(labelled, name, most), ()


def _images_of(bundle: Bundle, data: str | Path) -> Dataset:
    """The images of a task's labelled data; of any other all images there are."""
    try:
        judge = open_judge(bundle.manifest, data)
    except (BundleError, DatasetError):
        return open_images(data, prefer="test")
    return judge.images or open_images(data, prefer="test")


def _judge(bundle: Bundle, data: str | Path | None, remarks: tuple[str, ...]) -> tuple[Judge | None, tuple[str, ...]]:
    """What measures the accuracy of a task without single classes; why it is not measured is added to the remarks."""
    if data is None or bundle.manifest.is_classifier:
        return None, remarks
    try:
        return open_judge(bundle.manifest, data), remarks
    except (BundleError, DatasetError) as error:
        return None, (*remarks, f"Accuracy was not measured: {error.problem.replace(str(data), Path(data).name)}.")


def _figures(
    bundle: Bundle,
    judge: Judge,
    name: str,
    names: Sequence[str],
    where: dict[str, Any],
    progress: Progress | None,
) -> dict[str, Any]:
    found, _ = measure_figures(bundle, names, judge, **where, progress=progress)
    kind = next(iter(found.values()))
    return {
        "metric": kind.headline,
        "unit": kind.unit,
        "higher_is_better": kind.is_better > 0,
        "data": name,
        "split": judge.split,
        "sha256": judge.content_hash(),
        "artifacts": {artifact: figures.to_dict() for artifact, figures in found.items()},
        "comparisons": [each.to_dict() for each in compare_precisions(found)],
        "resamples": {artifact: figures.resamples for artifact, figures in found.items()},
    }


def _without_path(error: DatasetError, data: str | Path) -> str:
    return error.problem.replace(str(data), Path(data).name)


def _accuracies(
    bundle: Bundle,
    labelled: Dataset | None,
    names: Sequence[str],
    where: dict[str, Any],
    progress: Progress | None,
) -> dict[str, Accuracy]:
    """Per artifact; empty without labelled data."""
    if labelled is None:
        return {}
    return measure_accuracy(bundle.path, names, labelled, **where, progress=progress)[0]


def _record(name: str, labelled: Dataset, accuracies: Mapping[str, Accuracy]) -> AccuracyRecord:
    truth = tuple(next(iter(accuracies.values())).truth.tolist())
    predictions = {artifact: accuracy.predictions.tolist() for artifact, accuracy in accuracies.items()}
    return AccuracyRecord(name, labelled.split, labelled.content_hash(), truth, predictions, labelled.labels)


def _measured(bundle: Bundle, name: str, facts: dict[str, Any], *, null: bool = False) -> Measured:
    artifact = bundle.artifact(name)
    return Measured(
        artifact="null" if null else name,
        format="null" if null else artifact.format,
        precision=artifact.precision,
        size_bytes=0 if null else artifact.size,
        sha256="" if null else artifact.files[0].sha256,
        int8_macs=0.0 if null else artifact.int8_macs,
        passed=artifact.passed,
        agreement=None if null else artifact.agreement,
        **facts,
    )


def _command(bundle: Bundle, data: str | Path | None, artifacts: Sequence[str] | None, **given: Any) -> str:
    """The call that repeats the measurement, with names instead of paths."""
    parts = [repr(bundle.path.resolve().name)]
    parts += [f"data={Path(data).name!r}"] if data is not None else []
    parts += [f"artifacts={list(artifacts)!r}"] if artifacts is not None else []
    if given.get("provider"):
        given["provider"] = PurePosixPath(given["provider"]).name  # of a delegate's library
    parts += [f"{name}={value!r}" for name, value in given.items() if value is not None and value is not False]
    return f"edgevision.benchmark({', '.join(parts)})"


def _content_hash(sources: Sequence[str]) -> str:
    """Of the files that were run, in their order: whether two reports saw the same images."""
    digest = hashlib.sha256()
    for path in sources:
        digest.update(hashlib.sha256(Path(path).read_bytes()).digest())
    return digest.hexdigest()


def _names_only(value: Any) -> Any:
    """The same value with absolute paths reduced to names: they would tell who worked where."""
    if isinstance(value, dict):
        return {key: _names_only(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_names_only(item) for item in value]
    if isinstance(value, str) and (PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()):
        return PureWindowsPath(value).name  # knows both separators
    return value


def _versions() -> dict[str, Any]:
    found = {"edgevision": __version__}
    for package in ("numpy", "pillow"):
        found[package] = metadata.version(package)
    return found
