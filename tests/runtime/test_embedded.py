from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgevision
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.embedded import KEY, essentials, read_embedded
from edgevision.runtime.errors import BundleError, BundleVersionError
from edgevision.runtime.flatbuffer import tflite_metadata
from edgevision.runtime.manifest import Parity
from edgevision.runtime.protobuf import onnx_metadata
from tests import tiny

TEXT = 'a "quoted" <text> & \\ more, with \u00e9\u4e2d'


@pytest.mark.parametrize("backend", tiny.ENGINES)
def test_what_the_bundle_says_is_in_each_file(tiny_bundle: Path, backend: str) -> None:
    whole = Bundle.open(tiny_bundle).manifest
    path = tiny_bundle / f"int8.{tiny.SUFFIX[backend]}"
    for source in (path, str(path), path.read_bytes()):
        manifest = read_embedded(source, backend)
        assert (manifest.task, manifest.labels, manifest.scores) == (whole.task, whole.labels, whole.scores)
        assert manifest.preprocessing == whole.preprocessing
        (artifact,) = manifest.artifacts
        (wanted,) = [item for item in whole.artifacts if item.name == path.name]
        assert artifact == dataclasses.replace(wanted, files=())


def test_essentials_leave_out_what_is_measured_later() -> None:
    artifact, _ = tiny.artifact("onnx", parity=Parity(1, 50.0, 0.1, 1.0, True))
    text = essentials(tiny.manifest(artifact, provenance={"long": "story"}), artifact)
    assert "\n" not in text
    (plain,) = json.loads(text)["artifacts"]
    assert plain["parity"] is None
    assert plain["files"] == []
    assert "story" not in text


@pytest.mark.parametrize("backend", tiny.ENGINES)
def test_any_text_survives_in_any_format(backend: str) -> None:
    made = tiny.model(backend, "uint8", TEXT)
    read = {"tflite": tflite_metadata, "onnx": onnx_metadata}
    if backend in read:
        assert read[backend](made.model, KEY) == TEXT.encode()
        assert read[backend](made.model, "nothing of this name") is None
    else:
        with pytest.raises(BundleError, match="damaged"):  # found, and no JSON
            read_embedded(made.model, backend)


@pytest.mark.parametrize("backend", tiny.ENGINES)
def test_models_of_others_carry_nothing(backend: str) -> None:
    with pytest.raises(BundleError, match="carries no labels") as caught:
        read_embedded(tiny.model(backend).model, backend)
    assert "task=" in caught.value.cure


@pytest.mark.parametrize("backend", tiny.ENGINES)
@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "no json", '{"task": "classification"}', "[" * 100_000])
def test_damaged_descriptions(backend: str, text: str) -> None:
    with pytest.raises(BundleError):
        read_embedded(tiny.model(backend, "uint8", text).model, backend)


def test_a_newer_description_is_refused_by_name() -> None:
    with pytest.raises(BundleVersionError, match="schema 9"):
        read_embedded(tiny.model("onnx", "uint8", '{"schema_version": 9, "new": 1}').model, "onnx")


def test_a_description_of_another_model_is_refused() -> None:
    artifact, _ = tiny.artifact("tflite")
    text = essentials(tiny.manifest(), artifact)
    with pytest.raises(BundleError, match="onnx"):
        read_embedded(tiny.model("onnx", "uint8", text).model, "onnx")


@pytest.mark.parametrize("backend", tiny.ENGINES)
@settings(max_examples=300)
@given(data=st.data())
def test_a_damaged_file_never_crashes_the_reader(backend: str, data: st.DataObject) -> None:
    artifact, files = tiny.artifact(backend)
    spoiled = bytearray(files[artifact.name])
    kind = data.draw(st.sampled_from(["flip", "cut", "word"]))
    position = data.draw(st.integers(0, len(spoiled) - 1))
    if kind == "cut":
        del spoiled[position:]
    elif kind == "flip":
        spoiled[position] ^= data.draw(st.integers(1, 255))
    else:
        extreme = data.draw(st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**32 - 1]))
        spoiled[position : position + 4] = np.uint32(extreme).tobytes()
    try:
        manifest = read_embedded(bytes(spoiled), backend)
    except BundleError as error:
        assert "\n" not in str(error)
    else:
        assert len(manifest.artifacts) == 1


@pytest.mark.parametrize("backend", tiny.ENGINES)
@given(data=st.binary(max_size=200))
def test_noise_never_crashes_the_reader(backend: str, data: bytes) -> None:
    with pytest.raises(BundleError):
        read_embedded(b"abcdTFL3" + data if backend == "tflite" else data, backend)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"none\.onnx"):
        read_embedded(tmp_path / "none.onnx", "onnx")


@pytest.mark.parametrize("backend", tiny.ENGINES)
@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_a_lone_file_predicts_as_the_bundle_does(
    tiny_bundle: Path, tmp_path: Path, backend: str, precision: str
) -> None:
    name = f"{precision}.{tiny.SUFFIX[backend]}"
    (tmp_path / name).write_bytes((tiny_bundle / name).read_bytes())
    if backend == "openvino":
        with pytest.raises(BundleError, match=r"\.bin"):
            edgevision.load(tmp_path / name)
        (tmp_path / f"{precision}.bin").write_bytes((tiny_bundle / f"{precision}.bin").read_bytes())
    image = tiny.pixels(4)[0]
    with edgevision.load(tmp_path / name) as alone, edgevision.load(tiny_bundle, artifact=name) as together:
        np.testing.assert_array_equal(alone(image).scores, together(image).scores)
        assert alone.labels == together.labels
        assert {**alone.describe(), "choice": "asked for"} == together.describe()
