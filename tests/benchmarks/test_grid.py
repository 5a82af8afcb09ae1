"""A grid of benchmarks: which cells it has, and that stopping it at any moment loses and repeats none."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgevision.benchmarks.grid import child
from edgevision.benchmarks.grid.child import measure_in_child
from edgevision.benchmarks.grid.plan import Cell, plan_grid
from edgevision.benchmarks.grid.run import benchmark_grid
from edgevision.benchmarks.grid.settings import GridSettings, read_grid
from edgevision.benchmarks.grid.store import Store
from edgevision.benchmarks.process import environment
from edgevision.benchmarks.report import Report
from edgevision.runtime.errors import BackendError, DatasetError, InputError
from tests import tiny
from tests.benchmarks.test_report import Page, measured, report

SIX = {"artifacts": ["int8.tflite", "int8.onnx", "int8.xml"], "threads": [1, 2]}


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A grid of six cells."""
    return {"bundles": [str(tiny.write(tmp_path_factory.mktemp("grid") / "tiny.edge"))], **SIX}


class Fake:
    """Measures nothing, counts, and fails or stops where it is told to."""

    def __init__(self, fail: Callable[[Cell], bool] = lambda cell: False, stop_at: int = 99) -> None:
        self.fail, self.stop_at, self.measured = fail, stop_at, list[Cell]()

    def __call__(self, cell: Cell, settings: GridSettings, folder: Path) -> Report:
        if len(self.measured) == self.stop_at:
            raise KeyboardInterrupt
        self.measured.append(cell)
        if self.fail(cell):
            raise BackendError("the engine refused", got="an odd model")
        threads = {"engine": "some", "version": "1.0", "provider": "CPU", "precision": "f", "threads": cell.threads}
        run = measured(cell.artifact, 0.1 * (cell.threads or 1), engine=threads)
        return report(artifacts=(run,), accuracy=None)


def test_every_cell_is_measured_once_however_often_the_run_is_stopped(six: dict[str, Any], tmp_path: Path) -> None:
    counts: Counter[Cell] = Counter()
    for stop in (2, 0, 1, 2):
        fake = Fake(stop_at=stop)
        with pytest.raises(KeyboardInterrupt):
            benchmark_grid(six, tmp_path / "out", measure=fake)
        counts.update(fake.measured)
    fake = Fake()
    found = benchmark_grid(six, tmp_path / "out", measure=fake)
    counts.update(fake.measured)
    assert len(counts) == 6 and set(counts.values()) == {1}
    assert not found.failed and len(found.reports) == 6
    again = Fake()
    assert benchmark_grid(six, tmp_path / "out", measure=again).reports == found.reports and not again.measured


def test_a_failed_cell_is_recorded_the_rest_done_and_the_cell_tried_again(six: dict[str, Any], tmp_path: Path) -> None:
    bad = Fake(fail=lambda cell: cell.artifact == "int8.onnx" and cell.threads == 2)
    found = benchmark_grid(six, tmp_path / "out", measure=bad)
    assert len(bad.measured) == 6 and len(found.failed) == 1 and len(found.reports) == 5
    (failure,) = (tmp_path / "out" / "failed").iterdir()
    assert json.loads(failure.read_text())["error"]["got"] == "an odd model"
    assert (
        "failed: the engine refused: got an odd model" in found.to_text()
        and "5 of 6 cells measured, 1 failed" in found.title()
    )
    well = Fake()
    assert not benchmark_grid(six, tmp_path / "out", measure=well).failed
    assert [cell.artifact for cell in well.measured] == ["int8.onnx"] and not failure.exists()


def test_half_a_cell_is_no_cell(six: dict[str, Any], tmp_path: Path) -> None:
    benchmark_grid(six, tmp_path, measure=Fake())
    files = sorted((tmp_path / "cells").iterdir())
    files[0].write_text(files[0].read_text()[:100])
    files[1].unlink()
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"event": "sta')
    fake = Fake()
    assert len(benchmark_grid(six, tmp_path, measure=fake).reports) == 6
    assert len(fake.measured) == 2


