"""A real bundle of two small ONNX models that tell dark images from light ones, and images for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from edgevision.runtime.backends import open_session
from edgevision.runtime.bundle import Golden, file_entry, golden_bytes, write_bundle
from edgevision.runtime.manifest import Agreement, Artifact, Gate, Manifest, Precision
from edgevision.runtime.spec import named_preprocessing

LABELS = ("dark", "light")


def brightness_model(threshold: float) -> bytes:
    """Logits (mean < threshold, mean > threshold) of a uint8 image (1, 8, 8, 3)."""
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Sub", ["mean", "threshold"], ["over"]),
        helper.make_node("Reshape", ["over", "shape"], ["column"]),
        helper.make_node("MatMul", ["column", "signs"], ["logits"]),
    ]
    constants = [
        helper.make_tensor("threshold", TensorProto.FLOAT, [1], [threshold]),
        helper.make_tensor("shape", TensorProto.INT64, [2], [1, 1]),
        helper.make_tensor("signs", TensorProto.FLOAT, [1, 2], [-0.1, 0.1]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 8, 8, 3])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 2])
    graph = helper.make_graph(nodes, "brightness", [image], [logits], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def artifact(precision: Precision, data: bytes, agreement: Agreement | None) -> Artifact:
    with open_session("onnx", data) as session:
        return Artifact(
            f"{precision}.onnx",
            "onnx",
            precision,
            (file_entry(f"{precision}.onnx", data),),
            session.inputs,
            session.outputs,
            int8_macs=1.0 if precision == "int8" else 0.0,
            agreement=agreement,
        )


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """int8.onnx puts the border between dark and light a little too high."""
    models: dict[Precision, bytes] = {"int8": brightness_model(140.0), "float32": brightness_model(128.0)}
    agreement = Agreement(500, 0.99, 0.97, 0.98, -1.0, (-2.0, 0.1), True)
    artifacts = tuple(artifact(p, data, agreement if p == "int8" else None) for p, data in models.items())
    inputs = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    golden = golden_bytes(Golden({"image": inputs}, {}))
    manifest = Manifest(
        "classification",
        LABELS,
        "logits",
        named_preprocessing("raw", 8, 8),
        artifacts,
        (file_entry("golden.npz", golden),),
        Gate(True, 1.0, "accuracy", 500),
        {"model": {"path": "/home/someone/models/net.keras", "sha256": "ab" * 32}, "recipe": "static_wi8_ai8"},
    )
    files: dict[str, Path | bytes] = {f"{precision}.onnx": data for precision, data in models.items()}
    return write_bundle(tmp_path_factory.mktemp("b") / "lamp.edge", manifest, {**files, "golden.npz": golden}).path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """12 dark and 12 light images; two of the light ones only just light."""
    levels = {"dark": [10 * i for i in range(12)], "light": [132, 136, *range(150, 250, 10)]}
    for label, values in levels.items():
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        for i, level in enumerate(values):
            Image.new("RGB", (12, 9), (level, level, level)).save(folder / f"secret-{i:02d}.png")
    return tmp_path / "photos"
