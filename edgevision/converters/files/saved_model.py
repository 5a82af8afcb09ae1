"""A SavedModel directory. One that Keras 2 wrote is rebuilt from its layers; of others the graph itself is loaded.

The graph will be run, so it is searched first for operations that do more than compute (``graph_safety``).
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevision.converters.files import rebuild
from edgevision.converters.files.build import parse_config
from edgevision.converters.files.graph_safety import check_graph
from edgevision.runtime.errors import MissingPackageError, ModelError

_LAYERS, _CHECKPOINT = "keras_metadata.pb", "variables/variables"
_ROOT = "root"
_GRAPH = "saved_model.pb"
#: What else belongs to the graph.
_PARTS = ("variables", "assets")


@dataclass(frozen=True)
class SavedGraph:
    """A SavedModel without Keras layers.

    Attributes:
        loaded: What ``tf.saved_model.load`` made of it.
        reason: Why there are no layers.
    """

    loaded: Any
    reason: str


def read(path: Path, trust: bool) -> Any:
    """The model in it, or a SavedGraph. See ``files.read_model``."""
    if not (path / _LAYERS).is_file():
        return _read_bare(path, "a TensorFlow graph without Keras layers", trust)
    if not (path / f"{_CHECKPOINT}.index").is_file():
        raise ModelError(f"{path} is incomplete", expected=f"{_CHECKPOINT}.index", got="nothing", cure="copy it again")
    config = _architecture(path)
    if not isinstance(config.get("config"), dict) or "layers" not in config["config"]:
        return _read_bare(path, f"subclassed model {config['class_name']}: its layers cannot be seen", trust)
    return rebuild.from_config(path, config, path / _CHECKPOINT, trust)


def _read_bare(path: Path, reason: str, trust: bool) -> SavedGraph:
    """A SavedModel that cannot be rebuilt from layers."""
    import tensorflow as tf

    content = (path / _GRAPH).read_bytes()
    check_graph(path, content, trust)
    # Loaded is what was searched: the very bytes, with none of the other files in which TensorFlow might look for one.
    with tempfile.TemporaryDirectory(prefix="edgevision-") as name:
        folder = Path(name)
        (folder / _GRAPH).write_bytes(content)
        for part in _PARTS:
            if (path / part).is_dir():
                (folder / part).symlink_to((path / part).resolve(), target_is_directory=True)
        return SavedGraph(tf.saved_model.load(str(folder)), reason)


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
