"""Bundles of models whose layers cannot be seen."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevision
from edgevision.converters.convert import convert
from edgevision.converters.inspect import inspect
from edgevision.converters.native import onnx, with_nncf
from edgevision.converters.parity import LIMITS_DB
from edgevision.converters.quantize.observe import Batches
from edgevision.converters.sqnr import sqnr_db
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.errors import ConversionError, InputError, MissingPackageError, UnsafeModelError
from tests.converters.models import CLASSES, pictures, write_folder

ONE: dict[str, Any] = {"preprocess": "unit", "formats": ("onnx",), "precisions": ("int8",)}
#: What quantisers and converters warn of among themselves.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("evaluation"), *pictures(40, seed=21))


@pytest.fixture(scope="module")
def bundle(hidden: Any, photos: Path, labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """All six artifacts of the model in memory."""
    out = tmp_path_factory.mktemp("bundle") / "hidden.edge"
    return convert(hidden, photos, out, preprocess="unit", labels=CLASSES, evaluate=labelled, max_drop=10.0)


def test_six_artifacts_are_checked_and_judged(bundle: Bundle) -> None:
    names = [f"{p}{suffix}" for p in ("int8", "float32") for suffix in (".tflite", ".onnx", ".xml")]
    assert [item.name for item in bundle.manifest.artifacts] == names
    for item in bundle.manifest.artifacts:
        assert item.passed and item.agreement is not None and item.agreement.images == 40
        assert item.agreement.float_top1 is not None and item.agreement.float_top1 > 0.8
        if item.precision == "int8":
            assert item.parity is None, "there is no quantised Keras model"
            assert (item.int8_macs, item.int8_weight_bytes) == (1.0, 1.0)
        else:
            assert item.parity is not None and item.parity.sqnr_db >= LIMITS_DB["float32"]
            assert item.int8_macs == 0.0
    gate = bundle.manifest.gate
    assert gate is not None and gate.passed and gate.basis == "accuracy"


def test_the_manifest_says_who_quantised_and_why(bundle: Bundle) -> None:
    found = bundle.manifest.provenance
    recipe, versions = found["recipe"], found["versions"]
    assert (recipe["name"], recipe["reason"]) == ("native", "subclassed model: its layers cannot be seen")
    tools = {"tflite": "ai-edge-quantizer", "onnx": "onnxruntime", "openvino": "nncf"}
    for name, tool in tools.items():
        made = recipe["quantizers"][name]
        assert (made["tool"], made["version"]) == (tool, versions[tool])
        errors = made["divergence_nats"]
        assert len(errors) == 2 and made["setting"] == min(errors, key=errors.__getitem__)
    pairs = ["int8.onnx, int8.xml", "int8.tflite, int8.onnx", "int8.tflite, int8.xml"]
    assert sorted(recipe["same_top1"]) == pairs and min(recipe["same_top1"].values()) > 0.9
    card = bundle.read("README.md").decode()
    for words in ("quantised by itself", "openvino by nncf", "taken for logits", "int8.tflite, int8.onnx"):
        assert words in card


def test_golden_outputs_are_the_models(bundle: Bundle, hidden: Any) -> None:
    golden = bundle.golden()
    exact = np.asarray(hidden((golden.inputs["image"] / 255).astype(np.float32)))
    for name, outputs in golden.outputs.items():
        assert sqnr_db(exact, outputs["output"]) > (60 if name.startswith("float32") else 20), name
    assert "flips.json" in {item.name for item in bundle.manifest.files}


@pytest.mark.parametrize("name", ["int8.tflite", "int8.onnx", "int8.xml", "float32.tflite"])
def test_lone_files_are_complete(name: str, bundle: Bundle, labelled: Path, tmp_path: Path) -> None:
    for entry in bundle.artifact(name).files:
        shutil.copy(bundle.path / entry.name, tmp_path)
    embedded = inspect(tmp_path / name)["embedded"]
    assert embedded["labels"] == list(CLASSES) and embedded["preprocessing"]["mean"] == [0.0, 0.0, 0.0]
    files = sorted(labelled.rglob("*.png"))
    with edgevision.load(tmp_path / name) as predictor:
        right = np.mean([predictor(file).label == file.parent.name for file in files])
    found = bundle.artifact(name).agreement
    assert found is not None and right == pytest.approx(found.top1)
    assert b"saved_model" not in b"".join(path.read_bytes() for path in tmp_path.iterdir()), "no path of this machine"


def test_inspect_counts_and_tells(bundle: Bundle) -> None:
    from edgevision.cli.inspect import describe

    text = describe("hidden.edge", bundle.manifest)
    assert "its layers cannot be seen" in text and "ai-edge-quantizer" in text
    counted = {item["name"]: item["counted"]["int8_macs"] for item in inspect(bundle.path)["artifacts"]}
    assert counted == {item.name: item.int8_macs for item in bundle.manifest.artifacts}


@pytest.mark.slow
def test_an_exported_graph_in_the_child_process(graph: Path, photos: Path, tmp_path: Path) -> None:
    bundle = convert(graph, photos, tmp_path / "graph.edge", preprocess="unit", precisions=("int8",))
    assert bundle.manifest.provenance["recipe"]["reason"] == "a TensorFlow graph without Keras layers"
    assert bundle.manifest.provenance["source"]["name"] == "graph"
    before = inspect(graph)
    assert before["inputs"][0]["shape"] == [None, 16, 16, 3] and before["preflight"][0]["kind"] == "opaque"
    assert len(bundle.manifest.artifacts) == 3 and all(item.int8_macs == 1.0 for item in bundle.manifest.artifacts)


@pytest.mark.slow
def test_a_file_of_a_trusted_class(hidden: Any, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path(sys.modules[type(hidden).__module__].__file__ or "").read_text()
    (tmp_path / "my_hidden_.py").write_text(
        source.replace("@keras.saving.register_keras_serializable", "@(lambda name: lambda cls: cls)")
    )
    monkeypatch.syspath_prepend(tmp_path)
    mine = __import__("my_hidden_").Hidden()
    mine(np.zeros((1, 16, 16, 3), np.float32))
    mine.set_weights(hidden.get_weights())
    path = tmp_path / "mine.keras"
    mine.save(path)
    with pytest.raises(UnsafeModelError, match=r"'Hidden' of my_hidden_.*--trust"):
        convert(path, photos, tmp_path / "mine.edge", **ONE)
    bundle = convert(path, photos, tmp_path / "mine.edge", trust=True, **ONE)
    assert bundle.manifest.provenance["recipe"]["reason"] == "subclassed model: its layers cannot be seen"
    golden = bundle.golden()
    exact = np.asarray(hidden((golden.inputs["image"] / 255).astype(np.float32)))
    assert sqnr_db(exact, golden.outputs["int8.onnx"]["output"]) > 10


def test_fine_tuning_is_refused(hidden: Any, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be fine-tuned.*leave --finetune out"):
        convert(hidden, photos, tmp_path / "x.edge", finetune=1, **ONE)


def test_a_missing_quantiser(hidden: Any, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package, form in (("nncf", "openvino"), ("ai_edge_quantizer", "tflite")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(MissingPackageError, match=r"edgevision\[convert\]") as caught:
            convert(hidden, photos, tmp_path / "x.edge", **{**ONE, "formats": (form,)})
        assert caught.value.extra == "convert" and not (tmp_path / "x.edge").exists()


def test_what_a_quantiser_refuses_is_named(
    hidden: Any, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(with_nncf, "quantize_model", fail)
    with pytest.raises(ConversionError, match=r"int8\.xml could not be made.*no such thing.*--formats"):
        convert(hidden, photos, tmp_path / "x.edge", **{**ONE, "formats": ("openvino",)})


@pytest.mark.parametrize("fails", [0, 1])
def test_a_setting_that_fails_leaves_the_other(
    fails: int, hidden: Any, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quantize, failing = onnx.quantize, onnx.CANDIDATES[fails]

    def fail(source: Path, batches: Batches, out: Path, *, method: str) -> None:
        if method == failing:
            raise RuntimeError("no such thing")
        quantize(source, batches, out, method=method)

    monkeypatch.setattr(onnx, "quantize", fail)
    made = convert(hidden, photos, tmp_path / "x.edge", **ONE).manifest.provenance["recipe"]["quantizers"]["onnx"]
    assert made["setting"] == onnx.CANDIDATES[1 - fails] and list(made["divergence_nats"]) == [made["setting"]]


def test_flips_and_manifest_are_json(bundle: Bundle) -> None:
    flips = json.loads(bundle.read("flips.json"))
    assert flips["images"] == 40 and set(flips["artifacts"]) == {item.name for item in bundle.manifest.artifacts}
