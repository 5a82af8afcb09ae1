"""Files are converted in a child process: what becomes of its events, its errors and its end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevision.benchmarks.process import environment
from edgevision.converters import child as child_module
from edgevision.converters.child_main import Events
from edgevision.converters.convert import convert
from edgevision.converters.limits import GIB, Limits, default_memory_gib
from edgevision.converters.messages import to_error, to_message
from edgevision.runtime.errors import (
    ConversionError,
    DatasetError,
    EdgevisionError,
    InputError,
    MissingPackageError,
    ModelError,
    OutputExistsError,
    UnsafeModelError,
)
from tests.converters.files import makers


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    images = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3), dtype=np.uint8)
    np.savez(folder / "images.npz", images=images)
    makers.save(makers.mobile(), folder / "mobile.h5")
    return folder


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No process and no temporary file outlives a test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert not _children()
    assert [path.name for path in folder.iterdir() if "autograph" not in path.name] == []  # TensorFlow's own
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def _children() -> list[int]:
    """Running child processes that convert."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (path / "cmdline").read_bytes()
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"edgevision.converters.child_main" in words:
                found.append(int(path.name))
    return found


def _convert(data: Path, out: Path, model: Any = None, **options: Any) -> Any:
    labels = [str(number) for number in range(10)]
    model = data / "mobile.h5" if model is None else model
    return convert(model, data / "images.npz", out, labels=labels, preprocess="unit", **options)


def test_a_keras_2_file_becomes_a_bundle(data: Path, tmp_path: Path) -> None:
    stages: list[str] = []
    options: dict[str, Any] = {"formats": ("tflite",), "precisions": ["int8"], "golden": "synthetic"}
    bundle = _convert(
        data, tmp_path / "x.edge", **options, progress=lambda stage, done, total: stages.append(f"{stage} {total}")
    )
    assert [item.name for item in bundle.manifest.artifacts] == ["int8.tflite"]
    assert stages[0] == "reading the model 5"
    assert "exporting int8.tflite 5" in stages
    assert bundle.manifest.provenance["source"]["name"] == "mobile.h5"


def test_the_parent_imports_nothing_heavy(data: Path, tmp_path: Path) -> None:
    code = (
        "import sys, edgevision\n"
        "try: edgevision.convert(sys.argv[1], sys.argv[2], sys.argv[3], time_limit=0.2)\n"
        "except edgevision.runtime.errors.ModelError: pass\n"
        "print(sorted({'tensorflow', 'keras', 'h5py', 'onnx', 'tf_keras'} & set(sys.modules)))"
    )
    words = [sys.executable, "-c", code, str(data / "mobile.h5"), str(data / "images.npz"), str(tmp_path / "x.edge")]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("model", "options", "kind", "words"),
    [
        ("gone.keras", {}, ModelError, "nothing at that path"),
        ("images.npz", {}, ModelError, "expected the architecture in config.json"),
        ("mobile.h5", {"calibration": "nowhere"}, DatasetError, "nowhere"),
    ],
)
def test_errors_keep_their_class_and_parts(
    model: str, options: dict[str, Any], kind: type[EdgevisionError], words: str, data: Path, tmp_path: Path
) -> None:
    asked = {"calibration": str(data / "images.npz"), "preprocess": "unit", "labels": list("abcdefghij"), **options}
    with pytest.raises(kind, match=words) as caught:
        convert(data / model, out=tmp_path / "x.edge", **asked)
    assert type(caught.value) is kind
    assert caught.value.problem and caught.value.cure
    assert "child_main" in str(caught.value.__cause__), "where it happened there"
    assert not (tmp_path / "x.edge").exists()


@pytest.mark.parametrize(
    ("error", "attributes"),
    [
        (UnsafeModelError("a", expected="b", got="c", cure="d"), {"problem": "a", "got": "c"}),
        (MissingPackageError("keras", "to read x", "convert"), {"package": "keras", "extra": "convert"}),
        (OutputExistsError("x.edge", replaceable="a bundle"), {"cure": "choose another path: it is not replaced"}),
        (FileNotFoundError(2, "No such file", "x"), {"errno": 2, "filename": "x"}),
        (KeyError("x"), {}),
    ],
)
def test_an_error_travels_as_text(error: Exception, attributes: dict[str, Any]) -> None:
    again = to_error(json.loads(json.dumps(to_message(error))))
    assert type(again) is type(error)
    assert {name: getattr(again, name) for name in attributes} == attributes
    assert str(error) in str(again) or str(again) == str(error)


def test_errors_of_libraries_and_odd_names_are_conversion_errors() -> None:
    class Odd(Exception):
        pass

    for message in (to_message(Odd("two\nlines")), {"type": "SystemExit", "text": "1"}, {"type": "open", "text": ""}):
        assert type(to_error(message)) is ConversionError


