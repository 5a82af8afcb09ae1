"""stdout holds results and nothing else; progress is a bar on a terminal and a line elsewhere."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest

from edgevision.cli.console import Progress, results

_NOISE = """
import os, subprocess, sys
from edgevision.cli.console import results
with results() as out:
    print("python chatter")
    sys.stdout.flush()
    os.write(1, b"native chatter\\n")
    os.write(2, b"native complaint\\n")
    subprocess.run([sys.executable, "-c", "print('child chatter')"], check=True)
    print("a message", file=sys.stderr)
    out.json({"answer": 42})
print("afterwards")
os.write(2, b"native afterwards\\n")
"""


def test_json_stays_pure_whatever_libraries_print() -> None:
    done = subprocess.run([sys.executable, "-c", _NOISE], capture_output=True, text=True, check=True)
    answer, _, after = done.stdout.partition("}\n")
    assert json.loads(answer + "}") == {"answer": 42}
    assert after == "afterwards\n"
    assert done.stderr.splitlines() == ["python chatter", "a message", "native afterwards"]


def test_results_inside_a_capture(capsys: pytest.CaptureFixture[str]) -> None:
    with results() as out:
        print("chatter")
        out.text("result\n")
    assert capsys.readouterr() == ("result\n", "chatter\n")


def test_nan_is_no_json() -> None:
    with results() as out, pytest.raises(ValueError, match="JSON"):
        out.json({"x": float("nan")})


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_stage_is_one_line_without_a_terminal() -> None:
    stream = io.StringIO()
    with Progress(stream) as progress:
        for stage, total in (("train", 3), ("check", 2)):
            for done in range(total + 1):
                progress(stage, done, total)
    assert stream.getvalue() == "train\ncheck\n"


def test_a_note_is_a_line_of_its_own_without_a_terminal_and_beside_the_bar_on_one() -> None:
    for stream, shown in ((io.StringIO(), "grid 0/2: one\ngrid 1/2: two\n"), (_Terminal(), "] 1/2 two\r")):
        with Progress(stream) as progress:
            for done, note in enumerate(("one", "two", "")):
                progress("grid", done, 2, note)
        assert shown in stream.getvalue()


def test_a_bar_on_a_terminal_ends_full_and_on_its_own_line() -> None:
    stream = _Terminal()
    with Progress(stream) as progress:
        for done in range(101):
            progress("train", done, 100)
        progress("check", 0, 0)
    lines = stream.getvalue().split("\n")
    assert lines[0].endswith("[" + "#" * 24 + "] 100/100")
    assert "check" in lines[1]
    assert stream.getvalue().endswith("\n")


def test_a_bar_is_not_redrawn_for_every_step() -> None:
    stream = _Terminal()
    with Progress(stream, clock=lambda: 0.0) as progress:
        for done in range(1001):
            progress("train", done, 1000)
    assert stream.getvalue().count("\r") == 2
