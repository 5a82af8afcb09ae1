"""compare, report and benchmark --grid: exit codes, files, and what is no right call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.test_compare import pair
from tests.benchmarks.test_report import report
from tests.cli.conftest import Run


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two reports; in the second int8.onnx takes 1.12 times as long."""
    folder = tmp_path_factory.mktemp("two")
    old, new = pair(1.12)
    return old.write(folder / "old.json"), new.write(folder / "new.json")


def test_a_regression_is_exit_code_3(run: Run, two: tuple[Path, Path], tmp_path: Path) -> None:
    outcome = run("compare", *two, "--out", tmp_path / "c.html")
    assert outcome.code == 3 and "slower, REGRESSION" in outcome.out
    assert (tmp_path / "c.html").read_text().startswith("<!doctype html>")
    assert run("compare", *two, "--max-regression", "25%").code == 0
    assert run("compare", two[0], two[0]).code == 0
    assert json.loads(run("compare", *two, "--json").out)["regressed"] is True
    again = run("compare", *two, "--out", tmp_path / "c.html")
    assert again.code == 1 and "--force" in again.err


@pytest.mark.parametrize("value", ["0.05", "5", "-5%", "five%"])
def test_a_share_without_its_sign_is_a_wrong_call(run: Run, two: tuple[Path, Path], value: str) -> None:
    outcome = run("compare", *two, "--max-regression", value)
    assert outcome.code == 2 and "expected a percentage such as 5%" in outcome.err


def test_what_differs_is_named_in_one_line(run: Run, two: tuple[Path, Path], tmp_path: Path) -> None:
    other = report(host={**report().host, "cpu": "Cortex-A72"}).write(tmp_path / "other.json")
    outcome = run("compare", two[0], other)
    assert outcome.code == 1 and len(outcome.err.splitlines()) == 1
    assert "cpu: Cortex-A76 and Cortex-A72; pass --allow-different-host" in outcome.err
    assert run("compare", two[0], other, "--allow-different-host").code == 3
    assert run("compare", two[0]).code == 2


def test_one_report_in_another_format_and_many_in_a_table(run: Run, two: tuple[Path, Path], tmp_path: Path) -> None:
    assert run("report", two[0]).out == report_text(two[0])
    assert run("report", two[0], "--out", tmp_path / "one.html").code == 0
    assert "Where the time goes" in (tmp_path / "one.html").read_text()
    other = report(host={**report().host, "board": "Pi 5"}).write(tmp_path / "other.json")
    many = run("report", *two, other, "--out", tmp_path / "many.md")
    assert many.code == 0 and "Pi 5, 4 cores" in many.out
    assert "| model " in (tmp_path / "many.md").read_text()
    assert json.loads(run("report", *two, "--json").out)["devices"] == ["Cortex-A76, 4 cores"]
    assert run("report").code == 2 and run("report", two[0], "--out", tmp_path / "one.pdf").code == 2


def report_text(path: Path) -> str:
    from edgevision.benchmarks.report import Report

    return Report.from_json(path.read_text()).to_text()


def test_a_grid_writes_its_folder_and_goes_on(run: Run, bundle: Path, tmp_path: Path) -> None:
    plain = {"bundles": str(bundle), "artifacts": "int8.onnx", "runs": 4, "min_s": 0, "quick": True, "batch": [1, 2]}
    grid = tmp_path / "grid.json"
    grid.write_text(json.dumps(plain))
    outcome = run("benchmark", "--grid", grid, "--out", tmp_path / "out", "--json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert [cell["artifact"] for cell in found["cells"]] == ["int8.onnx"]
    assert [item["what"] for item in found["left_out"]] == ["batch of 2"]
    assert "grid 0/1: tiny int8.onnx" in outcome.err
    again = run("benchmark", "--grid", grid, "--out", tmp_path / "out")
    assert again.code == 0 and "1 of 1 cell measured, 0 failed" in again.out and "grid 0/1" not in again.err


def test_a_grid_and_a_bundle_exclude_each_other(run: Run, bundle: Path, tmp_path: Path) -> None:
    assert run("benchmark", bundle, "--grid", tmp_path / "grid.toml").code == 2
    assert run("benchmark", "--grid", tmp_path / "grid.toml", "--threads", 2).code == 2
    assert run("benchmark").code == 2
