"""Each layer on its own: right files have no fault, changed ones are found where they were changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgevision.converters import formats
from edgevision.converters.layers.faults import first_fault, looked_into
from edgevision.converters.layers.measure import IMAGES
from edgevision.runtime.manifest import Artifact, ModelFormat, Parity
from tests.converters.conftest import Exported
from tests.converters.layers.damage import change_onnx, shaken

FORMATS: tuple[ModelFormat, ...] = ("tflite", "onnx", "openvino")


def artifact(name: ModelFormat) -> Artifact:
    return Artifact(f"int8{formats.SUFFIXES[name]}", name, "int8", (), (), ())


def batch(exported: Exported) -> dict[str, Any]:
    return {"image": exported.trained.images[-IMAGES:]}


@pytest.mark.parametrize("name", FORMATS)
def test_right_files_have_none(exported: Exported, name: ModelFormat) -> None:
    assert first_fault(exported.quantized, artifact(name), exported.folder, batch(exported)) is None


def without_an_output(values: Any) -> Any:
    changed = values.copy()
    changed[(slice(None), 0) if values.ndim == 2 else 0] = 0
    return changed


def with_two_swapped(values: Any) -> Any:
    order = [1, 0, *range(2, values.shape[1 if values.ndim == 2 else 0])]
    return values[:, order] if values.ndim == 2 else values[order]


@pytest.mark.parametrize("exported", ["plain", "branched"], indirect=True)
@pytest.mark.parametrize("change", [shaken, without_an_output, with_two_swapped])
@pytest.mark.parametrize("index", [1, -1])
def test_what_was_changed_is_named(
    exported: Exported, index: int, change: Callable[[Any], Any], tmp_path: Path
) -> None:
    path = tmp_path / "int8.onnx"
    path.write_bytes(exported.path("onnx", "int8").read_bytes())
    change_onnx(path, index, change)
    fault = first_fault(exported.quantized, artifact("onnx"), tmp_path, batch(exported))
    kernel = [op.name for op in exported.quantized.graph if op.has_kernel][index]
    assert fault is not None and fault.endswith(" steps")
    behind = [kernel, *(op.name for op in exported.quantized.graph if kernel in op.inputs)]
    assert fault.split(" by ")[0] in behind, "the kernel, or the ReLU that is part of it"


@pytest.mark.parametrize("exported", ["plain"], indirect=True)
def test_layers_are_looked_into_where_a_file_misses_parity(exported: Exported, tmp_path: Path) -> None:
    (tmp_path / "int8.onnx").write_bytes(exported.path("onnx", "int8").read_bytes())
    for is_damaged in (False, True):
        if is_damaged:
            change_onnx(tmp_path / "int8.onnx", 1, shaken)
        for passed in (True, False):
            checked = dataclasses.replace(artifact("onnx"), parity=Parity(9, 14.0, 1.0, 0.9, passed))
            found = looked_into(checked, exported.quantized, tmp_path, batch(exported)).parity
            assert found is not None
            assert (found.fault is not None, found.passed) == (is_damaged and not passed, passed)
    assert looked_into(artifact("onnx"), exported.quantized, tmp_path, batch(exported)).parity is None
