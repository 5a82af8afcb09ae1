"""verify on an x86 processor without VNNI, under emulation: an artifact whose 8-bit sums saturate there is caught."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevision
from edgevision.runtime.backends import open_session
from edgevision.runtime.bundle import Golden, file_entry, golden_bytes, write_bundle
from edgevision.runtime.manifest import Artifact
from tests import tiny

EMULATED = ("qemu-x86_64", "-cpu", "Haswell-noTSX")


def dense_model(largest: int) -> bytes:
    """A quantised dense layer, uint8 by int8, whose weights are up to ``largest``."""
    from onnx import TensorProto, helper, numpy_helper

    signs = np.sign(np.random.default_rng(1).normal(size=4)).astype(np.int8)
    weights = np.full((192, 4), largest, np.int8) * signs
    constants = [
        numpy_helper.from_array(np.array([1, 192]), "shape"),
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.float32(1 / 255), "pixel"),
        numpy_helper.from_array(np.float32(1 / largest), "step"),
        numpy_helper.from_array(np.float32(2 * 192 / 255), "grid"),
        numpy_helper.from_array(np.uint8(0), "zero"),
        numpy_helper.from_array(np.int8(0), "zero_int8"),
        numpy_helper.from_array(np.uint8(128), "middle"),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["image", "pixel", "zero"], ["real"]),
        helper.make_node("Reshape", ["real", "shape"], ["flat"]),
        helper.make_node("QuantizeLinear", ["flat", "pixel", "zero"], ["stored"]),
        helper.make_node("DequantizeLinear", ["stored", "pixel", "zero"], ["again"]),
        helper.make_node("DequantizeLinear", ["weights", "step", "zero_int8"], ["kernel"]),
        helper.make_node("MatMul", ["again", "kernel"], ["sums"]),
        helper.make_node("QuantizeLinear", ["sums", "grid", "middle"], ["rounded"]),
        helper.make_node("DequantizeLinear", ["rounded", "grid", "middle"], ["scores"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, tiny.SHAPE)
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, (1, 4))
    graph = helper.make_graph(nodes, "dense", [image], [scores], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(made.SerializeToString())


def bundle(path: Path, model: bytes) -> Path:
    """A bundle that does not say that its model needs VNNI; its golden outputs are this machine's."""
    images = np.random.default_rng(2).integers(180, 256, (3, *tiny.SHAPE[1:]), dtype=np.uint8)
    with open_session("onnx", model, exact_sums=True) as session:
        tensors: dict[str, Any] = {"inputs": session.inputs, "outputs": session.outputs}
        scores = np.concatenate([session.run({"image": image[None]})["scores"] for image in images])
    artifact = Artifact("int8.onnx", "onnx", "int8", (file_entry("int8.onnx", model),), **tensors)
    golden = golden_bytes(Golden({"image": images}, {"int8.onnx": {"scores": scores}}))
    manifest = tiny.manifest(artifact, files=(file_entry("golden.npz", golden),))
    return write_bundle(path, manifest, {"int8.onnx": model, "golden.npz": golden}).path


def verified(path: Path, *emulator: str) -> tuple[int, dict[str, Any]]:
    root = Path(edgevision.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    words = [*emulator, sys.executable, "-m", "edgevision", "verify", str(path), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment, timeout=600)
    assert done.stdout, done.stderr
    (check,) = json.loads(done.stdout)["checks"]
    return done.returncode, check


@pytest.mark.slow
def test_sums_that_saturate_without_vnni_are_caught(tmp_path: Path) -> None:
    if shutil.which(EMULATED[0]) is None:
        pytest.skip("qemu-x86_64 is not installed")
    right, wrong = (bundle(tmp_path / f"{largest}.edge", dense_model(largest)) for largest in (63, 127))
    code, check = verified(right, *EMULATED)
    assert (code, check["flips"], check["error"]) == (0, 0, ""), check
    code, check = verified(wrong, *EMULATED)
    assert code == 1 and not check["passed"], check
    assert check["artifact"] == "int8.onnx"
    assert check["max_difference"] > 2 * check["tolerance"] > 0