def test_what_was_begun_and_never_finished_comes_last(six: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        benchmark_grid(six, tmp_path, measure=Fake(stop_at=0))
    fake = Fake()
    benchmark_grid(six, tmp_path, measure=fake)
    assert [cell.artifact for cell in fake.measured][-1] == "int8.tflite" and fake.measured[-1].threads == 1


def test_two_runs_in_one_folder_are_refused(six: dict[str, Any], tmp_path: Path) -> None:
    with Store(tmp_path / "out"), pytest.raises(InputError, match="another run is at work"):
        benchmark_grid(six, tmp_path / "out", measure=Fake())
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").touch()
    with pytest.raises(InputError, match="not the folder of a grid"):
        benchmark_grid(six, tmp_path / "photos", measure=Fake())


def test_a_cell_is_another_when_anything_its_figures_depend_on_is(
    six: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_grid(six)
    keys = {cell.key for cell in plan_grid(settings).cells}
    assert len(keys) == 6 and keys == {cell.key for cell in plan_grid(settings).cells}
    copy = shutil.copytree(settings.bundles[0], tmp_path / "copy.edge")
    assert len(plan_grid(dataclasses.replace(settings, bundles=(*settings.bundles, str(copy)))).cells) == 6
    other = tiny.write(tmp_path / "other.edge", provenance={"model": {"sha256": "ab"}})
    assert keys.isdisjoint(cell.key for cell in plan_grid(dataclasses.replace(settings, bundles=(str(other),))).cells)
    assert keys.isdisjoint(cell.key for cell in plan_grid(dataclasses.replace(settings, runs=7)).cells)
    monkeypatch.setattr("edgevision.benchmarks.grid.plan.host_key", lambda: {"edgevision": "9.9"})
    assert keys.isdisjoint(cell.key for cell in plan_grid(settings).cells)


def test_what_cannot_be_is_said_and_no_cell(six: dict[str, Any]) -> None:
    artifacts = ["int8.onnx", "int4.onnx"]
    found = plan_grid(read_grid({**six, "artifacts": artifacts, "providers": ["cpu", "xnnpack"], "batch": [1, 8]}))
    assert [(cell.artifact, cell.provider, cell.threads) for cell in found.cells] == [
        ("int8.onnx", "cpu", 1),
        ("int8.onnx", "cpu", 2),
    ]
    assert {item.what: item.reason for item in found.left_out} == {
        "batch of 8": "models run one image at a time",
        "int8.onnx on xnnpack": "onnx has no such provider",
        "tiny.edge int4.onnx": "the bundle has no artifact 'int4.onnx'",
    }
    with pytest.raises(InputError, match="batch of 8: models run one image"):
        plan_grid(read_grid({**six, "batch": 8}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("artifacts = []", "without bundles"),
        ('bundles = ["a.edge"]\nthread = 2', "unknown key.*threads.*got thread"),
        ('bundles = ["a.edge"]\nthreads = "2"', "threads of the wrong type"),
        ('bundles = ["a.edge"]\nthreads = [true]', "threads of the wrong type"),
        ('bundles = ["a.edge"]\nthreads = []', "empty dimension"),
        ('bundles = ["a.edge"]\nbatch = 0', "too small"),
        ('bundles = ["a.edge"]\nruns = 0', "nothing would be measured"),
        ("bundles = [", "damaged"),
    ],
)
def test_a_grid_file_that_says_nothing_usable(tmp_path: Path, text: str, words: str) -> None:
    pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")
    (tmp_path / "grid.toml").write_text(text)
    with pytest.raises(InputError, match=words):
        read_grid(tmp_path / "grid.toml")


def test_paths_are_seen_from_the_grid_file(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    plain = {"bundles": "a.edge", "data": "photos", "quick": True, "min_s": 1}
    (tmp_path / "grid.json").write_text(json.dumps(plain))
    found = read_grid(tmp_path / "grid.json")
    assert found.bundles == (str(tmp_path / "a.edge"),) and found.data == str(tmp_path / "photos")
    assert read_grid({"bundles": "a.edge", "data": "digits"}).data == "digits"
    with pytest.raises(InputError, match=r"none\.toml cannot be read"):
        read_grid(tmp_path / "none.toml")


def test_progress_says_what_is_next_and_how_long_it_takes(six: dict[str, Any], tmp_path: Path) -> None:
    steps: list[tuple[str, int, int, str]] = []
    benchmark_grid(six, tmp_path, lambda *step: steps.append(step), measure=Fake())
    assert steps[0] == ("grid", 0, 6, "tiny int8.tflite, 1 thread")
    assert steps[1] == ("grid", 1, 6, "about 0 s left, tiny int8.tflite, 2 threads") and steps[-1] == ("grid", 6, 6, "")


def test_the_index_lists_every_cell(six: dict[str, Any], tmp_path: Path) -> None:
    benchmark_grid({**six, "batch": [1, 4]}, tmp_path, measure=Fake(fail=lambda cell: cell.artifact == "int8.xml"))
    cells = json.loads((tmp_path / "index.json").read_text())["cells"]
    assert len(cells) == 6 and all((tmp_path / cell["file"]).exists() for cell in cells)
    assert sorted(cell["state"] for cell in cells) == ["failed"] * 2 + ["measured"] * 4
    page, reader = (tmp_path / "index.html").read_text(), Page()
    reader.feed(page)
    assert reader.loads == [] and page.count("<tr") == 7
    assert "batch of 4 not measured" in (tmp_path / "index.md").read_text()


def test_a_cell_in_its_process(six: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read_grid({**six, "runs": 4, "min_s": 0, "quick": True})
    cell = dataclasses.replace(plan_grid(settings).cells[0], provider="builtin")
    found = measure_in_child(cell, settings, tmp_path)
    assert [run.artifact for run in found.artifacts] == ["int8.tflite"] and not list(tmp_path.iterdir())
    engine = found.artifacts[0].engine
    assert engine["threads"] == 1 and "XNNPACK" not in engine["provider"]
    with pytest.raises(BackendError, match="no image") as caught:
        (tmp_path / "empty").mkdir()
        measure_in_child(cell, dataclasses.replace(settings, data=str(tmp_path / "empty")), tmp_path)
    assert caught.value.facts["type"] == DatasetError.__name__  # type: ignore[attr-defined]
    dies = [sys.executable, "-c", "import os, sys; print('out of luck', file=sys.stderr, flush=True); os.abort()"]
    monkeypatch.setattr(child, "_COMMAND", dies)
    with pytest.raises(BackendError, match="signal 6, last words: out of luck"):
        measure_in_child(cell, settings, tmp_path)


@pytest.mark.slow
def test_killed_twice_no_cell_is_lost_and_none_repeated(six: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "grid.json").write_text(json.dumps({**six, "runs": 20, "min_s": 0, "quick": True}))
    grid, out = tmp_path / "grid.json", tmp_path / "out"
    words = [sys.executable, "-m", "edgevision", "benchmark", "--grid", str(grid), "--out", str(out), "--json"]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment()}
    for begun in (2, 4):
        process = subprocess.Popen(words, start_new_session=True, **pipes)  # type: ignore[call-overload]
        while len([each for each in _events(out) if each["event"] == "start"]) < begun:
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(random.uniform(0, 1))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment())
    assert [cell["state"] != "failed" for cell in json.loads(done.stdout)["cells"]] == [True] * 6
    for cell in {event["cell"] for event in _events(out)}:
        own = [event["event"] for event in _events(out) if event["cell"] == cell]
        assert own.count("done") <= 1 and (out / "cells" / f"{cell}.json").exists()
        assert "done" not in own[:-1]


def _events(out: Path) -> list[dict[str, Any]]:
    log = out / "log.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")] if log.exists() else []
