"""float16, dynamic-int8 and int16x8 beside the int8 and float32 that test_formats.py looks at."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from keras import layers as kl

from edgevision.converters import formats
from edgevision.converters.export import export_all, left_out, open_artifact
from edgevision.converters.formats import NOT_MADE
from edgevision.converters.formats.exported import Int8Share
from edgevision.converters.parity import LIMITS_DB
from edgevision.converters.quantize.quantize import quantize
from edgevision.converters.sqnr import sqnr_db
from edgevision.runtime.embedded import read_embedded
from edgevision.runtime.manifest import Artifact, Manifest, ModelFormat, Precision
from edgevision.runtime.preprocess import normalize
from edgevision.runtime.spec import named_preprocessing
from tests.converters.conftest import Exported
from tests.converters.formats.test_formats import FORMATS, answers
from tests.converters.models import CLASSES, SIZE, Floats, as_batch, folded, pictures, sequential

PRECISIONS: tuple[Precision, ...] = ("float16", "dynamic-int8", "int16x8")
MADE: list[tuple[ModelFormat, Precision]] = [
    (item, precision) for precision in PRECISIONS for item in FORMATS if (item, precision) not in NOT_MADE
]


def made(exported: Exported, format_name: ModelFormat, precision: Precision) -> tuple[Artifact, Path]:
    """The artifact and its folder; made once."""
    folder = exported.folder / "more"
    key = (exported.trained.name, format_name, precision)
    if key not in _MADE:
        folder.mkdir(exist_ok=True)
        _MADE[key] = _make(exported, format_name, precision, folder)
    return _MADE[key], folder


_MADE: dict[tuple[str, str, str], Artifact] = {}


def _make(exported: Exported, format_name: str, precision: str, folder: Path) -> Artifact:
    trained = exported.trained
    labels = CLASSES if trained.model.output_shape[-1] == 4 else CLASSES[:2]
    manifest = Manifest("classification", labels, trained.scores, exported.preprocessing)
    images = trained.images[:40]
    wanted = [(format_name, precision)]
    (artifact,) = export_all(
        exported.graph, exported.quantized, manifest, folder, wanted, lambda _: None, lambda: [as_batch(images)]
    )
    return artifact


def reference(exported: Exported, precision: Precision, pixels: Floats) -> Floats:
    weights = exported.quantized.weights_model()
    model = exported.trained.model if precision == "float16" else weights
    if precision == "float16":
        pixels = normalize(pixels.astype(np.uint8), exported.preprocessing)
    return np.asarray(model(pixels, training=False))


@pytest.mark.parametrize(("format_name", "precision"), MADE)
def test_it_loads_and_agrees(exported: Exported, format_name: ModelFormat, precision: Precision) -> None:
    artifact, folder = made(exported, format_name, precision)
    assert artifact.name == f"{precision}{formats.SUFFIXES[format_name]}"
    with open_artifact(artifact, folder) as session:
        assert session.inputs == artifact.inputs and session.inputs[0].dtype == "uint8"
        assert session.outputs == artifact.outputs and session.outputs[0].dtype == "float32"
    pixels = exported.trained.images
    expected = reference(exported, precision, pixels.astype(np.float32))
    found = answers(folder / artifact.name, format_name, pixels)
    assert sqnr_db(expected, found) >= LIMITS_DB[precision]
    assert (expected != found).any(), "it is not the float model by another name"
    (inside,) = read_embedded(folder / artifact.name, format_name).artifacts
    assert (inside.precision, inside.needs) == (precision, artifact.needs)


@pytest.mark.parametrize(("format_name", "precision"), MADE)
def test_what_is_counted_in_the_file(exported: Exported, format_name: ModelFormat, precision: Precision) -> None:
    artifact, folder = made(exported, format_name, precision)
    kernels = formats.of(format_name).kernels(folder / artifact.name)
    macs = exported.trained.macs + (0 if precision == "float16" else exported.trained.pool_macs)
    assert 0.9 * macs <= sum(kernel.macs for kernel in kernels) <= macs
    share = Int8Share.of(kernels)
    assert (artifact.int8_macs, artifact.int8_weight_bytes) == (share.macs, share.weight_bytes)
    if precision == "float16":
        assert (share.macs, share.weight_bytes, share.float16_weight_bytes) == (0.0, 0.0, 1.0)
        assert all(kernel.weight_bytes % 2 == 0 for kernel in kernels) and artifact.float_ops == ()
        return
    # TFLite's converter leaves weights of less than 1,024 values in float, and they are named.
    left = [kernel for kernel in kernels if kernel.stored != "int8"]
    assert len(artifact.float_ops) == len(left) and all(kernel.weight_bytes < 4096 for kernel in left)
    assert not left or (format_name, precision) == ("tflite", "dynamic-int8")
    dense = [kernel for kernel in kernels if kernel.kind == "MatMulInteger"]
    assert [kernel for kernel in kernels if kernel.is_int8] == dense
    assert bool(dense) == ((format_name, precision) == ("onnx", "dynamic-int8"))


def test_weights_are_the_ones_of_the_quantised_model(tmp_path: Path) -> None:
    """Not what each format's own quantiser would make of the float ones."""
    layers = (kl.Conv2D(16, 3, activation="relu"), kl.Conv2D(16, 3, activation="relu"), kl.Flatten(), kl.Dense(4))
    graph = folded(sequential(*layers))
    pixels, _ = pictures(16, seed=3)
    quantized = quantize(graph, "logits", lambda: [as_batch(pixels)], as_batch(pixels), lambda: [as_batch(pixels)])
    assert sum(op.has_kernel for op in graph) == 3
    exact = np.asarray(quantized.weights_model()(pixels.astype(np.float32)))
    manifest = Manifest("classification", CLASSES, "logits", named_preprocessing("raw", SIZE, SIZE))
    wanted = [(item, "dynamic-int8") for item in FORMATS]
    for artifact in export_all(graph, quantized, manifest, tmp_path, wanted, lambda _: None):
        found = answers(tmp_path / artifact.name, artifact.format, pixels)
        assert sqnr_db(exact, found) > 35, artifact.name


def test_dynamic_tflite_says_how_new_an_engine_it_needs(exported: Exported) -> None:
    artifact, _ = made(exported, "tflite", "dynamic-int8")
    # The converter's own entry: dense layers per channel came with 2.17; without such a layer older engines do.
    assert artifact.needs in ((), ("tflite>=2.17",))
    assert bool(artifact.needs) == (exported.trained.name == "plain")


def test_what_a_format_lacks_is_named() -> None:
    assert set(NOT_MADE) == {("onnx", "int16x8"), ("openvino", "int16x8")}
    assert [(item["format"], item["precision"]) for item in left_out([("tflite", "int16x8"), ("onnx", "int16x8")])] == [
        ("onnx", "int16x8")
    ]
    assert set(get_args(Precision)) == set(LIMITS_DB)
