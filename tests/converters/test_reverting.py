"""A conversion that has to leave a layer in float: in all three files, and said everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgevision.cli.gate import search_lines
from edgevision.converters.convert import convert
from edgevision.converters.quantize.switched import SwitchedModel
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.cache import cache_folder
from edgevision.runtime.errors import InputError
from tests.converters.models import CLASSES, pictures, poisoned_network, write_folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("calibration"), pictures(260, seed=7)[0])


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEVISION_CACHE", str(tmp_path / "cache"))


def converted(data: Path, out: Path, **options: Any) -> Bundle:
    return convert(poisoned_network(), data, out, labels=CLASSES, preprocess="raw", max_drop=3, **options)


def test_one_layer_in_float_in_every_format(data: Path, tmp_path: Path) -> None:
    told: list[str] = []
    bundle = converted(data, tmp_path / "a.edge", progress=lambda stage, *_: told.append(stage))
    assert bundle.manifest.gate is not None and bundle.manifest.gate.passed
    record = bundle.manifest.provenance["search"]
    (chosen,) = [row for row in record["candidates"] if row["is_chosen"]]
    for artifact in bundle.manifest.artifacts:
        assert artifact.passed and (f"{artifact.format}_ms" in chosen)
        if artifact.precision == "int8":
            # TFLite multiplies the last layer several times.
            assert artifact.int8_macs == pytest.approx(
                chosen["int8_macs"], abs=0.03 if artifact.format == "tflite" else 1e-3
            )
            assert 0.5 < artifact.int8_macs < 1
            (named,) = artifact.float_ops
            assert named.name == "poisoned" and "nats" in named.reason
    names = [row["model"] for row in record["candidates"]]
    assert names[0] == "all int8" and names[-1] == "float32" and chosen["reverted"] == ["poisoned"]
    assert record["candidates"][0]["tflite_bytes"] < chosen["tflite_bytes"]
    card = (bundle.path / "README.md").read_text(encoding="utf-8")
    assert "In float on purpose: poisoned." in card and "| all int8 | 100% |" in card
    assert search_lines(bundle.manifest)[0] == "in float on purpose: poisoned"
    assert "measuring sensitivities" in told and "trying mixtures" in told


def test_without_a_budget_the_gate_fails(data: Path, tmp_path: Path) -> None:
    bundle = converted(data, tmp_path / "b.edge", budget=0, formats=("onnx",), precisions=("int8",))
    assert bundle.manifest.gate is not None and not bundle.manifest.gate.passed
    assert "search" not in bundle.manifest.provenance
    assert search_lines(bundle.manifest) == []
    assert not cache_folder().exists(), "what is not searched leaves nothing"


def test_a_second_conversion_sweeps_no_more(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []
    quiet = SwitchedModel.answer

    def counting(self: Any, *args: Any) -> Any:
        ran.append(1)
        return quiet(self, *args)

    monkeypatch.setattr(SwitchedModel, "answer", counting)
    only: dict[str, Any] = {"formats": ("onnx",), "precisions": ("int8",)}
    first = converted(data, tmp_path / "c.edge", **only)
    before = len(ran)
    second = converted(data, tmp_path / "d.edge", **only)
    assert before > 10 and len(ran) - before <= 2, "the two that tell how fast this machine is"
    ops = [bundle.manifest.artifacts[0].float_ops for bundle in (first, second)]
    assert ops[0] == ops[1]


def test_wrong_budgets_are_refused(data: Path, tmp_path: Path) -> None:
    for wrong in (-1.0, float("inf"), float("nan")):
        with pytest.raises(InputError, match="budget"):
            converted(data, tmp_path / "e.edge", budget=wrong)


def test_weights_of_the_other_precisions_stay_in_8_bits(data: Path, tmp_path: Path) -> None:
    bundle = converted(data, tmp_path / "f.edge", formats=("onnx",), precisions=("int8", "dynamic-int8"))
    mixed, dynamic = bundle.manifest.artifacts
    assert [op.name for op in mixed.float_ops] == ["poisoned"]
    assert dynamic.int8_weight_bytes == 1.0
    assert dynamic.parity is not None and dynamic.parity.passed
