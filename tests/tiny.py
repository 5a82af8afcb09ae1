"""Tiny real models for every engine, made without the converters: one dense layer on an 8x8 colour image.

Every model computes ``scores = pixels / 255 @ WEIGHTS + BIAS``; ``reference`` computes the same in numpy. The "int8"
ones take raw uint8 pixels, the "float32" ones pixels already divided by 255.
"""

from __future__ import annotations

import functools
import importlib
import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.backends import open_session
from edgevision.runtime.backends.null import describe_model
from edgevision.runtime.bundle import Golden, file_entry, golden_bytes, write_bundle
from edgevision.runtime.embedded import KEY, essentials
from edgevision.runtime.manifest import Artifact, Manifest
from edgevision.runtime.spec import Preprocessing, TensorSpec

LABELS = ("cat", "dog", "bird", "fish")
SHAPE = (1, 8, 8, 3)
PREPROCESSING = Preprocessing(8, 8, scale=(1 / 255, 1 / 255, 1 / 255))
ENGINES = ("tflite", "onnx", "openvino")
FOLDER = "EDGEVISION_TINY_MODELS"
SUFFIX = {"tflite": "tflite", "onnx": "onnx", "openvino": "xml"}

_random = np.random.default_rng(7)
WEIGHTS: NDArray[np.float32] = _random.normal(size=(192, 4)).astype(np.float32)
BIAS: NDArray[np.float32] = _random.normal(size=4).astype(np.float32)
GOLDEN_INPUTS: NDArray[np.uint8] = _random.integers(0, 256, (3, *SHAPE[1:]), dtype=np.uint8)


class Files(NamedTuple):
    """A model file, and the weights file that OpenVINO has."""

    model: bytes
    weights: bytes | None = None


