from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers as kl

from edgevision.benchmarks.report.layers import Layers
from edgevision.converters.convert import convert
from edgevision.converters.inspect import inspect
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.errors import BundleDamagedError, BundleError, ModelError, UnsafeModelError
from edgevision.runtime.manifest import to_plain
from edgevision.runtime.spec import named_preprocessing
from tests.converters.conftest import Exported
from tests.converters.models import CLASSES, SIZE


@pytest.fixture(scope="module")
def bundle(keras_file: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("inspected") / "shapes.edge"
    return convert(keras_file, photos, out, precisions=("int8",))


#: So often TFLite runs this network's last layer, which is next to nothing of its work (``formats.tflite_logits``).
WINDOWS = 8


@pytest.mark.parametrize("name", ["int8.tflite", "int8.onnx", "int8.xml"])
def test_a_lone_file_of_ours(name: str, bundle: Bundle) -> None:
    found = inspect(bundle.path / name, executed=True)
    assert found["file"] == name and found["int8_macs"] == found["int8_weight_bytes"] == 1.0
    assert found["macs"] == sum(kernel["macs"] for kernel in found["kernels"]) > 0 and found["float_ops"] == []
    kernels = 4 + (WINDOWS - 1 if name == "int8.tflite" else 0)  # which runs the last layer in windows
    assert len(found["kernels"]) == len(found["executed"]) == kernels
    assert all(item["int8"] for item in found["executed"])
    embedded = found["embedded"]
    assert embedded["labels"] == list(CLASSES) and embedded["scores"] == "logits"
    assert embedded["preprocessing"] == to_plain(named_preprocessing("unit", SIZE, SIZE))
    assert embedded["inputs"][0]["dtype"] == "uint8" and embedded["outputs"][0]["shape"] == [1, 4]


def test_a_bundle_is_its_manifest_and_what_was_counted_again(bundle: Bundle) -> None:
    found = inspect(bundle.path)
    assert [item["name"] for item in found["artifacts"]] == ["int8.tflite", "int8.onnx", "int8.xml"]
    for item in found["artifacts"]:
        counted = item.pop("counted")
        assert (counted["int8_macs"], counted["int8_weight_bytes"]) == (item["int8_macs"], item["int8_weight_bytes"])
        assert "executed" not in counted
    assert found == to_plain(bundle.manifest)


def test_all_formats_count_the_same_work(bundle: Bundle) -> None:
    tflite, onnx, openvino = (inspect(bundle.path / name) for name in ("int8.tflite", "int8.onnx", "int8.xml"))
    assert onnx["macs"] == openvino["macs"] == tflite["macs"] - (WINDOWS - 1) * tflite["kernels"][-1]["macs"]


@pytest.mark.parametrize("format_name", ["tflite", "onnx", "openvino"])
def test_a_file_made_elsewhere_has_nothing_embedded(format_name: str, exported: Exported) -> None:
    found = inspect(exported.path(format_name, "float32"))
    assert found["embedded"] is None and found["int8_macs"] == 0.0
    assert len(found["float_ops"]) == len(found["kernels"]) > 0


def test_a_keras_file(keras_file: Path) -> None:
    found = inspect(keras_file)
    model: Any = keras.models.load_model(keras_file)
    assert found["parameters"] == model.count_params() == sum(layer["parameters"] for layer in found["layers"])
    assert found["inputs"][0]["shape"] == [None, SIZE, SIZE, 3] and found["outputs"][0]["shape"] == [None, 4]
    assert [layer["kind"] for layer in found["layers"]][:3] == ["Conv2D", "BatchNormalization", "MaxPooling2D"]
    assert found["metadata"]["labels"] == list(CLASSES) and found["preflight"] == []


def test_a_keras_file_of_another_trainer(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((4, 4, 1)), kl.Flatten()]).save(tmp_path / "m.keras")
    found = inspect(tmp_path / "m.keras")
    assert found["metadata"] is None and [item["kind"] for item in found["preflight"]] == ["normalisation-unknown"]


def test_a_keras_file_is_read_in_a_process_with_limits(keras_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unused(*_: object) -> None:
        raise AssertionError("read in this process")

    monkeypatch.setattr("edgevision.converters.files.read_model", unused)
    assert inspect(keras_file)["preflight"] == []
    with pytest.raises(ModelError, match=r"there was not enough time for plain\.keras while reading the model"):
        inspect(keras_file, time_limit=0.05)


def test_code_is_refused_unless_trusted(tmp_path: Path) -> None:
    image = keras.Input((4, 4, 1))
    keras.Model(image, kl.Flatten()(kl.Lambda(lambda x: x * 2)(image))).save(tmp_path / "code.keras")
    with pytest.raises(UnsafeModelError):
        inspect(tmp_path / "code.keras")
    assert any(layer["kind"] == "Lambda" for layer in inspect(tmp_path / "code.keras", trust=True)["layers"])


@pytest.mark.parametrize("suffix", [".tflite", ".onnx", ".xml"])
@pytest.mark.parametrize("content", [b"", b"garbage that is no model", b"\x00" * 500, b"<net/>"])
def test_unreadable_model_files(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"m{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=rf"m\{suffix} cannot be read.*expected a \{suffix} model"):
        inspect(path)


@pytest.mark.parametrize("name", ["int8.tflite", "int8.onnx", "int8.xml"])
def test_truncated_model_files(name: str, bundle: Bundle, tmp_path: Path) -> None:
    data = (bundle.path / name).read_bytes()
    shutil.copy(bundle.path / "int8.bin", tmp_path / "int8.bin")
    for length in (len(data) // 3, len(data) * 9 // 10):
        (tmp_path / name).write_bytes(data[:length])
        with pytest.raises(ModelError, match="cannot be read"):
            inspect(tmp_path / name)


def test_damaged_bundles_and_other_paths(bundle: Bundle, tmp_path: Path) -> None:
    copy = tmp_path / "copy.edge"
    shutil.copytree(bundle.path, copy)
    data = bytearray((copy / "int8.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "int8.onnx").write_bytes(data)
    with pytest.raises(BundleDamagedError):
        inspect(copy)
    for path in (tmp_path / "gone.edge", tmp_path, tmp_path / "gone.onnx"):
        with pytest.raises(BundleError):
            inspect(path)
    with pytest.raises(ModelError):
        inspect(tmp_path / "gone.keras")


def test_layers_of_a_bundle_that_convert_made(bundle: Bundle) -> None:
    found = Layers.read(bundle)
    assert found.artifacts == ("int8.tflite", "int8.onnx", "int8.xml") and found.images == 8
    assert [layer.kind for layer in found.layers] == ["Conv2D + ReLU", "Conv2D + ReLU", "Dense + ReLU", "Dense"]
    assert all(layer.worst is not None and layer.worst > 15 for layer in found.layers)
    (entry,) = [entry for entry in bundle.manifest.files if entry.name == "layers.json"]
    assert entry.bytes < 2000 * len(found.layers)
