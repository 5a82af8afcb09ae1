"""Interrupted or killed, a conversion leaves the old bundle as it was."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import edgevision
from edgevision.converters import visible
from edgevision.converters.convert import convert
from edgevision.runtime.bundle import Bundle
from tests.converters.convert.common import ONE, STAGES, put, read
from tests.converters.models import CLASSES

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("stage", STAGES)
def test_an_interruption_leaves_the_old_bundle_and_nothing_else(
    stage: str,
    keras_file: Path,
    photos: Path,
    old_bytes: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    old = put(tmp_path / "old.edge", old_bytes)

    def interrupt(name: str, done: int, total: int) -> None:
        if name == stage:
            raise KeyboardInterrupt

    for out, force in ((old, True), (tmp_path / "new.edge", False)):
        with pytest.raises(KeyboardInterrupt):
            convert(keras_file, photos, out, force=force, progress=interrupt, **ONE)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["old.edge", "scratch"]
    assert read(old) == old_bytes and Bundle.open(old).manifest.labels == CLASSES
    assert not list(scratch.iterdir()), "intermediate files are removed too"


CHILD = """
import os, signal, sys
from edgevision.converters import convert as module
from edgevision.runtime import bundle_writer
model, photos, out, killed_at = sys.argv[1:]
write, count = bundle_writer._write_synced, 0

def dying(path, data):
    global count
    count += 1
    if count == int(killed_at):
        path.write_bytes(data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, data)

bundle_writer._write_synced = dying
module.convert_file = lambda options, limits, progress: module.convert_here(**options, progress=progress)
module.convert(model, photos, out, force=True, formats=("onnx",), precisions=("int8",))
"""


def test_a_killed_conversion_leaves_the_old_bundle_whole(
    keras_file: Path, photos: Path, old_bytes: dict[str, bytes], tmp_path: Path
) -> None:
    """kill -9 half way through the second file of the new bundle: nobody is left to clean up."""
    out = put(tmp_path / "m.edge", old_bytes)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(keras_file), str(photos), str(out), "2"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(scratch)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()[-2000:]
    assert read(out) == old_bytes
    with edgevision.load(out) as predictor:
        assert predictor.labels == CLASSES
    (left,) = (item for item in tmp_path.iterdir() if item not in (out, scratch))
    assert re.fullmatch(r"\.m\.edge\.\w+\.tmp", left.name), "hidden, and never taken for a bundle"
    assert not (left / "manifest.json").exists()
    again = convert(keras_file, photos, out, force=True, **ONE)
    assert json.loads((again.path / "manifest.json").read_bytes())["labels"] == list(CLASSES)


def test_the_stages_are_those_the_tests_interrupt(
    keras_file: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(visible, "write", lambda *_: None)
    convert(keras_file, photos, tmp_path / "m.edge", progress=lambda stage, *_: seen.append(stage), **ONE)
    assert seen == STAGES
