"""A .keras file: a zip of config.json, metadata.json and model.weights.h5; or the same three in a directory."""

from __future__ import annotations

import json
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

from edgevision.converters.files import bombs, h5_file, rebuild
from edgevision.converters.files.build import build, parse_config
from edgevision.runtime.errors import ModelError

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_CURE = "save it again with model.save('NAME.keras')"


def read(path: Path, trust: bool) -> Any:
    """The model in it. See ``files.read_model``."""
    if path.is_dir():
        return _assemble(path, path, trust)
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ModelError(
            f"{path} is truncated or damaged", expected="a whole .keras file", got=str(error), cure="copy it again"
        ) from error
    with archive, tempfile.TemporaryDirectory(prefix="edgevision-") as name:
        bombs.check_zip(path, archive)
        folder = Path(name)
        for entry in {_CONFIG, _METADATA, _WEIGHTS} & set(archive.namelist()):
            _unpack(path, archive, entry, folder)
        return _assemble(path, folder, trust)


def _unpack(path: Path, archive: zipfile.ZipFile, entry: str, folder: Path) -> None:
    try:
        bombs.unpack(archive, entry, folder / entry)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{entry} in {path} is damaged", got=str(error), cure="copy it again") from error


def _assemble(path: Path, folder: Path, trust: bool) -> Any:
    """Architecture and weights from the parts in ``folder``."""
    weights = folder / _WEIGHTS
    for part, what in ((folder / _CONFIG, "the architecture"), (weights, "the weights")):
        if not part.is_file():
            got = "weights only" if part.name == _CONFIG and weights.is_file() else f"no {part.name}"
            raise ModelError(f"{path} is no Keras model", expected=f"{what} in {part.name}", got=got, cure=_CURE)
    config = parse_config(path, (folder / _CONFIG).read_bytes())
    with h5_file.opened(weights) as file:
        bombs.check_h5(weights, file)
    if _version(folder / _METADATA).startswith("2"):
        return rebuild.from_config(path, config, weights, trust)
    model = build(path, config, trust)
    model.load_weights(weights)
    return model


def _version(metadata: Path) -> str:
    """The version of Keras that wrote it."""
    try:
        return str(json.loads(metadata.read_bytes()).get("keras_version", ""))
    except (OSError, ValueError, AttributeError):
        return ""
