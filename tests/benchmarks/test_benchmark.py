"""benchmark(): real child processes, a real engine, and what happens when a worker dies."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevision
from edgevision.benchmarks import process
from edgevision.benchmarks import worker as worker_module
from edgevision.benchmarks.benchmark import benchmark
from edgevision.benchmarks.process import WorkerProcess
from edgevision.benchmarks.protocol import Protocol
from edgevision.benchmarks.report import Report
from edgevision.benchmarks.report.findings import intervals_ms, latency
from edgevision.benchmarks.report.model import STAGES
from edgevision.benchmarks.worker import Worker
from edgevision.runtime.errors import BackendError, BundleError, ImageError, InputError


@pytest.fixture(scope="module")
def golden_report(bundle: Path) -> Report:
    return benchmark(bundle, runs=40, min_s=0, quick=True)


@pytest.fixture(scope="module")
def two_processes(bundle: Path) -> Report:
    return benchmark(bundle, artifacts=["int8.onnx"], runs=40, min_s=0, processes=2)


def test_every_artifact_runs_as_often_as_asked(golden_report: Report) -> None:
    assert [run.artifact for run in golden_report.artifacts] == ["int8.onnx", "float32.onnx"]
    for run in golden_report.artifacts:
        assert run.runs == 40 and run.block == 2
        assert all(len(run.stages_ns[stage]) == 40 and min(run.stages_ns[stage]) > 0 for stage in STAGES)
        assert run.import_ns > 0 and run.load_ns > 0 and run.first_ns > 0
        assert run.warmup_runs >= 10
        assert run.engine["engine"] == "onnxruntime"
        assert list(latency(run)) == ["p50"]


def test_the_harness_measures_itself(golden_report: Report) -> None:
    overhead = golden_report.overhead
    assert overhead is not None and overhead.engine["backend"] == "null"
    # Well below a millisecond: the harness must not be what is measured.
    assert float(np.median(overhead.stage_ms("infer"))) < 0.5


def test_golden_inputs_are_named_as_such(golden_report: Report) -> None:
    sha256 = golden_report.images["sha256"]
    expected = {"kind": "golden", "name": "golden inputs of the bundle", "split": "", "distinct": 4, "sha256": sha256}
    assert golden_report.images == expected and len(sha256) == 64
    assert golden_report.accuracy is None
    assert "golden images" in golden_report.to_text()


def test_memory_is_the_childs_own(bundle: Path) -> None:
    ballast = np.ones(60_000_000)  # 480 MB that a child started from here must not be charged with
    report = benchmark(bundle, artifacts=["int8.onnx"], runs=1, min_s=0, quick=True)
    assert ballast.nbytes > 400e6
    assert report.artifacts[0].base_bytes < 40e6
    assert report.artifacts[0].base_bytes < report.artifacts[0].peak_bytes < 300e6
    assert 0 < report.artifacts[0].steady_bytes <= report.artifacts[0].peak_bytes  # type: ignore[operator]


def test_labelled_data_gives_accuracy_and_no_names_or_paths(bundle: Path, photos: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    report = benchmark(bundle, photos, runs=20, min_s=0, quick=True, progress=lambda *step: steps.append(step))
    assert report.accuracy is not None and len(report.accuracy.truth) == 24
    assert report.images["distinct"] == 20
    text = report.to_json() + report.to_markdown()
    for secret in ("secret-", str(photos.parent), str(bundle.parent), "/home/someone"):
        assert secret not in text
    assert "net.keras" in text
    assert [step[0] for step in steps] == sorted((step[0] for step in steps), reverse=True)
    assert all(done <= total for _, done, total in steps)


def test_photos_without_usable_labels_still_have_a_latency(bundle: Path, photos: Path) -> None:
    (photos / "dark").rename(photos / "2024")
    report = benchmark(bundle, photos, artifacts=["int8.onnx"], runs=1, min_s=0, quick=True)
    assert report.accuracy is None
    assert "Accuracy was not measured" in report.remarks[0] and str(photos) not in report.remarks[0]


def test_a_damaged_image_is_named_before_anything_is_measured(bundle: Path, photos: Path) -> None:
    (photos / "dark" / "secret-00.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"secret-00\.png"):
        benchmark(bundle, photos, runs=24)


def test_a_worker_that_dies_is_named_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys, os; print('first', file=sys.stderr); print('out of luck', file=sys.stderr); os._exit(3)"
    monkeypatch.setattr(process, "_COMMAND", [sys.executable, "-c", code])
    with (
        WorkerProcess("int8.onnx", tmp_path) as worker,
        pytest.raises(BackendError, match=r"int8\.onnx.*at open.*exit code 3, last words: out of luck"),
    ):
        worker.ask("open")


def test_an_engine_that_refuses_ends_in_its_own_words(bundle: Path, tmp_path: Path) -> None:
    request: dict[str, Any] = {
        "bundle": str(bundle),
        "artifact": "none.onnx",
        "null": False,
        "threads": None,
        "sources": [],
    }
    with WorkerProcess("none.onnx", tmp_path) as worker, pytest.raises(BackendError, match=r"last words: .*Error"):
        worker.ask("open", **request)


def test_workers_end_with_their_block(tmp_path: Path) -> None:
    with WorkerProcess("x", tmp_path) as worker:
        pid = worker._process.pid
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_unknown_artifact_and_useless_numbers_are_refused(bundle: Path) -> None:
    with pytest.raises(BundleError, match=r"int4\.onnx"):
        benchmark(bundle, artifacts=["int4.onnx"])
    with pytest.raises(InputError, match="nothing would be measured"):
        benchmark(bundle, runs=0)


def test_every_block_says_which_process_measured_it(two_processes: Report) -> None:
    (run,) = two_processes.artifacts
    assert run.runs == 40 and run.block == 2 and run.block_processes == (0,) * 10 + (1,) * 10
    assert (np.diff(run.block_starts_s) > 0).all()
    assert len({each.import_ns for each in run.processes}) == 2 and run.warmup_runs >= 20
    allowed = sorted(os.sched_getaffinity(0))
    assert all(list(each.affinity) == allowed and each.peak_bytes <= run.peak_bytes for each in run.processes)
    assert two_processes.protocol["processes"] == 2 and not two_processes.protocol["quick"]


def test_the_machine_is_described_before_and_after(two_processes: Report) -> None:
    before, after = two_processes.host, two_processes.host_after
    assert {"cpu", "instructions", "load_average", "governor", "clock_mhz", "throttled"} <= set(before)
    assert set(after) <= set(before) and after["busy_s"] >= before["busy_s"]
    assert two_processes.elapsed_s > 2 and two_processes.own_cpu_s > 0.5
    assert two_processes.files == {"int8.onnx": two_processes.artifacts[0].sha256}


def test_a_quick_look_says_that_it_is_one(golden_report: Report, two_processes: Report) -> None:
    assert "a quick look" in golden_report.to_text() and "quick=True" in golden_report.command
    assert "quick" not in two_processes.to_text()


def test_the_worker_measures_what_a_call_does(bundle: Path, photos: Path) -> None:
    """Between the worker's looks at the clock lie the steps of the predictor's own call, and nothing else."""
    steps: list[str] = []
    with edgevision.load(bundle, backend="null", artifact="int8.onnx") as predictor:
        names = {predictor.form: ("read", "prepare"), predictor.session: ("run",), predictor.task: ("decode",)}
        for owner, methods in names.items():
            for name in methods:
                setattr(owner, name, _noted(getattr(owner, name), name, steps))
        source = str(next(photos.rglob("*.png")))
        predictor(source)
        called, steps[:] = list(steps), []
        worker = Worker(_noted(lambda: 0, "clock", steps))
        worker.take(predictor, [source])
    assert called == ["read", "prepare", "run", "decode"]
    assert steps == [each for step in called for each in ("clock", step)] + ["clock"]


def _noted(method: Callable[..., Any], name: str, steps: list[str]) -> Callable[..., Any]:
    def noted(*args: Any, **kwargs: Any) -> Any:
        steps.append(name)
        return method(*args, **kwargs)

    return noted


@pytest.mark.parametrize("kept", [0, 2_000_000])
def test_arrays_are_the_same_from_memory_and_from_disk(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr(worker_module, "_KEPT", kept)
    paths = [str(tmp_path / f"{i}.npy") for i in range(3)]
    for i, path in enumerate(paths):
        np.save(path, np.full((8, 8, 3), i, np.uint8))
    with edgevision.load(bundle, backend="null", artifact="int8.onnx") as predictor:
        seen: list[int] = []
        plain = predictor.form.read

        def read(source: Any) -> Any:
            seen.append(int(source[0, 0, 0]))
            return plain(source)

        monkeypatch.setattr(predictor.form, "read", read)
        worker = Worker()
        worker.take(predictor, paths)
        worker.block(3, 4, 1)
    assert seen == [0, 2, 0, 1, 2, 0]


@pytest.mark.parametrize(
    ("asked", "per_run_s", "block"),
    [
        ({}, 1e-3, 200),  # 10 s in 50 blocks
        ({}, 1e-6, 2000),  # no more than 100,000 runs for the sake of time
        ({}, 1.0, 4),
        ({"runs": 200_000}, 1e-6, 4000),
        ({"quick": True}, 1e-3, 25),
        ({"quick": True, "min_s": 0.0}, 1e-3, 10),
        ({"runs": 3, "min_s": 0.0}, 1.0, 1),
    ],
)
def test_block_length(asked: dict[str, Any], per_run_s: float, block: int) -> None:
    plan = Protocol.of(**{"quick": False, "runs": None, "min_s": None, "processes": None, **asked})
    assert plan.block(per_run_s) == block and plan.block(per_run_s) * plan.blocks >= plan.runs


def test_few_runs_are_shared_among_fewer_processes() -> None:
    plan = Protocol.of(False, 3, 0.0, None)
    assert (plan.processes, plan.rounds) == (3, 1)
    assert (Protocol().unrecorded(0.001), Protocol().unrecorded(0.2)) == (2, 1)


def test_measuring_imports_nothing_heavy() -> None:
    heavy = ("tensorflow", "keras", "onnx", "torch", "cv2", "sklearn", "matplotlib", "click", "jinja2", "onnxruntime")
    code = (
        "import sys, edgevision.benchmarks.benchmark, edgevision.benchmarks.report.html; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=process.environment()
    )
    assert found.stdout.strip() == "[]"


def test_json_round_trip(golden_report: Report) -> None:
    assert Report.from_json(golden_report.to_json()) == golden_report


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "a JSON object"),
        ("{}", "right fields"),
        ('{"schema_version": 99}', "newer edgevision"),
    ],
)
def test_what_is_no_report_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Report.from_json(text)


def test_unequal_stages_are_refused(golden_report: Report) -> None:
    run = golden_report.artifacts[0]
    with pytest.raises(InputError, match="not usable"):
        dataclasses.replace(run, stages_ns={**run.stages_ns, "infer": [1]})
    with pytest.raises(InputError, match="a start for each of 20"):
        dataclasses.replace(run, processes=run.processes * 2)


def test_a_report_of_schema_version_1_is_still_read(golden_report: Report) -> None:
    plain = json.loads(golden_report.to_json())
    for name in ("host_after", "protocol", "elapsed_s", "own_cpu_s", "energy", "files"):
        del plain[name]
    for run in (*plain["artifacts"], plain["overhead"]):
        del run["processes"], run["steady_bytes"]
    old = Report.from_json(json.dumps({**plain, "schema_version": 1}))
    (first, _), new = old.artifacts, golden_report.artifacts[0]
    assert first.block_processes == (0,) * 20 and first.round_medians_ms.tolist() == new.round_medians_ms.tolist()
    assert intervals_ms(first) == intervals_ms(new)
    for text in (old.to_text(), old.to_html(), old.to_json()):
        assert "int8.onnx" in text
