"""Tuning in real engines: what is tried, what is kept, and what happens when something goes wrong."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import pytest

import edgevision
from edgevision.runtime import host, opening
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.choice import Wish
from edgevision.runtime.errors import BackendError, BundleError
from edgevision.runtime.manifest import Artifact
from edgevision.runtime.opening import is_wanted
from edgevision.runtime.session import Session
from edgevision.runtime.tuning import candidates
from edgevision.runtime.tuning import tune as module
from edgevision.runtime.tuning.record import HostMemory, Trial, Tuning
from edgevision.runtime.tuning.trials import Trials
from edgevision.runtime.tuning.tune import tune
from tests import tiny


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEVISION_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EDGEVISION_TUNE")
    return tmp_path / "cache" / "tuning"


def files(cache: Path) -> list[Path]:
    return sorted(cache.glob("*.json"))


FAKE = Tuning("tiny.edge", 0.1, (Trial("float32.xml", None, 2, 0.5), Trial("int8.onnx", None, 1, 0.7, "1.4 times")))


def test_load_measures_once_and_remembers(tiny_bundle: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.tune, "__defaults__", (0.2,))
    with edgevision.load(tiny_bundle) as predictor:
        facts = predictor.describe()
    assert facts["choice"].startswith(f"measured: {facts['artifact']}, {facts['threads']} thread")
    (file,) = files(cache)
    known = json.loads(file.read_text())
    (plain,) = known["tunings"].values()
    tried = {trial["artifact"] for trial in plain["trials"]}
    assert tried == {"int8.tflite", "int8.onnx", "int8.xml", "float32.tflite", "float32.onnx", "float32.xml"}
    assert all(verdict["error"] == "" for verdict in known["golden"].values())
    monkeypatch.setattr(module, "_measure", lambda *_: pytest.fail("it was measured already"))
    with edgevision.load(tiny_bundle) as predictor:
        assert predictor.describe() == facts


def test_what_was_found_is_what_runs(tiny_bundle: Path, cache: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    HostMemory(bundle, host.host_key()).keep_tuning(Wish(), FAKE)
    with edgevision.load(tiny_bundle) as predictor:
        facts = predictor.describe()
        assert (facts["artifact"], facts["threads"]) == ("float32.xml", 2)
        assert facts["choice"] == "measured: float32.xml, 2 threads, 0.5 ms, the fastest of 2 tried"
    with edgevision.load(tiny_bundle, tune=False) as predictor:
        assert predictor.describe()["artifact"] == "int8.tflite"
        assert predictor.describe()["choice"] == "by rule, not measured"
    with edgevision.load(tiny_bundle, artifact="int8.onnx") as predictor:
        assert predictor.describe()["choice"] == "asked for"


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"tunings": 3, "golden": []}', b'{"tunings": {"x": {}}}', b"\xff"]
)
def test_a_damaged_cache_is_made_again(tiny_bundle: Path, cache: Path, damage: bytes) -> None:
    bundle = Bundle.open(tiny_bundle)
    HostMemory(bundle, {}).keep_tuning(Wish(), FAKE)
    (file,) = files(cache)
    good = file.read_bytes()
    for wrong in (damage, good.replace(b'"threads": 2', b'"threads": "2"'), good.replace(b'"ms": 0.5', b'"ms": null')):
        file.write_bytes(wrong)
        assert HostMemory(bundle, {}).tuning(Wish()) is None
        HostMemory(bundle, {}).keep_tuning(Wish(), FAKE)
        assert HostMemory(bundle, {}).tuning(Wish()) == FAKE
    assert HostMemory(bundle, {"cpus": 3}).tuning(Wish()) is None, "another machine"
    assert HostMemory(bundle, {}).tuning(Wish("onnx")) is None, "another wish"


def test_a_cache_that_cannot_be_written_is_no_error(tiny_bundle: Path, tmp_path: Path, cache: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    found = tune(Bundle.open(tiny_bundle), Wish("onnx", "int8", threads=1), 0.1)
    assert found.chosen.label == "int8.onnx, 1 thread"
    with edgevision.load(tiny_bundle, "onnx", "int8", 1) as predictor:
        assert predictor.describe()["choice"] == "by rule, not measured"


@pytest.mark.parametrize(
    ("tune", "said", "wanted"),
    [(None, None, True), (None, "0", False), (None, "1", True), (True, "0", True), (False, None, False)],
)
def test_who_decides(tune: bool | None, said: str | None, wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGEVISION_TUNE")
    if said is not None:
        monkeypatch.setenv("EDGEVISION_TUNE", said)
    assert is_wanted(tune) == wanted


def test_an_engine_that_crashes_is_left_out(tiny_bundle: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crash = "import os,signal,edgevision.runtime.backends.onnx as o;"
    crash += "o.OnnxSession.__init__=lambda *a,**k:os.kill(os.getpid(),signal.SIGILL);"
    monkeypatch.setattr(module, "_CODE", module._CODE.replace("from edgevision", f"{crash}from edgevision"))
    found = tune(Bundle.open(tiny_bundle), Wish(precision="int8", threads=1), 0.1)
    assert {trial.artifact for trial in found.trials if trial.ms is not None} == {"int8.tflite", "int8.xml"}
    assert [trial.note for trial in found.trials if trial.ms is None] == ["onnx crashed when it was tried"]


def test_where_nothing_can_be_started_the_rule_holds(
    tiny_bundle: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/usr/bin/uwsgi")
    with pytest.raises(BackendError, match="no Python"):
        tune(Bundle.open(tiny_bundle), Wish())
    with pytest.warns(UserWarning, match=r"int8\.tflite is taken unmeasured"), edgevision.load(tiny_bundle) as made:
        assert made.describe()["artifact"] == "int8.tflite"


def test_a_failing_child_is_not_asked_for_ever(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(module, "_CODE", "raise SystemExit('no memory left')")
    with pytest.raises(BackendError, match="no memory left"):
        tune(Bundle.open(tiny_bundle), Wish())
    monkeypatch.setattr(module, "_CODE", "import time; time.sleep(60)")
    monkeypatch.setattr(module, "_PATIENCE_S", 0.0)
    with pytest.raises(BackendError, match="no end after"):
        tune(Bundle.open(tiny_bundle), Wish(), 0.01)


def test_who_asks_meanwhile_waits(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    measured: list[int] = []

    def measure(*_: object) -> tuple[tuple[Trial, ...], list[object]]:
        measured.append(1)
        time.sleep(0.2)
        return FAKE.trials, []

    monkeypatch.setattr(module, "_measure", measure)
    found: list[Tuning] = []
    bundle = Bundle.open(tiny_bundle)
    threads = [threading.Thread(target=lambda: found.append(tune(bundle, Wish()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(measured) == 1, "the others wait and read what the first one found"


@pytest.mark.parametrize(("cpus", "counts"), [(1, (1,)), (2, (1, 2)), (4, (1, 2, 4)), (6, (1, 2, 4, 6))])
def test_thread_counts(cpus: int, counts: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "available_cpus", lambda: cpus)
    assert candidates.thread_counts(Wish()) == counts
    assert candidates.thread_counts(Wish(threads=3)) == (3,)


def wrong_golden(path: Path, *names: str) -> Path:
    """The tiny bundle with golden outputs that the named artifacts do not give."""
    import numpy as np

    from edgevision.runtime.bundle import Golden, file_entry, golden_bytes, write_bundle

    made = [tiny.artifact(backend, precision) for precision in ("int8", "float32") for backend in tiny.ENGINES]
    files = {name: data for _, its in made for name, data in its.items()}
    right = np.concatenate([tiny.reference(image[None]) for image in tiny.GOLDEN_INPUTS])
    outputs = {item.name: {"scores": right + 2.0 * (item.name in names)} for item, _ in made}
    golden = golden_bytes(Golden({"image": tiny.GOLDEN_INPUTS}, outputs))
    manifest = tiny.manifest(*(item for item, _ in made), files=(file_entry("golden.npz", golden),))
    return write_bundle(path, manifest, {**files, "golden.npz": golden}).path


def test_what_does_not_give_its_golden_outputs_is_passed_over(tmp_path: Path, cache: Path) -> None:
    path = wrong_golden(tmp_path / "a.edge", "int8.tflite", "int8.onnx")
    words = (
        r"int8\.tflite: golden outputs do not hold: 'scores' differs by 2 where 1\.21 is allowed; int8\.onnx.*int8\.xml"
    )
    for _ in range(2):  # the second time it is known
        with pytest.warns(UserWarning, match=words), edgevision.load(path, tune=False) as predictor:
            assert predictor.describe()["artifact"] == "int8.xml"
    with edgevision.load(path, artifact="int8.tflite") as predictor:
        assert predictor.describe()["artifact"] == "int8.tflite", "asked for by name"
    with pytest.raises(BundleError, match=r"golden outputs .*int8\.onnx"):
        edgevision.load(path, "onnx", "int8", 1)


def test_what_an_engine_refuses_is_passed_over(tiny_bundle: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = opening.open_artifact
    refused = {"int8.xml"}

    def refusing(bundle: Bundle, artifact: Artifact, wish: Wish) -> Session:
        if artifact.name in refused:
            raise BackendError("openvino could not load the model", got="object is not initialized")
        return opened(bundle, artifact, wish)

    monkeypatch.setattr(opening, "open_artifact", refusing)
    words = r"int8\.xml: openvino could not load the model \(object is not initialized\); float32\.xml runs"
    with pytest.warns(UserWarning, match=words), edgevision.load(tiny_bundle, "openvino", tune=False) as predictor:
        assert predictor.describe()["artifact"] == "float32.xml"
    with pytest.raises(BackendError, match="not initialized"):
        edgevision.load(tiny_bundle, "openvino", tune=False, provider="cpu")
    refused.add("float32.xml")
    with pytest.raises(BackendError, match="not initialized"):
        edgevision.load(tiny_bundle, "openvino", tune=False)


def test_nor_does_it_win_the_race(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.tune, "__defaults__", (0.1,))
    path = wrong_golden(tmp_path / "a.edge", "int8.tflite", "float32.tflite", "int8.xml", "float32.xml")
    with pytest.warns(
        UserWarning,
        match=r"int8\.tflite: golden.*; int8\.xml: golden.*; float32\.tflite: golden.*; float32\.xml: golden",
    ):
        edgevision.load(path).close()
    found = tune(Bundle.open(path), Wish())
    assert {trial.artifact for trial in found.trials if trial.ms is not None} == {"int8.onnx", "float32.onnx"}
    all_wrong = wrong_golden(tmp_path / "b.edge", "int8.tflite")
    with pytest.raises(BundleError, match="no model of the bundle can be used"):
        tune(Bundle.open(all_wrong), Wish("tflite", "int8"))


def test_a_bundle_without_golden_inputs_is_measured_all_the_same(tmp_path: Path) -> None:
    from edgevision.runtime.bundle import write_bundle

    artifact, its = tiny.artifact("onnx", "float32")
    bundle = write_bundle(tmp_path / "bare.edge", tiny.manifest(artifact), its)
    found = Trials(bundle, Wish(threads=1), 0.05, lambda backend: None).run([])
    assert [trial.label for trial in found] == ["float32.onnx, 1 thread"]
    assert found[0].ms is not None


def test_a_slow_model_keeps_nobody_waiting(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Every call takes a tenth of a second: two golden inputs are enough, and one model with all its threads."""
    from edgevision.runtime import golden
    from edgevision.runtime.session import Session
    from edgevision.runtime.tuning import trials

    fast, calls = Session.run, list[int]()

    def slow(self: Session, feeds: object) -> object:
        time.sleep(0.1)
        calls.append(1)
        return fast(self, feeds)  # type: ignore[arg-type]

    monkeypatch.setattr(Session, "run", slow)
    monkeypatch.setattr(trials, "OPENING_S", 0.3)
    monkeypatch.setattr(trials, "FIRST_USE_S", 0.15)
    monkeypatch.setattr(candidates, "available_cpus", lambda: 4)
    start = time.perf_counter()
    found = trials.Trials(Bundle.open(tiny_bundle), Wish(), 0.15, lambda backend: None).run([])
    assert time.perf_counter() - start < 4
    assert [trial.threads for trial in found if trial.artifact == "int8.tflite"] != [1], (
        "threads are tried all the same"
    )
    assert {trial.note for trial in found if trial.artifact.startswith("float32")} == {"not tried: out of time"}
    bundle = Bundle.open(tiny_bundle)
    with edgevision.load(tiny_bundle, artifact="int8.onnx") as predictor:
        calls.clear()
        verdict = golden.replay(predictor.session, bundle.manifest, predictor.artifact, bundle.golden(), 0.15)
        assert verdict is not None and verdict.passed
        assert len(calls) == 2
        golden.replay(predictor.session, bundle.manifest, predictor.artifact, bundle.golden())
        assert len(calls) == 2 + 3
