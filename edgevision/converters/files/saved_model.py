"""A SavedModel directory. One that Keras 2 wrote is rebuilt from its layers; its TensorFlow graph is never run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevision.converters.files import rebuild
from edgevision.converters.files.build import parse_config
from edgevision.runtime.errors import MissingPackageError, ModelError

_LAYERS, _CHECKPOINT = "keras_metadata.pb", "variables/variables"
_ROOT = "root"


def read(path: Path, trust: bool) -> Any:
    """The model in it. See ``files.read_model``."""
    if not (path / _LAYERS).is_file():
        return _read_bare(path, "a TensorFlow graph without Keras layers")
    if not (path / f"{_CHECKPOINT}.index").is_file():
        raise ModelError(f"{path} is incomplete", expected=f"{_CHECKPOINT}.index", got="nothing", cure="copy it again")
    config = _architecture(path)
    if not isinstance(config.get("config"), dict) or "layers" not in config["config"]:
        return _read_bare(path, f"a subclassed model, {config['class_name']}")
    return rebuild.from_config(path, config, path / _CHECKPOINT, trust)


def _read_bare(path: Path, got: str) -> Any:
    """A SavedModel that cannot be rebuilt from layers: the place for quantisers that work on TensorFlow's graph."""
    raise ModelError(
        f"{path} cannot be rebuilt as a Keras model",
        expected=f"a functional or sequential model of Keras 2, with {_LAYERS}",
        got=got,
        cure="convert the .keras or .h5 file that it was made from, or write it with keras.Model(inputs, outputs)",
    )


def _architecture(path: Path) -> dict[str, Any]:
    """What Keras 2 noted about the outermost model."""
    if not rebuild.is_installed():
        raise MissingPackageError("tf-keras", f"to read {path.name}, which Keras 2 wrote,", "convert")
    from google.protobuf.message import DecodeError
    from tf_keras.protobuf.saved_metadata_pb2 import SavedMetadata

    found = SavedMetadata()
    try:
        found.ParseFromString((path / _LAYERS).read_bytes())
    except DecodeError as error:
        raise ModelError(f"{_LAYERS} in {path} is damaged", got=str(error), cure="copy it again") from error
    noted = parse_config(path, next((node.metadata for node in found.nodes if node.node_path == _ROOT), "{}"))
    return {key: noted[key] for key in ("class_name", "config") if key in noted}
