"""The options of a small conversion, its stages, and bundles as bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ONE: dict[str, Any] = {"formats": ("onnx",), "precisions": ("int8",)}
STAGES = ["reading the model", "quantising", "exporting int8.onnx", "checking", "writing the bundle"]


def put(path: Path, files: dict[str, bytes]) -> Path:
    path.mkdir()
    for name, data in files.items():
        (path / name).write_bytes(data)
    return path


def read(path: Path) -> dict[str, bytes]:
    return {item.name: item.read_bytes() for item in path.iterdir()}