def test_time_is_limited(data: Path, tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(ModelError, match=r"not enough time for mobile.h5 while reading the model.*0.6 s.*--time-limit"):
        _convert(data, tmp_path / "x.edge", time_limit=0.6)
    assert time.monotonic() - start < 10


def test_memory_is_limited(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "huge.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", b"[" + b"[]," * 2 * 10**7 + b"[]]")  # 60 MB of text, more than 1 GiB of lists
        file.writestr("model.weights.h5", b"")
    with pytest.raises(ModelError, match=r"huge.keras while reading the model.*1 GiB.*--memory-limit"):
        _convert(data, tmp_path / "x.edge", path, memory_limit=1.0)


@pytest.mark.slow
def test_memory_is_limited_when_a_model_is_built(data: Path, tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    path = makers.save(model, tmp_path / "new.keras")
    config = makers.recipe(path)
    config["config"]["layers"][1]["config"]["units"] = 2**31
    huge = makers.repack(path, tmp_path / "huge.keras", config=json.dumps(config).encode())
    with pytest.raises(ModelError, match=r"huge.keras while reading the model.*2 GiB.*--memory-limit"):
        _convert(data, tmp_path / "x.edge", huge, memory_limit=2.0)


def _when_reading(act: Any) -> Any:
    def progress(stage: str, done: int, total: int) -> None:
        act(_children()[0])

    return progress


def test_a_child_that_dies_is_a_typed_error(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"the process ended for mobile.h5 while reading.*SIGSEGV"):
        _convert(data, tmp_path / "x.edge", progress=_when_reading(lambda pid: os.kill(pid, signal.SIGSEGV)))


def test_an_interrupted_parent_ends_its_child(data: Path, tmp_path: Path) -> None:
    def interrupt(pid: int) -> None:
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        _convert(data, tmp_path / "x.edge", progress=_when_reading(interrupt))
    assert time.monotonic() - start < 10


def test_a_child_does_not_outlive_its_parent(data: Path, tmp_path: Path) -> None:
    code = "import sys, edgevision; edgevision.convert(*sys.argv[1:4], progress=lambda *a: print(a, flush=True))"
    words = [sys.executable, "-c", code, str(data / "mobile.h5"), str(data / "images.npz"), str(tmp_path / "x.edge")]
    folder = tmp_path / "of the parent"
    folder.mkdir()
    env = {**environment(), "TMPDIR": str(folder)}
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, start_new_session=True) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        (pid,) = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        parent.kill()
    deadline = time.monotonic() + 15
    while _runs(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(int(pid))


def _runs(pid: int) -> bool:
    """Whether it is there and no zombie that nobody waits for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_options_that_are_no_plain_values(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="labels cannot be handed"):
        convert(data / "mobile.h5", data / "images.npz", tmp_path / "x.edge", labels={"a", "b"})  # type: ignore[arg-type]


def test_what_exists_is_found_out_before_a_process_starts(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "_COMMAND", ["/bin/false"])
    (tmp_path / "x.edge").mkdir()
    with pytest.raises(OutputExistsError):
        _convert(data, tmp_path / "x.edge")
    with pytest.raises(InputError, match="formats is not usable"):
        _convert(data, tmp_path / "y.edge", formats=["coreml"])
    with pytest.raises(ModelError, match="exit code 1, last words: none"):
        _convert(data, tmp_path / "y.edge")


def test_warnings_come_back(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = json.dumps({"event": "warning", "text": "too few images"})
    monkeypatch.setattr(child_module, "_COMMAND", ["/bin/sh", "-c", f"echo '{line}'"])
    with pytest.warns(UserWarning, match="too few images"), pytest.raises(ModelError):
        _convert(data, tmp_path / "x.edge")


def test_only_our_warnings_are_sent(capfd: pytest.CaptureFixture[str]) -> None:
    events = Events(sys.stdout)
    ours, theirs = "/lib/edgevision/x.py", "/lib/keras/x.py"
    for category, name in ((UserWarning, ours), (UserWarning, theirs), (DeprecationWarning, ours)):
        events.warning("words", category, name)
    assert capfd.readouterr().out.splitlines() == [json.dumps({"event": "warning", "text": "words"})]


def test_a_model_in_memory_stays_in_this_process(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgevision.converters.files import read_model

    monkeypatch.setattr(child_module, "_COMMAND", ["/bin/false"])
    model = read_model(data / "mobile.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own
        bundle = _convert(data, tmp_path / "x.edge", model, formats=["tflite"], precisions=["float32"])
    assert bundle.manifest.provenance["source"]["sha256"] == ""


def test_several_threads_convert_at_once(data: Path, tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def one(number: int) -> None:
        try:
            _convert(data, tmp_path / f"{number}.edge", data / "gone.keras")
        except ModelError as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 3


def test_limits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from edgevision.converters import limits

    def host(total: int | None) -> Any:
        return lambda: {"memory_bytes": total}

    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    for total, expected in ((5 * GIB, 4.0), (64 * GIB, 8.5), (None, 8.5), (GIB // 2, 1.0)):
        monkeypatch.setattr(limits, "host_description", host(total))
        assert default_memory_gib() == pytest.approx(expected)
    assert Limits.of(3, 5) == Limits(3, 5)
    monkeypatch.setattr(limits, "host_description", host(64 * GIB))
    (tmp_path / "model").mkdir()
    for name in ("a", "model/b"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(GIB // 2)
    for model, expected in ((tmp_path / "a", 30.5), (tmp_path / "model", 30.5), (tmp_path / "none", 8.5), (None, 8.5)):
        assert Limits.of(None, None, model).memory_gib == pytest.approx(expected)
    for memory, seconds, words in (
        (0.5, 5.0, "memory_limit"),
        (float("nan"), 5.0, "memory_limit"),
        (2, 0, "time_limit"),
    ):
        with pytest.raises(InputError, match=words):
            Limits(memory, seconds)
