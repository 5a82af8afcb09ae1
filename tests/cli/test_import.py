from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgevision.cli.main import main
from edgevision.runtime.bundle import Bundle
from tests import foreign_models, tiny


def test_a_model_becomes_a_bundle_and_guesses_go_to_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model, names, out = tmp_path / "net.onnx", tmp_path / "names.txt", tmp_path / "net.edge"
    model.write_bytes(foreign_models.planar_onnx())
    names.write_text("\n".join(tiny.LABELS) + "\n")
    call = ["import", str(model), "--task", "classification", "--mean", "0", "--std", "255", "--color", "bgr"]
    assert main([*call, "--resize", "crop", "--labels", str(names), "--out", str(out), "--json"]) == 0
    shown = capfd.readouterr()
    printed = json.loads(shown.out)
    assert printed["imported"]["name"] == "net.onnx"
    assert [f"edgevision: guessed: {each}" in shown.err for each in printed["guessed"]] == [True]
    manifest = Bundle.open(out).manifest
    p = manifest.preprocessing
    assert p is not None
    assert (p.color, p.resize, p.mean, p.scale) == ("bgr", "crop", (0.0,) * 3, (1 / 255,) * 3)
    assert manifest.labels == tiny.LABELS
    assert main(["verify", str(out)]) == 0
    assert main(["inspect", str(out)]) == 0
    assert "net.onnx" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 1, "what the model's pixels were scaled to is not known"),
        (["--mean", "a"], 2, "one number or three"),
        (["--std", "0"], 1, "scale is not usable"),
        (["--preprocess", "unit", "--head", "{"], 1, "the head is no JSON"),
    ],
)
def test_wrong_calls(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    model = tmp_path / "net.onnx"
    model.write_bytes(foreign_models.planar_onnx())
    assert main(["import", str(model), "--out", str(tmp_path / "net.edge"), *words]) == code
    assert message in capfd.readouterr().err
    assert not (tmp_path / "net.edge").exists()
