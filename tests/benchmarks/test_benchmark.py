"""benchmark(): real child processes, a real engine, and what happens when a worker dies."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgevision.benchmarks import process
from edgevision.benchmarks.benchmark import benchmark
from edgevision.benchmarks.measure import _block
from edgevision.benchmarks.process import WorkerProcess
from edgevision.benchmarks.report import Report
from edgevision.benchmarks.report.findings import latency
from edgevision.benchmarks.report.model import STAGES
from edgevision.runtime.errors import BackendError, BundleError, ImageError, InputError


@pytest.fixture(scope="module")
def golden_report(bundle: Path) -> Report:
    return benchmark(bundle, runs=40, min_s=0)


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
    assert golden_report.images == {"kind": "golden", "name": "golden inputs of the bundle", "split": "", "distinct": 4}
    assert golden_report.accuracy is None
    assert "golden images" in golden_report.to_text()


def test_memory_is_the_childs_own(bundle: Path) -> None:
    ballast = np.ones(60_000_000)  # 480 MB that a child started from here must not be charged with
    report = benchmark(bundle, artifacts=["int8.onnx"], runs=1, min_s=0)
    assert ballast.nbytes > 400e6
    assert report.artifacts[0].base_bytes < 40e6
    assert report.artifacts[0].base_bytes < report.artifacts[0].peak_bytes < 300e6


def test_labelled_data_gives_accuracy_and_no_names_or_paths(bundle: Path, photos: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    report = benchmark(bundle, photos, runs=20, min_s=0, progress=lambda *step: steps.append(step))
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
    report = benchmark(bundle, photos, artifacts=["int8.onnx"], runs=1, min_s=0)
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
    request = {"bundle": str(bundle), "artifact": "none.onnx", "null": False, "threads": None, "sources": []}
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


@pytest.mark.parametrize(
    ("runs", "rounds", "min_s", "per_run", "block"),
    [
        (200, 20, 0.0, [1e-3] * 6, 10),
        (200, 20, 0.5, [1e-3] * 6, 25),
        (200, 20, 0.5, [1e-6] * 6, 100),  # no more than 2,000 runs for the sake of min_s
        (200, 20, 0.5, [1.0] * 6, 10),
        (5000, 20, 0.5, [1e-6], 250),
    ],
)
def test_block_length(runs: int, rounds: int, min_s: float, per_run: list[float], block: int) -> None:
    assert _block(runs, rounds, min_s, per_run) == block


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
