"""The commands on a bundle that is no image classifier."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers as kl

from edgevision.cli.convert import GATE_FAILED
from tests.cli.conftest import Run
from tests.converters.models import scrambled


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A model file, its arrays and where its bundle is to lie."""
    folder = tmp_path_factory.mktemp("tensors")
    one, two = keras.Input((None, 4), name="steps"), keras.Input((3,), name="facts")
    both = kl.Concatenate()([kl.GlobalAveragePooling1D()(kl.Dense(6, activation="relu")(one)), two])
    keras.utils.set_random_seed(0)
    scrambled(keras.Model([one, two], [kl.Dense(2, name="near")(both), kl.Dense(1, name="far")(both)])).save(
        folder / "m.keras"
    )
    random = np.random.default_rng(0)
    np.savez(folder / "d.npz", steps=random.normal(size=(200, 5, 4)), facts=random.normal(size=(200, 3)))
    return folder / "m.keras", folder / "d.npz", folder / "m.edge"


def test_from_a_file_and_arrays_to_a_verified_bundle(made: tuple[Path, Path, Path], run: Run) -> None:
    model, data, out = made
    outcome = run("convert", model, "--calibration", data, "--out", out, "--formats", "onnx", "--force")
    assert outcome.code == 0, outcome.err
    assert "at least 20 dB signal to noise against float on 80 samples" in outcome.out
    assert "least signal to noise, dB" in outcome.out and "near " in outcome.out and "far " in outcome.out
    assert "calibration: 120 samples, steps -" in outcome.out
    outcome = run("inspect", out)
    assert outcome.code == 0 and "tensors, named arrays in and out" in outcome.out
    assert (
        "steps float32 1x5x4, facts float32 1x3" in outcome.out and "near float32 1x2, far float32 1x1" in outcome.out
    )
    outcome = run("inspect", out / "int8.onnx")
    assert outcome.code == 0 and "tensors" in outcome.out
    outcome = run("verify", out, "--json")
    assert outcome.code == 0 and [check["images"] for check in json.loads(outcome.out)["checks"]] == [8, 8]
    outcome = run("benchmark", out, "--runs", "5", "--quick", "--json")
    assert outcome.code == 0, outcome.err
    measured = json.loads(outcome.out)["artifacts"]
    assert [item["artifact"] for item in measured] == ["int8.onnx", "float32.onnx"]
    assert all(min(item["stages_ns"]["infer"]) > 0 == max(item["stages_ns"]["decode"]) for item in measured)
    for command in (("predict", out, data), ("evaluate", out, data), ("benchmark", out, "--data", data)):
        outcome = run(*command)
        assert outcome.code == 1 and outcome.out == ""
        if command[0] == "evaluate":
            assert "accuracy of m.edge is not measured" in outcome.err and "edgevision verify" in outcome.err
        else:
            assert "m.edge is no image classifier" in outcome.err and "run({name: array})" in outcome.err
        assert outcome.err.strip().count("\n") == 0


def test_arrays_of_other_names_are_one_line_of_error(made: tuple[Path, Path, Path], run: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", steps=np.zeros((20, 5, 4)))
    outcome = run("convert", made[0], "--calibration", tmp_path / "d.npz", "--out", tmp_path / "m.edge")
    assert outcome.code == 1 and outcome.code != GATE_FAILED
    assert (
        "has no array 'facts'" in outcome.err
        and "steps float32 (samples, any, 4); facts float32 (samples, 3)" in outcome.err
    )
