from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgevision
from edgevision.benchmarks.verify import verify
from edgevision.runtime import backends
from edgevision.runtime.bundle import (
    Bundle,
    Golden,
    file_entry,
    golden_bytes,
    manifest_bytes,
    parse_manifest,
    write_bundle,
)
from edgevision.runtime.errors import BundleDamagedError, BundleError, BundleVersionError
from edgevision.runtime.manifest import (
    Agreement,
    Artifact,
    FileEntry,
    FloatOp,
    Gate,
    Manifest,
    Parity,
    from_plain,
    to_plain,
)
from edgevision.runtime.spec import Preprocessing, QuantParams, TensorSpec
from tests import tiny

FILES = [
    "manifest.json",
    "golden.npz",
    "README.md",
    *(f"{precision}.{suffix}" for precision in ("int8", "float32") for suffix in ("tflite", "onnx", "xml", "bin")),
]


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy that the test may spoil."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy.edge"))


def sealed(plain: dict[str, Any]) -> bytes:
    """A manifest of these values with a hash that is right."""
    body = {key: value for key, value in plain.items() if key != "sha256"}
    text = json.dumps(body, sort_keys=True, indent=2) + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    return (json.dumps({**body, "sha256": digest}, sort_keys=True, indent=2) + "\n").encode()


def change_manifest(bundle: Path, **values: Any) -> None:
    plain = json.loads((bundle / "manifest.json").read_bytes())
    (bundle / "manifest.json").write_bytes(sealed({**plain, **values}))


