"""An .h5 file of Keras 2 or 3: the configuration in an attribute, the weights in groups."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

from edgevision.converters.files import bombs, rebuild
from edgevision.converters.files.build import build, parse_config
from edgevision.converters.files.problems import is_memory
from edgevision.runtime.errors import ModelError


def read(path: Path, trust: bool) -> Any:
    """The model in it; through tf-keras if Keras 3 cannot place its weights. See ``files.read_model``."""
    with opened(path) as file:
        bombs.check_h5(path, file)
        text = _config(path, file)
    config = parse_config(path, text)
    model = build(path, config, trust)
    with tempfile.TemporaryDirectory(prefix="edgevision-") as folder:
        weights = Path(folder, "model.h5")  # Keras chooses the reader by the suffix
        weights.symlink_to(path.resolve())
        try:
            model.load_weights(weights)
        except (ValueError, KeyError, IndexError) as error:
            if is_memory(error) or not rebuild.is_installed():
                raise
            return rebuild.from_config(path, config, weights, trust)
    return model


def opened(path: Path) -> Any:
    """The file, open for reading: h5py.File, a context manager.

    Raises:
        ModelError: It is truncated or damaged.
    """
    import h5py

    try:
        return h5py.File(path, "r")
    except (OSError, RuntimeError) as error:
        if is_memory(error):
            raise
        reason = " ".join(str(error).split())
        raise ModelError(
            f"{path} is truncated or damaged", expected="a whole HDF5 file", got=reason, cure="copy it again"
        ) from error


def _config(path: Path, file: Any) -> str | bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, about attributes in old encodings
        text = file.attrs.get("model_config")
    if isinstance(text, (str, bytes)):
        return text
    is_weights = "layer_names" in file.attrs or any(
        name in file for name in ("layers", "_layer_checkpoint_dependencies")
    )
    raise ModelError(
        f"{path} holds no Keras model",
        expected="architecture and weights",
        got="weights only" if is_weights else f"an HDF5 file of {', '.join(sorted(file)[:5]) or 'nothing'}",
        cure="build the model in Python, call model.load_weights on this file, and save all of it with model.save(...)"
        if is_weights
        else "save it with model.save('NAME.keras')",
    )
