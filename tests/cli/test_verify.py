"""verify: hashes and golden outputs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgevision.benchmarks.verify import verify
from edgevision.runtime.errors import BackendError, BundleDamagedError, BundleError
from edgevision.runtime.golden import allowed, compare, flips
from edgevision.runtime.manifest import Artifact, Precision
from edgevision.runtime.session import Session
from tests import tiny
from tests.cli.conftest import Run


def test_a_whole_bundle_verifies_in_every_engine(run: Run, bundle: Path) -> None:
    outcome = run("verify", bundle)
    assert outcome.code == 0
    assert outcome.out.startswith("10 files are as written\n")
    assert outcome.out.endswith("verified\n")
    found = json.loads(run("verify", bundle, "--json").out)
    assert found["passed"]
    assert [check["images"] for check in found["checks"]] == [3] * 6


def test_other_golden_outputs_fail(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny, "reference", lambda pixels: np.array([[9.0, 1.0, 2.0, pixels.mean()]], np.float32))
    made = tiny.write(tmp_path / "other.edge")
    outcome = run("verify", made)
    assert outcome.code == 1
    assert outcome.out.count("FAILED") == 7


@pytest.mark.parametrize(("changed", "passed"), [(0, True), (40, True), (60, False)])
def test_of_integers_a_share_may_differ(changed: int, passed: bool) -> None:
    """A best class that moves from 0 to 20 is one changed position, not twenty."""
    expected = np.random.default_rng(0).integers(0, 21, (2, 500)).astype(np.int32)
    got = expected.copy()
    got.reshape(-1)[:changed] = (got.reshape(-1)[:changed] + 10) % 21
    found = compare("classes", expected, got, "int8", is_classifier=False)
    assert (found.passed, found.max_difference, found.tolerance) == (passed, changed / 1000, 0.05)


def test_a_damaged_bundle_is_not_run(run: Run, bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.edge"
    shutil.copytree(bundle, copy)
    (copy / "int8.bin").unlink()
    with pytest.raises(BundleDamagedError):
        verify(copy)
    assert run("verify", copy).code == 1


def test_an_engine_that_fails_is_one_failed_row(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgevision.benchmarks import verify as module

    def open_artifact(bundle: object, artifact: Artifact, wish: object) -> Session:
        raise BackendError(f"no luck with {artifact.name}")

    monkeypatch.setattr(module, "open_artifact", open_artifact)
    found = verify(bundle)
    assert not found.passed
    assert {check.error for check in found.checks} == {f"no luck with {check.artifact}" for check in found.checks}


def test_engines_that_are_missing_are_listed(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgevision.benchmarks import choice

    monkeypatch.setattr(choice, "installed", lambda: {"tflite": None, "onnx": "1.31.1", "openvino": None})
    found = verify(bundle)
    assert [check.artifact for check in found.checks] == ["int8.onnx", "float32.onnx"]
    assert set(found.skipped) == {"int8.tflite", "int8.xml", "float32.tflite", "float32.xml"}


def test_a_bundle_without_golden_outputs(tmp_path: Path) -> None:
    from edgevision.runtime.bundle import write_bundle

    artifact, files = tiny.artifact("onnx")
    write_bundle(tmp_path / "bare.edge", tiny.manifest(artifact), files)
    with pytest.raises(BundleError, match=r"golden\.npz"):
        verify(tmp_path / "bare.edge")


@pytest.mark.parametrize(("precision", "tolerance"), [("int8", 0.5), ("float32", 0.01)])
def test_the_tolerance_is_a_share_of_the_range(precision: Precision, tolerance: float) -> None:
    assert allowed(np.array([[-4, 0], [1, 6]], np.float32), precision) == pytest.approx(tolerance)
    assert allowed(np.array([[1, 1]], np.float32), precision) == 1e-5


def test_only_clear_answers_count_as_flipped() -> None:
    expected = np.array([[0.0, 1.0], [0.0, 0.1], [5.0, 0.0]], np.float32)
    got = np.array([[1.0, 0.0], [0.1, 0.0], [4.0, 0.0]], np.float32)
    assert flips(expected, got, 0.2) == 1
    assert flips(np.array([[0.9]], np.float32), np.array([[0.1]], np.float32), 0.2) == 0
