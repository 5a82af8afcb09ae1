"""What happens where a device lacks what an artifact needs."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import edgevision
from edgevision.benchmarks.choice import runnable
from edgevision.runtime import needs
from edgevision.runtime.backends import open_session
from edgevision.runtime.choice import Wish, choose
from edgevision.runtime.errors import BundleError
from edgevision.runtime.manifest import Artifact, ModelFormat, Precision, from_plain, to_plain
from edgevision.runtime.needs import unmet
from edgevision.runtime.spec import TensorSpec
from tests import tiny

IMAGE, OUTPUT = TensorSpec("image", (1, 4, 4, 3), "uint8"), TensorSpec("output", (1, 2), "float32")


def artifact(format: ModelFormat, precision: Precision = "int8", *wanted: str) -> Artifact:
    return Artifact(f"{precision}.{format}", format, precision, (), (IMAGE,), (OUTPUT,), needs=wanted)


@pytest.fixture(params=[False, True], ids=["with VNNI", "without VNNI"])
def lacking(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(needs, "lacks_vnni", lambda: request.param)
    return bool(request.param)


def test_openvino_is_passed_over_and_onnx_comes_behind(lacking: bool) -> None:
    bundle = [artifact("onnx", "int8", "vnni"), artifact("openvino", "int8", "vnni"), artifact("openvino", "float32")]
    assert choose(bundle, Wish())[0].name == "int8.onnx", "right anywhere, if slower without VNNI"
    assert choose(bundle, Wish("openvino"))[0].name == ("float32.openvino" if lacking else "int8.openvino")
    safe = [*bundle, artifact("openvino")]
    assert choose(safe, Wish())[0] == (safe[3] if lacking else safe[0])


def test_asked_for_by_name_it_runs_with_a_warning(lacking: bool) -> None:
    bundle = [artifact("openvino", "int8", "vnni")]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert choose(bundle, Wish(artifact="int8.openvino")) == bundle
    assert [("VNNI" in str(item.message)) for item in caught] == ([True] if lacking else [])
    if lacking:
        with pytest.raises(BundleError, match="no VNNI"):
            choose(bundle, Wish(precision="int8"))
        assert choose(bundle, Wish("null")) == bundle


def test_verify_and_benchmark_leave_it_out(lacking: bool) -> None:
    manifest = tiny.manifest(artifact("openvino", "int8", "vnni"), artifact("openvino", "float32"))
    names, skipped = runnable(manifest)
    assert names == (("float32.openvino",) if lacking else ("int8.openvino", "float32.openvino"))
    assert list(skipped) == (["int8.openvino"] if lacking else [])


@pytest.mark.parametrize(
    ("engine", "is_met"),
    [
        (("tflite-runtime", "2.14.0"), False),
        (("tflite-runtime", "2.17.1"), True),
        (("ai-edge-litert", "1.0.1"), True),
    ],
)
def test_an_old_tflite(monkeypatch: pytest.MonkeyPatch, engine: tuple[str, str], is_met: bool) -> None:
    monkeypatch.setattr(needs, "engine_distribution", lambda _: engine)
    assert (unmet(artifact("tflite", "dynamic-int8", "tflite>=2.17")) == "") == is_met
    assert unmet(artifact("tflite", "dynamic-int8")) == ""


def test_onnx_is_told_to_add_exactly(lacking: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    made, files = tiny.artifact("onnx")
    for wanted, is_exact in (((), False), (("vnni",), lacking)):
        seen: list[bool] = []

        def opened(*args: Any, exact_sums: bool = False, seen: list[bool] = seen, **more: Any) -> Any:
            seen.append(exact_sums)
            return open_session(*args, exact_sums=exact_sums, **more)

        import dataclasses

        from edgevision.runtime.bundle import write_bundle

        monkeypatch.setattr("edgevision.runtime.opening.open_session", opened)
        bundle = tmp_path / f"{len(wanted)}.edge"
        write_bundle(bundle, tiny.manifest(dataclasses.replace(made, needs=wanted)), files)
        with edgevision.load(bundle) as predictor:
            assert seen == [is_exact]
            assert ("sums" in predictor.describe()) == is_exact
            assert predictor(tiny.pixels(0)[0]).scores.sum() == pytest.approx(1, abs=1e-5)


def test_what_an_old_bundle_does_not_say() -> None:
    plain = to_plain(artifact("onnx"))
    for name in ("needs", "float16_weight_bytes"):
        del plain[name]
    assert from_plain(Artifact, plain) == artifact("onnx")
