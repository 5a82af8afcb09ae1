"""The examples run as they are, as programs of their own."""

from __future__ import annotations

import configparser
import csv
import dataclasses
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgevision.runtime.bundle import Bundle, entries, write_bundle
from edgevision.runtime.heads.embedding import EmbeddingHead
from edgevision.runtime.sources import open_source
from tests import tiny
from tests.clips import greys, write

ROOT = Path(__file__).resolve().parents[2]
ENV = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("examples") / "tiny.edge")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("clips") / "clip.mp4", greys(20), rate=40)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(4):
        pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{seed}.png")
    return folder


def _run(name: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / name), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=ENV)


def test_every_example_is_run_by_a_test() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    assert all(f'_run("{path.name}"' in here for path in (ROOT / "examples").glob("*.py"))


def test_every_example_is_short() -> None:
    for path in (ROOT / "examples").iterdir():
        if path.is_file():
            assert len(path.read_text(encoding="utf-8").splitlines()) < 40, path.name


def test_classify(bundle: Path, photos: Path, tmp_path: Path) -> None:
    done = _run("classify.py", bundle, photos, "--csv", tmp_path / "answers.csv")
    assert done.returncode == 0, done.stderr
    assert len([line for line in done.stdout.splitlines() if ".png  " in line]) == 4
    with (tmp_path / "answers.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["photo"]).name for row in rows] == [f"{i}.png" for i in range(4)]
    assert all(row["label"] in tiny.LABELS for row in rows)


def test_gallery(bundle: Path, photos: Path, tmp_path: Path) -> None:
    whole = Bundle.open(bundle)
    files = {entry.name: (bundle / entry.name).read_bytes() for entry in entries(whole.manifest)}
    head = EmbeddingHead(threshold=0.999)
    manifest = dataclasses.replace(whole.manifest, task="embedding", labels=(), scores=None, head=head)
    write_bundle(tmp_path / "faces.edge", manifest, files)
    for person in ("0", "1"):
        (tmp_path / "people" / person).mkdir(parents=True)
        (tmp_path / "people" / person / "a.png").write_bytes((photos / f"{person}.png").read_bytes())
    words = (tmp_path / "faces.edge", tmp_path / "people", photos, "--keep", tmp_path / "kept.npz")
    first = _run("gallery.py", *words)
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[:2] == ["0.png  0 1.00", "1.png  1 1.00"]
    shutil.rmtree(tmp_path / "people")
    assert _run("gallery.py", *words).stdout == first.stdout


def test_classify_goes_on_after_a_damaged_photo(bundle: Path, photos: Path) -> None:
    (photos / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = _run("classify.py", bundle, photos)
    assert done.returncode == 1
    assert "1.png" in done.stderr
    assert done.stdout.count(".png  ") == 3


def test_compare_artifacts(bundle: Path, photos: Path) -> None:
    done = _run("compare_artifacts.py", bundle, photos)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        f"{precision}.{tiny.SUFFIX[engine]}" for precision in ("int8", "float32") for engine in tiny.ENGINES
    ]
    assert "ms, 100.0% as the first" in done.stdout
    assert "compare_artifacts.py NAME.edge FOLDER" in _run("compare_artifacts.py").stderr


def test_camera_pi(bundle: Path, clip: Path) -> None:
    done = _run("camera_pi.py", bundle, "--source", clip, "--sure", "0")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines and all(line.split()[0] in tiny.LABELS and "ms old" in line for line in lines)
    assert _run("camera_pi.py", bundle, "--source", clip, "--sure", "1.1").stdout == ""


def test_camera_pi_without_a_camera_fails_with_the_cure(bundle: Path) -> None:
    done = _run("camera_pi.py", bundle)
    assert done.returncode == 1
    assert "apt install python3-picamera2" in done.stderr


def test_camera_pi_stops_on_the_signal_that_systemd_sends(bundle: Path, tmp_path: Path) -> None:
    long = write(tmp_path / "long.mp4", greys(30), rate=1)
    words = [sys.executable, str(ROOT / "examples" / "camera_pi.py"), str(bundle), "--source", str(long), "--sure", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENV) as running:
        assert running.stdout is not None and running.stderr is not None
        assert "ms old" in running.stdout.readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 0, running.stderr.read()
        assert "Traceback" not in running.stderr.read()


def test_video_jetson(bundle: Path, clip: Path) -> None:
    done = _run("video_jetson.py", bundle, clip)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [item["time_s"] for item in found] == [round(number / 40, 3) for number in range(20)]
    assert all(item["label"] in tiny.LABELS for item in found)
    latest = _run("video_jetson.py", bundle, clip, "--latest")
    assert latest.returncode == 0 and 1 <= len(latest.stdout.splitlines()) <= 20


def test_the_jetson_pipeline_is_one_that_the_source_takes() -> None:
    from edgevision.runtime.sources.opencv import GStreamer

    module: dict[str, Any] = {"__name__": "example"}
    exec((ROOT / "examples" / "video_jetson.py").read_text(encoding="utf-8"), module)
    fake = SimpleNamespace(getBuildInformation=lambda: "GStreamer: YES", CAP_GSTREAMER=1800)
    fake.VideoCapture = lambda what, api: SimpleNamespace(isOpened=lambda: True, release=lambda: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cv2", fake)
        source = open_source(module["CAMERA"])
    assert isinstance(source, GStreamer) and source.kind == "live"


def test_the_systemd_unit_starts_the_example() -> None:
    unit = configparser.RawConfigParser(strict=True)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string((ROOT / "examples" / "edgevision-camera.service").read_text(encoding="utf-8"))
    assert set(unit) == {"DEFAULT", "Unit", "Service", "Install"}
    python, script, *words = shlex.split(unit["Service"]["ExecStart"])
    assert python == f"{unit['Service']['WorkingDirectory']}/env/bin/python"
    assert (ROOT / "examples" / script).is_file() and words == ["NAME.edge"]
    assert (unit["Service"]["Restart"], unit["Service"]["KillSignal"]) == ("on-failure", "SIGINT")
    known = {"User", "WorkingDirectory", "ExecStart", "Restart", "RestartSec", "KillSignal", "CacheDirectory"}
    hardened = {"Environment", "NoNewPrivileges", "ProtectSystem", "ProtectHome", "PrivateTmp"}
    assert set(unit["Service"]) == known | hardened


def test_the_dockerfile_copies_and_starts_what_there_is() -> None:
    text = (ROOT / "examples" / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    whole = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    lines = [(line.split()[0], line.split(None, 1)[1]) for line in whole]
    assert lines[0][0] == "FROM"
    known = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "STOPSIGNAL", "ENTRYPOINT", "CMD"}
    assert {word for word, _ in lines} == known
    copied = [shlex.split(rest)[0] for word, rest in lines if word == "COPY"]
    assert copied == ["edgevision-*.whl", "camera_pi.py", "NAME.edge"]
    last = dict(lines)
    assert json.loads(last["ENTRYPOINT"])[:2] == ["python", "camera_pi.py"]
    assert json.loads(last["CMD"]) == ["--source", "0"]
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = set(re.findall(r"\$wheel\[([a-z,]+)\]", text)[0].split(","))
    assert extras <= set(config["options.extras_require"])
    for words in re.findall(r"RUN (.*)", text):
        subprocess.run(["sh", "-n", "-c", words], check=True)
