"""What becomes of errors: exit codes, one line on stderr, no traceback unless asked for."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import click
import pytest

import edgevision
from edgevision.cli import main as cli_main
from edgevision.cli import predict
from edgevision.runtime.errors import BundleError
from tests.cli.conftest import Run


def _raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    @click.command("predict")
    def command() -> None:
        raise error

    monkeypatch.setattr(predict, "command", command)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (
            BundleError("x.edge is bad", expected="a", got="b", cure="do c"),
            1,
            "error: x.edge is bad: expected a, got b; do c",
        ),
        (BundleError("two\nlines"), 1, "error: two lines"),
        (PermissionError(13, "Permission denied", "/x"), 1, "error: /x: Permission denied"),
        (MemoryError(), 1, "error: there is not enough memory; take a smaller --input-size or less data"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.Abort(), 130, "interrupted"),
    ],
)
def test_errors_are_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, line: str
) -> None:
    _raising(monkeypatch, error)
    outcome = run("predict")
    assert (outcome.code, outcome.out, outcome.err) == (code, "", f"edgevision: {line}\n")


def test_an_unexpected_error_says_how_to_see_more(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _raising(monkeypatch, ZeroDivisionError("division by zero"))
    outcome = run("predict")
    assert outcome.code == 1
    assert outcome.err.splitlines() == [
        "edgevision: unexpected error: ZeroDivisionError: division by zero",
        "edgevision: this is a fault of edgevision; --debug shows where it happened",
    ]


@pytest.mark.parametrize("words", [("--debug", "predict"), ("predict", "--debug")])
def test_debug_shows_the_traceback_wherever_it_stands(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    _raising(monkeypatch, BundleError("bad"))
    outcome = run(*words)
    assert outcome.code == 1
    assert "Traceback" in outcome.err
    assert outcome.err.endswith("edgevision: error: bad\n")


def test_debug_by_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _raising(monkeypatch, BundleError("bad"))
    monkeypatch.setenv("EDGEVISION_DEBUG", "1")
    assert "Traceback" in run("predict").err


def test_a_file_called_debug_is_no_option() -> None:
    assert cli_main._without_debug(["predict", "a", "--", "--debug"])[0] == ["predict", "a", "--", "--debug"]


@pytest.mark.parametrize(
    "words",
    [
        ("bogus",),
        ("predict",),
        ("predict", "a.edge", "b.png", "--top", "0"),
        ("train", "data"),
        ("train", "data", "--out", "m.keras", "--input-size", "32by32"),
        ("train", "data", "--out", "m.keras", "--input-size", "0x32"),
        ("convert", "m.keras", "--calibration", "d", "--out", "o.edge", "--formats", "tflite,trt"),
        ("convert", "m.keras", "--calibration", "d", "--out", "o.edge", "--formats", ""),
        ("convert", "m.keras", "--calibration", "d", "--out", "o.edge", "--preprocess", "imagenet"),
        ("convert", "m.keras", "--calibration", "d", "--out", "o.edge", "--resize", "zoom"),
        ("convert", "m.keras", "--calibration", "d", "--out", "o.edge", "--max-drop", "-1"),
        ("evaluate", "a.edge", "d", "--all", "--artifact", "int8.onnx"),
        ("benchmark", "a.edge", "--html", "report.txt"),
    ],
)
def test_wrong_calls_are_exit_code_2(run: Run, words: tuple[str, ...]) -> None:
    outcome = run(*words)
    assert outcome.code == 2
    assert outcome.out == ""
    assert "Traceback" not in outcome.err


def test_our_warnings_are_one_line_and_those_of_libraries_none(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command("predict")
    def command() -> None:
        warnings.warn("watch\nout", UserWarning, stacklevel=1)
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    monkeypatch.setattr(predict, "command", command)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert run("predict").err == "edgevision: warning: watch out\n"


def _process(*words: str, **options: object) -> subprocess.Popen[bytes]:
    root = Path(edgevision.__file__).parents[1]
    env = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.Popen([sys.executable, "-m", "edgevision", *words], env=env, **options)  # type: ignore[call-overload,no-any-return]


def test_a_reader_that_stops_reading_causes_no_complaint(bundle: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = _process("inspect", str(bundle), stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (141, b"")


def test_the_module_runs_as_the_script_does() -> None:
    process = _process("--version", stdout=subprocess.PIPE)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.decode().split() == ["edgevision,", "version", edgevision.__version__]
