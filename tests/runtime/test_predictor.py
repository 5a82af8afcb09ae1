from __future__ import annotations

import dataclasses
import io
import shutil
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import edgevision
from edgevision.runtime.backends import open_session
from edgevision.runtime.backends.null import describe_model
from edgevision.runtime.bundle import write_bundle
from edgevision.runtime.errors import (
    BackendError,
    BundleError,
    ImageError,
    InputError,
    MissingPackageError,
    UnknownBackendError,
)
from edgevision.runtime.manifest import Artifact, Parity
from edgevision.runtime.predictor import Predictor, load_classifier
from edgevision.runtime.results import Classification
from edgevision.runtime.spec import Preprocessing, QuantParams, TensorSpec
from tests import tiny
from tests.runtime.test_backends import uninstall

FAILED = Parity(images=10, sqnr_db=3.0, max_error=9.0, same_top1=0.1, passed=False)


def write_some(path: Path, *wanted: tuple[str, str, bool]) -> Path:
    """A bundle of the artifacts (backend, precision, whether it passed)."""
    made = [tiny.artifact(backend, how, parity=None if good else FAILED) for backend, how, good in wanted]
    files = {name: data for _, its in made for name, data in its.items()}
    write_bundle(path, tiny.manifest(*(item for item, _ in made)), files)
    return path


@pytest.fixture
def predictor(tiny_bundle: Path) -> Predictor:
    return load_classifier(tiny_bundle)


# --- what a call does ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", tiny.ENGINES)
@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_the_answer_is_the_models(tiny_bundle: Path, backend: str, precision: str) -> None:
    with edgevision.load(tiny_bundle, backend, precision) as predictor:
        for seed in range(5):
            pixels = tiny.pixels(seed)
            result = predictor(pixels[0])
            logits = tiny.reference(pixels)[0].astype(np.float64)
            expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
            np.testing.assert_allclose(result.scores, expected, atol=1e-5)
            assert result.index == int(logits.argmax())
            assert result.label == tiny.LABELS[result.index]
            assert result.labels == predictor.labels == tiny.LABELS


def test_every_kind_of_source_gives_the_same(predictor: Predictor, tmp_path: Path) -> None:
    array = tiny.pixels(3)[0]
    image = Image.fromarray(array)
    path = tmp_path / "image.png"
    image.save(path)
    sources: list[Any] = [array, image, path, str(path), path.read_bytes()]
    results = predictor(sources)
    assert [type(result) for result in results] == [Classification] * 5
    for result in (*results, *(predictor(source) for source in sources)):
        np.testing.assert_array_equal(result.scores, results[0].scores)


def test_lists(predictor: Predictor) -> None:
    images = [tiny.pixels(seed)[0] for seed in range(3)]
    assert [item.index for item in predictor(images)] == [predictor(image).index for image in images]
    assert isinstance(predictor(images[:1]), list)
    assert isinstance(predictor(tuple(images)), list)
    assert predictor([]) == []
    assert isinstance(predictor(images[0]), Classification)


def test_a_bad_entry_of_a_list_is_named(predictor: Predictor, tmp_path: Path) -> None:
    good = tiny.pixels(0)[0]
    bad: list[Any] = [tmp_path / "missing.png", b"", b"text", None, good.astype(float), tmp_path, [good]]
    for entry in bad:
        with pytest.raises(ImageError, match="image 2 of 3") as caught:
            predictor([good, entry, good])
        assert caught.value.expected or caught.value.cure
    with pytest.raises(ImageError, match=r"missing\.png"):
        predictor([tmp_path / "missing.png"])


def test_a_call_is_exactly_its_four_stages(predictor: Predictor) -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    pixels = predictor.decode(image)
    feeds = predictor.preprocess(pixels)
    assert {name: (feed.shape, feed.dtype.name) for name, feed in feeds.items()} == {"image": (tiny.SHAPE, "uint8")}
    result = predictor.postprocess(predictor.infer(feeds), pixels.shape[:2])
    np.testing.assert_array_equal(result.scores, predictor(image).scores)


def test_a_predictor_is_a_context_manager_and_closes(tiny_bundle: Path) -> None:
    with edgevision.load(tiny_bundle) as predictor:
        predictor(tiny.pixels(0)[0])
    predictor.close()
    with pytest.raises(BackendError, match="closed"):
        predictor(tiny.pixels(0)[0])


def test_describe_names_artifact_and_engine(tiny_bundle: Path) -> None:
    with edgevision.load(tiny_bundle, "onnx", "float32", 2) as predictor:
        facts = predictor.describe()
    assert facts["artifact"] == "float32.onnx"
    assert facts["precision"] == "float32"
    assert facts["engine"] == "onnxruntime"
    assert facts["provider"] == "CPUExecutionProvider"
    assert facts["threads"] == 2


