"""What the emulated boards are given, what passes on them, and that nothing is left out in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.arm64 import __main__ as program
from tests.arm64 import boards
from tests.arm64.agreement import Agreement
from tests.arm64.boards import FULL, SMOKE, Board, requirements

SAME, FAR = Agreement(0, 0, True), Agreement(3, 0, False)


def test_the_boards_and_engines_that_are_promised() -> None:
    for tried in (SMOKE, FULL):
        pairs = {(board.name, board.extra) for board in tried}
        assert {(a, b) for a in ("pi4", "pi5", "jetson-orin") for b in ("tflite", "onnx", "openvino")} <= pairs
    assert ("x86", "tflite-legacy") in {(board.name, board.extra) for board in FULL}


def test_boards_get_what_setup_cfg_says() -> None:
    assert {"numpy>=1.23.2,<3", "onnxruntime>=1.17,!=1.21.0,<2"} <= set(requirements(Board("pi4", "onnx")))
    assert {"numpy<2", "tflite-runtime>=2.14,<3"} <= set(requirements(Board("pi4", "tflite-legacy")))
    assert not any("numpy" in each for each in requirements(Board("pi4-32", "tflite-legacy")))


@pytest.mark.parametrize(
    ("board", "artifact", "verified", "agreement", "used", "expected"),
    [
        ("pi4", "int8.onnx", True, SAME, "int8.onnx", "passed"),
        ("pi4", "int8.onnx", True, FAR, "int8.onnx", "FAILED"),
        ("pi4", "int8.onnx", False, SAME, "float32.onnx", "FAILED"),
        ("pi4", "int8.onnx", True, None, "int8.onnx", "FAILED"),
        ("pi5", "int8.xml", True, FAR, "int8.xml", "passed"),
        ("pi5", "int8.xml", False, FAR, "float32.xml", "FAILED"),
        ("pi4", "int8.xml", False, None, "float32.xml", "passed over"),
        ("pi4", "int8.xml", False, FAR, "int8.xml", "FAILED"),
    ],
)
def test_what_passes(
    board: str, artifact: str, verified: bool, agreement: Agreement | None, used: str, expected: str
) -> None:
    assert program.verdict(Board(board, "onnx"), artifact, verified, agreement, used) == expected


@pytest.mark.parametrize(("is_ci", "code", "last"), [(True, 1, "FAILED"), (False, 0, "SKIPPED, nothing was tried")])
def test_a_machine_that_cannot_emulate(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_ci: bool,
    code: int,
    last: str,
) -> None:
    script = tmp_path / "arm64.sh"
    script.write_text("#!/bin/sh\necho 'no emulator here' >&2\nexit 3\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setattr(boards, "SCRIPT", script)
    monkeypatch.setattr("sys.argv", ["arm64", "--only", "pi4"])
    monkeypatch.setenv("CI", "1") if is_ci else monkeypatch.delenv("CI", raising=False)
    assert program.main() == code
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == last
    assert sum("no emulator here" in line for line in printed) == 3
