"""Keras, imported only when something is trained, and what is installed with it."""

from __future__ import annotations

import importlib.metadata
import os
from typing import Any

from edgevision.runtime.errors import InputError, MissingPackageError


def import_keras() -> Any:
    """The keras module.

    Raises:
        MissingPackageError: Keras or the engine below it is not installed.
    """
    # TensorFlow reports its own start-up on stderr; a setting of the user's comes first.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import keras
    except ImportError as error:
        package = "keras" if error.name in (None, "keras") else str(error.name)
        raise MissingPackageError(package, "to train", "train") from error
    return keras


def import_tensorflow() -> Any:
    """The tensorflow module, below Keras as its engine.

    Raises:
        MissingPackageError: It is not installed.
        InputError: Keras is set to another engine.
    """
    keras = import_keras()
    if keras.backend.backend() != "tensorflow":
        cure = "unset KERAS_BACKEND"
        raise InputError("trainers need TensorFlow below Keras", got=keras.backend.backend(), cure=cure)
    import tensorflow

    return tensorflow


def package_version(package: str) -> str | None:
    """Version of an installed package, read without importing it; None when it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
