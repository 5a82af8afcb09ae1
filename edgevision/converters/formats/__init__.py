"""One Keras model to one artifact. Every file here is one format and has the same verbs:

``export(source, path)`` writes the model file; ``embed(path, text)`` puts the essentials into it;
``kernels(path)`` lists its multiply-accumulate operators and whether they are int8, read from the file;
``executed(path)`` lists the operators the engine really runs, (type, whether int8), read from the loaded engine;
``needs(path)`` says what a device must have to run it rightly, read from the file.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Protocol, cast

from edgevision.converters.formats.exported import Kernel, Source

#: format -> suffix of its model file
SUFFIXES = {"tflite": ".tflite", "onnx": ".onnx", "openvino": ".xml"}


#: (format, precision) that is not made -> why.
NOT_MADE = {
    ("onnx", "int16x8"): "ONNX Runtime has no kernels for 16-bit activations: it would compute in float, slower",
    ("openvino", "int16x8"): "OpenVINO has no kernels for 16-bit activations",
}


class Format(Protocol):
    """The verbs of one format."""

    def export(self, source: Source, path: Path) -> None:
        """Write the model file (and what belongs to it)."""

    def embed(self, path: Path, text: str) -> None:
        """Store ``text`` in the model file under the key "edgevision"."""

    def kernels(self, path: Path) -> list[Kernel]:
        """Multiply-accumulate operators of the file."""

    def executed(self, path: Path) -> list[tuple[str, bool]]:
        """Multiply-accumulate operators of the engine's loaded graph: (type, whether int8)."""

    def needs(self, path: Path) -> tuple[str, ...]:
        """What a device must have to run the file rightly (``runtime.needs``)."""


def of(name: str) -> Format:
    """The module of a format: "tflite", "onnx" or "openvino"."""
    return cast(Format, importlib.import_module(f"edgevision.converters.formats.{name}"))