def test_eight_threads_share_a_predictor(predictor: Predictor) -> None:
    images = [np.random.default_rng(i).integers(0, 256, (9 + i, 12, 3), dtype=np.uint8) for i in range(8)]
    encoded = []
    for image in images:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "PNG")
        encoded.append(stream.getvalue())
    expected = [predictor(image).scores for image in images]
    right: list[bool] = []

    def work(number: int) -> None:
        right.extend(np.array_equal(predictor(encoded[number]).scores, expected[number]) for _ in range(50))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 400


# --- which artifact runs ------------------------------------------------------------------------------------------


def chosen(path: Path, *arguments: Any, **options: Any) -> str:
    with edgevision.load(path, *arguments, **options) as predictor:
        return str(predictor.describe()["artifact"])


def test_int8_before_float32_and_engines_in_order(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(tiny_bundle) == "int8.tflite"
    assert chosen(tiny_bundle, "onnx") == "int8.onnx"
    assert chosen(tiny_bundle, precision="float32") == "float32.tflite"
    assert chosen(tiny_bundle, "openvino", "float32") == "float32.xml"
    assert chosen(tiny_bundle, artifact="float32.onnx") == "float32.onnx"
    uninstall("tflite", monkeypatch)
    assert chosen(tiny_bundle) == "int8.onnx"
    uninstall("onnx", monkeypatch)
    assert chosen(tiny_bundle) == "int8.xml"


def test_an_installed_float32_is_better_than_an_int8_that_cannot_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_some(tmp_path / "a.edge", ("tflite", "int8", True), ("onnx", "float32", True))
    uninstall("tflite", monkeypatch)
    assert chosen(path) == "float32.onnx"


def test_without_any_engine_the_install_line_is_given(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for backend in tiny.ENGINES:
        uninstall(backend, monkeypatch)
    with pytest.raises(MissingPackageError, match=r"pip install 'edgevision\[tflite\]'"):
        edgevision.load(tiny_bundle)
    with pytest.raises(MissingPackageError, match=r"pip install 'edgevision\[openvino\]'"):
        edgevision.load(tiny_bundle, "openvino")
    with pytest.raises(MissingPackageError, match=r"pip install 'edgevision\[onnx\]'"):
        edgevision.load(tiny_bundle, artifact="int8.onnx")
    assert chosen(tiny_bundle, "null") == "int8.tflite"


def test_the_null_backend_answers_zeros(tiny_bundle: Path) -> None:
    with edgevision.load(tiny_bundle, "null") as predictor:
        np.testing.assert_allclose(predictor(tiny.pixels(0)[0]).scores, 0.25)
        assert predictor.describe()["engine"] == "null"


def test_a_failed_artifact_only_runs_when_it_is_named(tmp_path: Path) -> None:
    path = write_some(tmp_path / "a.edge", ("tflite", "int8", False), ("onnx", "int8", True), ("onnx", "float32", True))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert chosen(path) == "int8.onnx"
        for arguments in (("tflite",), ("tflite", "int8")):
            with pytest.raises(BundleError, match=r"artifact='int8\.tflite'"):
                edgevision.load(path, *arguments)
    with pytest.warns(UserWarning, match=r"int8\.tflite failed") as caught:
        assert chosen(path, artifact="int8.tflite") == "int8.tflite"
    assert caught[0].filename == __file__


def test_when_everything_failed_nothing_runs_unasked(tmp_path: Path) -> None:
    path = write_some(tmp_path / "a.edge", ("onnx", "int8", False), ("onnx", "float32", False))
    with pytest.raises(BundleError, match="failed") as caught:
        edgevision.load(path)
    assert "artifact='int8.onnx'" in caught.value.cure


def test_what_does_not_fit_says_what_there_is(tmp_path: Path) -> None:
    path = write_some(tmp_path / "a.edge", ("onnx", "int8", True))
    for arguments, options in (
        (("tflite",), {}),
        ((None, "float32"), {}),
        ((), {"artifact": "int8.xml"}),
        (("tflite",), {"artifact": "int8.onnx"}),
    ):
        with pytest.raises(BundleError, match=r"got int8\.onnx"):
            edgevision.load(path, *arguments, **options)  # type: ignore[arg-type]


def test_unknown_names(tiny_bundle: Path, tmp_path: Path) -> None:
    for path in (tiny_bundle, tmp_path / "not there"):
        with pytest.raises(UnknownBackendError, match="tflite or onnx or openvino"):
            edgevision.load(path, "tensorflow")
    with pytest.raises(InputError, match="int8 or float32"):
        edgevision.load(tiny_bundle, precision="int4")
    with pytest.raises(InputError, match="threads"):
        edgevision.load(tiny_bundle, threads=0)


@pytest.mark.parametrize("name", ["none.edge", "none.onnx", "none.tflite", "none.xml", "none", "model.keras"])
def test_paths_that_lead_nowhere(tmp_path: Path, name: str) -> None:
    for path in (tmp_path / name, str(tmp_path / name)):
        with pytest.raises(BundleError, match=name) as caught:
            edgevision.load(path)
        assert caught.value.cure


@pytest.mark.parametrize("name", ["a.onnx", "a.tflite", "a.xml", "a.edge", "a.bin"])
@pytest.mark.parametrize("content", [b"", b"text"], ids=["empty", "text"])
def test_files_that_are_no_models(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(BundleError) as caught:
        edgevision.load(tmp_path / name)
    assert str(caught.value)


def test_a_lone_file_in_another_engine_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(tiny_bundle / "int8.onnx", tmp_path))
    with pytest.raises(BundleError, match="expected tflite"):
        edgevision.load(path, "tflite")


# --- models that do not fit their description ---------------------------------------------------------------------


def predictor_of(**values: Any) -> Predictor:
    """A predictor over the null engine, of a manifest changed in some place."""
    inputs = values.pop("inputs", [TensorSpec("image", tiny.SHAPE, "uint8")])
    outputs = values.pop("outputs", [TensorSpec("scores", (1, 4), "float32")])
    session = open_session("null", describe_model(inputs, outputs))
    manifest = dataclasses.replace(tiny.manifest(), **values)
    return Predictor(session, manifest, Artifact("int8.onnx", "onnx", "int8", (), tuple(inputs), tuple(outputs)))


@pytest.mark.parametrize(
    "values",
    [
        {"preprocessing": Preprocessing(9, 8)},
        {"preprocessing": Preprocessing(8, 8, "gray", mean=(0.0,), scale=(1.0,))},
        {"inputs": [TensorSpec("image", (1, 8, 3, 8), "uint8")]},
        {"inputs": [TensorSpec("image", tiny.SHAPE, "int8")]},
        {"inputs": [TensorSpec("a", tiny.SHAPE, "uint8"), TensorSpec("b", tiny.SHAPE, "uint8")]},
        {"outputs": [TensorSpec("a", (1, 4), "float32"), TensorSpec("b", (1, 4), "float32")]},
    ],
)
def test_a_model_that_does_not_fit_its_manifest_is_refused_when_loading(values: dict[str, Any]) -> None:
    with pytest.raises(BundleError) as caught:
        predictor_of(**values)
    assert caught.value.expected
    assert caught.value.got


def test_quantised_outputs_are_made_real() -> None:
    outputs = [TensorSpec("scores", (1, 4), "int8", QuantParams(1 / 256, -128))]
    predictor = predictor_of(outputs=outputs, scores="probabilities")
    stored = np.array([[-128, -64, 0, 127]], np.int8)
    scores = predictor.postprocess({"scores": stored}, (8, 8)).scores
    np.testing.assert_allclose(scores, np.array([0, 64, 128, 255]) / 256)
    assert scores.dtype == np.float32


def test_gray_models_get_one_channel() -> None:
    p = Preprocessing(8, 8, "gray", mean=(0.0,), scale=(1 / 255,))
    inputs = [TensorSpec("image", (1, 8, 8, 1), "float32")]
    predictor = predictor_of(preprocessing=p, inputs=inputs)
    feeds = predictor.preprocess(predictor.decode(np.full((8, 8), 255, np.uint8)))
    assert feeds["image"].dtype == np.float32
    np.testing.assert_array_equal(feeds["image"], np.ones((1, 8, 8, 1)))
    predictor(np.zeros((30, 20), np.uint8))


@pytest.mark.parametrize("cpus", [1, 2])
def test_a_list_is_prepared_ahead_in_order(cpus: int, predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevision.runtime.predictor.available_cpus", lambda: cpus)
    photos = [Image.fromarray(tiny.pixels(seed)[0]) for seed in range(20)]
    threads, feeds = set(), predictor.form.feeds

    def noted(source: Any) -> Any:
        threads.add(threading.current_thread().name)
        return feeds(source)

    monkeypatch.setattr(predictor.form, "feeds", noted)
    found = predictor(photos)
    assert [result.scores.tolist() for result in found] == [predictor(photo).scores.tolist() for photo in photos]
    assert ("edgevision preprocess" in threads) is (cpus == 2)
    threads.clear()
    predictor([np.asarray(photo) for photo in photos])
    assert "edgevision preprocess" not in threads
    assert "edgevision preprocess" not in {thread.name for thread in threading.enumerate()}