def test_opens_and_reads(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    assert bundle.path == tiny_bundle
    assert bundle.manifest.labels == tiny.LABELS
    assert {item.name for item in tiny_bundle.iterdir()} == set(FILES)
    assert bundle.read("README.md") == b"# tiny\n"
    assert bundle.artifact("int8.onnx").format == "onnx"
    golden = bundle.golden()
    np.testing.assert_array_equal(golden.inputs["image"], tiny.GOLDEN_INPUTS)
    assert golden.outputs.keys() == {item.name for item in bundle.manifest.artifacts}
    scores = [named["scores"] for named in golden.outputs.values()]
    assert all(array.dtype == np.float32 and array.shape == (3, 4) for array in scores)


def test_unknown_names_list_what_there_is(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    with pytest.raises(BundleError, match=r"int8\.tflite"):
        bundle.artifact("int4.tflite")
    with pytest.raises(BundleError, match=r"golden\.npz"):
        bundle.read("../secret")


# --- damage -------------------------------------------------------------------------------------------------------


def test_the_list_of_files_above_is_complete(tiny_bundle: Path) -> None:
    assert sorted(item.name for item in tiny_bundle.iterdir()) == sorted(FILES)


def refuses(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading fails because of damage, and no engine was asked to do anything."""
    with monkeypatch.context() as patch:
        patch.setattr("edgevision.runtime.opening.open_session", lambda *_: pytest.fail("an engine saw it"))
        with pytest.raises(BundleDamagedError) as caught:
            edgevision.load(bundle)
        assert caught.value.cure
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_any_flipped_byte_of_any_file_is_found(bundle: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bundle / name
    data = path.read_bytes()

    @settings(max_examples=60)
    @given(
        position=st.sampled_from([0, 1, len(data) // 2, len(data) - 2, len(data) - 1]) | st.integers(0, len(data) - 1),
        mask=st.sampled_from([1, 32, 128, 255]) | st.integers(1, 255),
    )
    def flip(position: int, mask: int) -> None:
        damaged = bytearray(data)
        damaged[position] ^= mask
        path.write_bytes(damaged)
        refuses(bundle, monkeypatch)

    flip()
    path.write_bytes(data)
    edgevision.load(bundle, "null").close()


def test_every_single_bit_of_the_manifest(tiny_bundle: Path) -> None:
    data = (tiny_bundle / "manifest.json").read_bytes()
    for position in range(0, len(data), 7):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[position] ^= 1 << bit
            with pytest.raises(BundleDamagedError):
                parse_manifest(bytes(damaged))


@pytest.mark.parametrize("name", FILES)
def test_truncated_grown_emptied_and_missing_files(bundle: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bundle / name
    data = path.read_bytes()
    for spoiled in (data[:-1], data[: len(data) // 2], b"", data + b"\0", data + b"\n", b"\n" + data):
        path.write_bytes(spoiled)
        refuses(bundle, monkeypatch)
    path.unlink()
    if name != "manifest.json":
        refuses(bundle, monkeypatch)
        path.mkdir()
        refuses(bundle, monkeypatch)


def test_swapped_files_are_found(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bundle / "int8.onnx").rename(bundle / "spare")
    (bundle / "float32.onnx").rename(bundle / "int8.onnx")
    (bundle / "spare").rename(bundle / "float32.onnx")
    refuses(bundle, monkeypatch)


def test_damage_after_opening_is_found_when_reading(bundle: Path) -> None:
    opened = Bundle.open(bundle)
    data = bytearray((bundle / "int8.onnx").read_bytes())
    data[-1] ^= 1
    (bundle / "int8.onnx").write_bytes(data)
    with pytest.raises(BundleDamagedError, match="changed"):
        opened.read("int8.onnx")
    (bundle / "int8.onnx").unlink()
    with pytest.raises(BundleDamagedError, match="nothing there"):
        opened.read("int8.onnx")


def test_files_that_are_not_listed_do_not_matter(bundle: Path) -> None:
    (bundle / ".DS_Store").write_bytes(b"left by a file manager")
    Bundle.open(bundle)


# --- what is no bundle --------------------------------------------------------------------------------------------


def test_what_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path, got in ((tmp_path / "none", "nothing"), (tmp_path, "no such file"), (tmp_path / "file", "a file")):
        with pytest.raises(BundleError, match=got) as caught:
            Bundle.open(path)
        assert type(caught.value) is BundleError
        assert "edgevision convert" in caught.value.cure


@pytest.mark.parametrize("text", ["", "{}", "[]", "3", "null", '{"sha256": 1}', "[" * 100_000, "1" * 5000])
def test_foreign_manifests(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(BundleDamagedError):
        Bundle.open(tmp_path)


def test_a_newer_bundle_is_refused_by_name(bundle: Path) -> None:
    change_manifest(bundle, schema_version=4, something_new=[1])
    with pytest.raises(BundleVersionError, match="schema 3 or older, got 4") as caught:
        Bundle.open(bundle)
    assert "upgrade" in caught.value.cure


def test_a_manifest_in_other_spelling_is_refused(bundle: Path) -> None:
    data = (bundle / "manifest.json").read_bytes()
    for other in (json.dumps(json.loads(data)).encode(), data.replace(b"\n", b"\r\n"), data.decode().encode("utf-16")):
        (bundle / "manifest.json").write_bytes(other)
        with pytest.raises(BundleDamagedError):
            Bundle.open(bundle)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "a/b", "..", "", "manifest.json", "a\\b", "c:x"])
def test_names_that_point_outside_are_refused(bundle: Path, name: str) -> None:
    change_manifest(bundle, files=[{"name": name, "bytes": 1, "sha256": "0" * 64}])
    with pytest.raises(BundleError, match="plain file name"):
        Bundle.open(bundle)


@pytest.mark.parametrize(
    "values",
    [
        {"labels": "abc"},
        {"labels": [1]},
        {"scores": "guesses"},
        {"unknown": 1},
        {"preprocessing": {"height": 0, "width": 1}},
        {"preprocessing": None},
        {"scores": None},
        {"files": [{"name": "a", "bytes": "1", "sha256": ""}]},
        {"artifacts": {}},
    ],
)
def test_fields_of_the_wrong_type_are_refused(bundle: Path, values: dict[str, Any]) -> None:
    change_manifest(bundle, **values)
    with pytest.raises(BundleError):
        Bundle.open(bundle)


# --- round trips --------------------------------------------------------------------------------------------------

words = st.text(st.characters(codec="utf-8"), max_size=8)
shares = st.floats(0, 1)
tensors = st.builds(
    TensorSpec,
    words,
    st.lists(st.integers(1, 9), max_size=4).map(tuple),
    st.sampled_from(["uint8", "int8", "float32"]),
    st.none() | st.builds(QuantParams, st.floats(1e-6, 10), st.integers(-128, 255)),
)
parities = st.builds(Parity, st.integers(0, 99), st.floats(-9, 999), st.floats(0, 9), shares, st.booleans())
intervals = st.tuples(st.floats(-9, 0), st.floats(0, 9))
agreements = st.builds(
    Agreement, st.integers(0, 9), shares, st.none() | shares, st.none() | shares, shares, intervals, st.booleans()
)
artifacts = st.builds(
    Artifact,
    words,
    st.sampled_from(["tflite", "onnx", "openvino"]),
    st.sampled_from(["int8", "float32"]),
    st.just(()),
    st.lists(tensors, max_size=2).map(tuple),
    st.lists(tensors, max_size=2).map(tuple),
    shares,
    shares,
    st.lists(st.builds(FloatOp, words, words, words), max_size=2).map(tuple),
    st.none() | parities,
    st.none() | agreements,
)
three = st.tuples(*[st.floats(-300, 300)] * 3)
preprocessings = st.builds(
    Preprocessing,
    st.integers(1, 999),
    st.integers(1, 999),
    st.sampled_from(["rgb", "bgr"]),
    st.sampled_from(["stretch", "crop", "letterbox"]),
    st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos"]),
    st.booleans(),
    st.integers(0, 255),
    three,
    three,
)
plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
manifests = st.builds(
    Manifest,
    st.just("classification"),
    st.lists(words, max_size=4).map(tuple),
    st.sampled_from(["logits", "probabilities", "sigmoid_logits", "sigmoid"]),
    preprocessings,
    st.lists(artifacts, max_size=2).map(tuple),
    st.just(()),
    st.none() | st.builds(Gate, st.booleans(), shares, words, st.integers(0, 9), words),
    st.dictionaries(words, plain_values, max_size=3),
)


@given(manifest=manifests)
def test_manifest_round_trip(manifest: Manifest) -> None:
    data = manifest_bytes(manifest)
    assert data == manifest_bytes(manifest)
    assert parse_manifest(data) == manifest
    assert from_plain(Manifest, to_plain(manifest)) == manifest


@settings(max_examples=25)
@given(
    manifest=manifests,
    files=st.dictionaries(st.from_regex(r"\A[a-z0-9_.-]{1,6}[a-z]\Z"), st.binary(max_size=99), max_size=4),
)
def test_bundle_round_trip(
    tmp_path_factory: pytest.TempPathFactory, manifest: Manifest, files: dict[str, bytes]
) -> None:
    path = tmp_path_factory.mktemp("round") / "trip.edge"
    manifest = dataclasses.replace(manifest, files=tuple(file_entry(*item) for item in files.items()))
    written = write_bundle(path, manifest, files)
    opened = Bundle.open(path)
    assert opened.manifest == written.manifest == manifest
    assert {name: opened.read(name) for name in files} == files


def test_values_without_a_json_form_are_refused() -> None:
    for value in (float("nan"), float("inf"), object(), {1, 2}):
        with pytest.raises(BundleError, match="JSON"):
            manifest_bytes(tiny.manifest(provenance={"x": value}))


def test_file_entry_is_of_those_bytes() -> None:
    assert file_entry("a", b"abc") == FileEntry("a", 3, hashlib.sha256(b"abc").hexdigest())


# --- golden -------------------------------------------------------------------------------------------------------


def test_the_same_golden_arrays_give_the_same_bytes() -> None:
    golden = Golden({"image": tiny.GOLDEN_INPUTS}, {"int8.onnx": {"scores": np.ones((3, 4), np.float32)}})
    assert golden_bytes(golden) == golden_bytes(golden)


PIXELS = np.zeros((1, 2, 2, 3), np.uint8)


@pytest.mark.parametrize(
    "data",
    [
        b"no archive",
        golden_bytes(Golden({}, {"a": {"y": np.zeros((2, 1), np.float32)}})),
        golden_bytes(Golden({"x": PIXELS.astype(np.float64)}, {})),
        golden_bytes(Golden({"x": np.zeros((0, 2), np.uint8)}, {})),
        golden_bytes(Golden({"x": PIXELS}, {"a": {"y": np.zeros((2, 1), np.float32)}})),
        golden_bytes(Golden({"x": PIXELS}, {"a": {"y": np.zeros((1, 1), np.float64)}})),
    ],
    ids=["no archive", "no inputs", "double inputs", "no batch", "more outputs", "double outputs"],
)
def test_unusable_golden_arrays(tmp_path: Path, data: bytes) -> None:
    manifest = tiny.manifest(files=(file_entry("golden.npz", data),))
    bundle = write_bundle(tmp_path / "a.edge", manifest, {"golden.npz": data})
    with pytest.raises(BundleError, match=r"golden\.npz"):
        bundle.golden()


def test_a_bundle_without_golden_says_so(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "a.edge", tiny.manifest(), {})
    with pytest.raises(BundleError, match=r"golden\.npz"):
        bundle.golden()


def test_a_bundle_of_schema_1_opens_and_verifies(bundle: Path) -> None:
    """It knew one input and one output, both without a name in golden.npz."""
    golden = Bundle.open(bundle).golden()
    scores: dict[str, Any] = {name: named["scores"] for name, named in golden.outputs.items()}
    np.savez(bundle / "golden.npz", inputs=golden.inputs["image"], **scores)
    plain = json.loads((bundle / "manifest.json").read_bytes())
    others = [entry for entry in plain["files"] if entry["name"] != "golden.npz"]
    entry = to_plain(file_entry("golden.npz", (bundle / "golden.npz").read_bytes()))
    older = {key: value for key, value in plain.items() if key not in ("head", "sha256")}
    (bundle / "manifest.json").write_bytes(sealed({**older, "schema_version": 1, "files": [*others, entry]}))
    old = Bundle.open(bundle)
    assert old.manifest.schema_version == 1 and old.manifest.task == "classification"
    np.testing.assert_array_equal(old.golden().inputs["image"], tiny.GOLDEN_INPUTS)
    for name, named in old.golden().outputs.items():
        np.testing.assert_array_equal(named["scores"], scores[name])
    assert verify(bundle).passed


def test_every_backend_has_golden_outputs_that_it_reproduces(tiny_bundle: Path) -> None:
    golden = Bundle.open(tiny_bundle).golden()
    for name, wanted in golden.outputs.items():
        with edgevision.load(tiny_bundle, artifact=name) as predictor:
            for image, scores in zip(golden.inputs["image"], wanted["scores"]):
                (found,) = predictor.infer(predictor.preprocess(image)).values()
                np.testing.assert_allclose(found[0], scores, rtol=1e-4, atol=1e-4)
    assert set(backends.BACKENDS) - {"null"} == set(tiny.ENGINES)