def reference(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Scores float32 (1, 4) of pixels uint8 (1, 8, 8, 3)."""
    return ((pixels.reshape(1, -1).astype(np.float32) / 255) @ WEIGHTS + BIAS).astype(np.float32)


def pixels(seed: int) -> NDArray[np.uint8]:
    """An input, uint8 (1, 8, 8, 3)."""
    return np.random.default_rng(seed).integers(0, 256, SHAPE, dtype=np.uint8)


@functools.cache
def model(backend: str, dtype: str = "uint8", metadata: str | None = None) -> Files:
    """The model for a backend; ``metadata`` is put where edgevision looks for its own description.

    Where nothing can make it (a board has its engine and no more), $EDGEVISION_TINY_MODELS is where ``save`` put it.
    """
    if metadata is None and backend != "null" and FOLDER in os.environ:
        return _saved(Path(os.environ[FOLDER]), backend, dtype)
    factor = 255.0 if dtype == "uint8" else 1.0
    weights = (WEIGHTS / np.float32(factor)).astype(np.float32)
    return {"tflite": _tflite, "onnx": _onnx, "openvino": _openvino, "null": _null}[backend](dtype, weights, metadata)


def save(folder: Path, backend: str, dtype: str) -> None:
    """Writes the model into a folder for $EDGEVISION_TINY_MODELS."""
    for kind, data in model(backend, dtype)._asdict().items():
        if data is not None:
            (folder / f"{backend}-{dtype}.{kind}").write_bytes(data)


def _saved(folder: Path, backend: str, dtype: str) -> Files:
    weights = folder / f"{backend}-{dtype}.weights"
    made = (folder / f"{backend}-{dtype}.model").read_bytes()
    return Files(made, weights.read_bytes() if weights.exists() else None)


def _null(dtype: str, weights: NDArray[np.float32], metadata: str | None) -> Files:
    return Files(describe_model([TensorSpec("image", SHAPE, dtype)], [TensorSpec("scores", (1, 4), "float32")]))


def _onnx(dtype: str, weights: NDArray[np.float32], metadata: str | None) -> Files:
    from onnx import TensorProto, helper, numpy_helper

    kind = TensorProto.UINT8 if dtype == "uint8" else TensorProto.FLOAT
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["floats"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["scores"]),
    ]
    constants = [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(BIAS, "bias")]
    inputs = [helper.make_tensor_value_info("image", kind, SHAPE)]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, (1, 4))]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if metadata is not None:
        helper.set_model_props(made, {"other": "first", KEY: metadata})
    return Files(made.SerializeToString())


def _openvino(dtype: str, weights: NDArray[np.float32], metadata: str | None) -> Files:
    from edgevision.runtime.backends.openvino import import_openvino

    openvino = import_openvino()
    ops = importlib.import_module("openvino.opset13")

    image = ops.parameter(SHAPE, np.dtype(dtype), name="image")
    image.output(0).set_names({"image"})
    flat = ops.reshape(ops.convert(image, np.float32), np.array([1, 192]), False)
    scores = ops.add(ops.matmul(flat, ops.constant(weights), False, False), ops.constant(BIAS))
    scores.output(0).set_names({"scores"})
    made = openvino.Model([scores], [image], "tiny")
    if metadata is not None:
        made.set_rt_info(metadata, [KEY])
    with tempfile.TemporaryDirectory() as folder:
        xml, binary = Path(folder) / "tiny.xml", Path(folder) / "tiny.bin"
        openvino.serialize(made, str(xml), str(binary))
        return Files(xml.read_bytes(), binary.read_bytes())


def _tflite(dtype: str, weights: NDArray[np.float32], metadata: str | None) -> Files:
    flatbuffers = importlib.import_module("flatbuffers")
    schema = importlib.import_module("ai_edge_litert.schema_py_generated")
    kinds = schema.TensorType
    shapes: list[tuple[str, tuple[int, ...], int]] = [
        ("image", SHAPE, getattr(kinds, dtype.upper())),
        ("floats", SHAPE, kinds.FLOAT32),
    ]
    shapes += [("weights", (4, 192), kinds.FLOAT32), ("bias", (4,), kinds.FLOAT32), ("scores", (1, 4), kinds.FLOAT32)]
    contents = [b"", b"", b"", weights.T.tobytes(), BIAS.tobytes(), b""]
    buffers = [_new(schema.BufferT, data=np.frombuffer(item, np.uint8) if item else None) for item in contents]
    tensors = [
        _new(schema.TensorT, name=name, shape=shape, type=kind, buffer=i + 1)
        for i, (name, shape, kind) in enumerate(shapes)
    ]
    dense = _new(schema.FullyConnectedOptionsT)
    operators = [
        _new(schema.OperatorT, opcodeIndex=0, inputs=[0], outputs=[1]),
        _new(schema.OperatorT, opcodeIndex=1, inputs=[1, 2, 3], outputs=[4], builtinOptions=dense),
    ]
    operators[1].builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    graph = _new(schema.SubGraphT, tensors=tensors, inputs=[0], outputs=[4], operators=operators, name="main")
    codes = [
        _new(schema.OperatorCodeT, builtinCode=code, deprecatedBuiltinCode=code, version=1)
        for code in (schema.BuiltinOperator.CAST, schema.BuiltinOperator.FULLY_CONNECTED)
    ]
    maps = [_new(schema.TensorMapT, name=name, tensorIndex=i) for name, i in (("image", 0), ("scores", 4))]
    signature = _new(schema.SignatureDefT, signatureKey="serving_default", inputs=maps[:1], outputs=maps[1:])
    made = _new(schema.ModelT, version=3, operatorCodes=codes, subgraphs=[graph], buffers=buffers)
    made.signatureDefs, made.description = [signature], "tiny"
    if metadata is not None:
        buffers.append(_new(schema.BufferT, data=np.frombuffer(metadata.encode(), np.uint8)))
        entries = (("other", 0), (KEY, len(buffers) - 1))
        made.metadata = [_new(schema.MetadataT, name=name, buffer=buffer) for name, buffer in entries]
    builder = flatbuffers.Builder(1024)
    builder.Finish(made.Pack(builder), b"TFL3")
    return Files(bytes(builder.Output()))


def _new(cls: Any, **values: Any) -> Any:
    made = cls()
    for name, value in values.items():
        assert hasattr(made, name), f"{cls.__name__} has no {name}"
        setattr(made, name, value)
    return made


def manifest(*artifacts: Artifact, **values: Any) -> Manifest:
    return Manifest("classification", LABELS, "logits", PREPROCESSING, artifacts, **values)


def artifact(backend: str, precision: str = "int8", **values: Any) -> tuple[Artifact, dict[str, bytes]]:
    """An artifact with its own description embedded, and its files by name."""
    dtype = "uint8" if precision == "int8" else "float32"
    with open_session(backend, *model(backend, dtype)) as session:
        tensors = {"inputs": session.inputs, "outputs": session.outputs}
    name = f"{precision}.{SUFFIX[backend]}"
    bare = Artifact(name, backend, precision, (), **tensors, **values)  # type: ignore[arg-type]
    made = model(backend, dtype, essentials(manifest(), bare))
    files = {name: made.model}
    if made.weights is not None:
        files[f"{precision}.bin"] = made.weights
    entries = tuple(file_entry(*item) for item in files.items())
    return Artifact(name, backend, precision, entries, **tensors, **values), files  # type: ignore[arg-type]


def write(path: Path, **values: Any) -> Path:
    """A bundle of all six artifacts with golden.npz and README.md; ``values`` go into the manifest."""
    made = [artifact(backend, precision) for precision in ("int8", "float32") for backend in ENGINES]
    files = {name: data for _, its in made for name, data in its.items()}
    scores = np.concatenate([reference(image[None]) for image in GOLDEN_INPUTS])
    extras = {
        "golden.npz": golden_bytes(
            Golden({"image": GOLDEN_INPUTS}, {item.name: {"scores": scores} for item, _ in made})
        ),
        "README.md": b"# tiny\n",
    }
    entries = tuple(file_entry(*item) for item in extras.items())
    whole = manifest(*(item for item, _ in made), files=entries, **values)
    write_bundle(path, whole, {**files, **extras})
    return path
