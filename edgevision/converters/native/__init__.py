"""Each format's own post-training quantiser, for models that cannot be rebuilt layer by layer.

Subclassed models and bare SavedModels hide their layers, so the one quantised Keras model cannot be made of them.
tflite.py, onnx.py and openvino.py have the same verbs. ``convert(saved_model, out)`` makes a float model of the format;
``take_pixels(source, out)`` and ``quantize(source, batches, out, accurate=...)`` make of it a float and an int8 model
with the input and output of our own exports: raw pixels uint8 (1, H, W, C) in, float32 out, named "image" and "output".
``convert_opaque`` (convert.py) makes a checked bundle of them.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Protocol, cast

from edgevision.converters.quantize.observe import Batches


class NativeQuantizer(Protocol):
    """The verbs of one format.

    Attributes:
        PACKAGE: Of the ``CANDIDATES``, by its name in package registries.
        METHODS: Quantisers and settings by name; the first is its package's default.
        ACCURATE: The one that ``accurate=True`` takes.
        CANDIDATES: Those that are tried on a model, of which the one nearest to float is kept: none wins everywhere.
    """

    PACKAGE: str
    METHODS: tuple[str, ...]
    ACCURATE: str
    CANDIDATES: tuple[str, ...]

    def convert(self, saved_model: Path, out: Path) -> None:
        """Write the float model of this format.

        Args:
            saved_model: Folder (``source.save_float``); raw pixels float32 (1, H, W, C) in, one float32 output.
            out: The file to write (OpenVINO: the .xml; a .bin is written beside it).
        """

    def take_pixels(self, source: Path, out: Path) -> None:
        """Write a model of this format with uint8 pixels for its input, and input and output named."""

    def quantize(
        self, source: Path, batches: Batches, out: Path, *, accurate: bool = True, method: str | None = None
    ) -> None:
        """Write the int8 model file.

        Args:
            source: A float model of this format, or a SavedModel folder (``source.save_float``); raw pixels float32
                (1, H, W, C) in, one float32 output.
            batches: Calibration images; called once per pass, yields {"image": uint8 (n, H, W, C)}.
            out: The file to write (OpenVINO: the .xml; a .bin is written beside it).
            accurate: Take the package's most accurate setting rather than its default.
            method: One of ``METHODS``, in place of ``accurate``.
        """


def of(name: str) -> NativeQuantizer:
    """The module of a format: "tflite", "onnx" or "openvino"."""
    return cast(NativeQuantizer, importlib.import_module(f"edgevision.converters.native.{name}"))
