"""NNCF for OpenVINO."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevision.converters.formats.exported import INPUT, OUTPUT
from edgevision.converters.formats.openvino import forget_origin
from edgevision.converters.native import with_nncf
from edgevision.converters.native.quantizing import chosen
from edgevision.converters.quantize.observe import Batches
from edgevision.runtime.backends.openvino import import_openvino

PACKAGE = "nncf"
METHODS, ACCURATE, CANDIDATES = with_nncf.METHODS, with_nncf.ACCURATE, with_nncf.CANDIDATES


def quantize(source: Path, batches: Batches, out: Path, *, accurate: bool = True, method: str | None = None) -> None:
    """Write int8 .xml and .bin (see the package's ``NativeQuantizer``).

    Raises:
        InputError: The method is unknown.
        MissingPackageError: nncf or openvino is not installed.
    """
    method = chosen(method or (ACCURATE if accurate else METHODS[0]), METHODS)
    openvino = import_openvino()
    model = openvino.convert_model(str(source)) if source.is_dir() else openvino.Core().read_model(str(source))
    model.input(0).set_names({INPUT})
    _save(with_nncf.quantize_model(model, batches, INPUT, method), out)


def convert(saved_model: Path, out: Path) -> None:
    """Write the float .xml and .bin (see the package's ``NativeQuantizer``)."""
    openvino = import_openvino()
    openvino.save_model(openvino.convert_model(str(saved_model)), str(out), compress_to_fp16=False)


def take_pixels(source: Path, out: Path) -> None:
    """Write a model with uint8 pixels for its input, and input and output named."""
    _save(import_openvino().Core().read_model(str(source)), out)


def _save(model: Any, out: Path) -> None:
    openvino = import_openvino()
    from openvino.preprocess import PrePostProcessor

    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8)
    model = steps.build()
    model.input(0).set_names({INPUT})
    model.output(0).set_names({OUTPUT})
    forget_origin(model)
    openvino.save_model(model, str(out), compress_to_fp16=False)
