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
        return _read_bare(path)
    if not (path / f"{_CHECKPOINT}.index").is_file():
        raise ModelError(f"{path} is incomplete", expected=f"{_CHECKPOINT}.index", got="nothing", cure="copy it again")
    return rebuild.from_config(path, _architecture(path), path / _CHECKPOINT, trust)


def _read_bare(path: Path) -> Any:
    """A SavedModel that is a TensorFlow graph and no layers: the place for quantisers that work on graphs."""
    raise ModelError(
        f"{path} is a TensorFlow graph without Keras layers, which cannot be rebuilt",
        expected=f"a SavedModel of Keras 2 with {_LAYERS}",
        got="one made by export() or tf.saved_model.save",
        cure="convert the .keras or .h5 file that it was made from",
    )


def _architecture(path: Path) -> dict[str, Any]:
    """The configuration of the outermost model, without which no layer can be made."""
    if not rebuild.is_installed():
        raise MissingPackageError("tf-keras", f"to read {path.name}, which Keras 2 wrote,", "convert")
    from google.protobuf.message import DecodeError
    from tf_keras.protobuf.saved_metadata_pb2 import SavedMetadata

    found = SavedMetadata()
    try:
        found.ParseFromString((path / _LAYERS).read_bytes())
    except DecodeError as error:
        raise ModelError(f"{_LAYERS} in {path} is damaged", got=str(error), cure="copy it again") from error
    text = next((node.metadata for node in found.nodes if node.node_path == _ROOT), "{}")
    config = parse_config(path, text)
    if not isinstance(config["config"], dict) or "layers" not in config["config"]:
        raise ModelError(
            f"{path} is a subclassed model, which cannot be rebuilt from its layers",
            expected="a functional or sequential model",
            got=config["class_name"],
            cure="write it with keras.Input and keras.Model(inputs, outputs)",
        )
    return config
