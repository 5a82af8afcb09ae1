"""What each model file carries inside itself, so that a lone file can be loaded and predicts with the right labels."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from edgevision.runtime.errors import BundleError, BundleVersionError
from edgevision.runtime.flatbuffer import tflite_metadata
from edgevision.runtime.manifest import SCHEMA_VERSION, Artifact, Manifest, from_plain, to_plain
from edgevision.runtime.protobuf import onnx_metadata

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

#: Name of the ONNX metadata property, of the TFLite metadata buffer and of the OpenVINO rt_info entry.
KEY = "edgevision"

_CURE = "load the NAME.edge directory; of a model made elsewhere say task=, preprocess= and labels= (docs/import.md)"


def essentials(manifest: Manifest, artifact: Artifact) -> str:
    """One line of JSON: the manifest with this artifact only, without hashes and without what is measured later."""
    bare = dataclasses.replace(artifact, files=(), parity=None, agreement=None)
    kept = (manifest.task, manifest.labels, manifest.scores, manifest.preprocessing)
    reduced = Manifest(*kept, (bare,), head=manifest.head)
    return json.dumps(to_plain(reduced), sort_keys=True, separators=(",", ":"), allow_nan=False)


def read_embedded(source: str | os.PathLike[str] | bytes, format: str) -> Manifest:
    """The manifest inside a model file: exactly one artifact.

    Args:
        source: The model file's path or bytes (for OpenVINO the .xml).
        format: "tflite", "onnx" or "openvino".

    Raises:
        BundleError: The file cannot be read, was not made by edgevision, or is damaged.
        BundleVersionError: It was made by a newer edgevision.
    """
    text = _metadata(source if isinstance(source, bytes) else _read(Path(source)), format)
    if text is None:
        raise BundleError(
            "the model carries no labels and no preprocessing", expected="a model made by edgevision", cure=_CURE
        )
    try:
        plain = json.loads(text)
        version = plain.get("schema_version")
    except (ValueError, AttributeError, RecursionError) as error:
        raise BundleError("the labels and preprocessing inside the model are damaged", cure=_CURE) from error
    if isinstance(version, int) and version > SCHEMA_VERSION:
        cure = "pip install --upgrade edgevision"
        raise BundleVersionError("the model is newer than this edgevision", got=f"schema {version}", cure=cure)
    manifest = from_plain(Manifest, plain)
    if len(manifest.artifacts) != 1 or manifest.artifacts[0].format != format:
        raise BundleError(
            "the model's own description is not of this model", expected=f"one {format} artifact", cure=_CURE
        )
    return manifest


def has_embedded(data: bytes, format: str) -> bool:
    """Whether a model file was made by edgevision.

    Raises:
        BundleError: The file is damaged.
    """
    return _metadata(data, format) is not None


def _metadata(data: bytes, format: str) -> bytes | None:
    return {"tflite": tflite_metadata, "onnx": onnx_metadata, "openvino": openvino_metadata}[format](data, KEY)


def openvino_metadata(data: bytes, name: str) -> bytes | None:
    """The value of the rt_info entry of that name in an .xml, None when there is none.

    Raises:
        BundleError: The bytes are not XML.
    """
    entry = openvino_xml(data).find(f"rt_info/{name}")
    value = None if entry is None else entry.get("value")
    return None if value is None else value.encode()


def openvino_xml(data: bytes) -> Element:
    """The root of an .xml.

    Raises:
        BundleError: The bytes are not XML.
    """
    from xml.etree import ElementTree

    try:
        return ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise BundleError("the file is not a readable OpenVINO model", expected="XML", got=str(error)) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read", got=error.strerror or str(error), cure="check the path") from error
