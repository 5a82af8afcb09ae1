"""A configuration to a Keras 3 model without its weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgevision.converters.files.legacy import modernize
from edgevision.converters.files.safety import check_safe
from edgevision.runtime.errors import ModelError


def parse_config(path: Path, text: str | bytes) -> dict[str, Any]:
    """The configuration in a model file.

    Raises:
        ModelError: It is no configuration of a model.
    """
    try:
        config = json.loads(text, object_hook=_without_tuples)
    except ValueError as error:
        raise ModelError(f"the configuration in {path} is damaged", got=str(error), cure="copy it again") from error
    if isinstance(config, dict) and isinstance(config.get("class_name"), str):
        return config
    raise ModelError(
        f"{path} holds no Keras model",
        expected="the configuration of one",
        got=f"one with {', '.join(list(config)[:5])}" if isinstance(config, dict) else type(config).__name__,
        cure="save it with model.save('NAME.keras')",
    )


def _without_tuples(found: dict[str, Any]) -> Any:
    """TensorFlow's encoder marks tuples and shapes; lists do."""
    if found.get("class_name") in ("__tuple__", "TensorShape") and "items" in found:
        return found["items"]
    return found


def build(path: Path, config: dict[str, Any], trust: bool) -> Any:
    """The keras.Model that a configuration describes.

    Args:
        path: The file it came from, for messages.
        config: Written by Keras 2 or 3.
        trust: Run the code that it needs. Keras' own global switch for that is left as it is.

    Raises:
        UnsafeModelError: It needs code, and ``trust`` is not given.
        ModelError: It needs code that cannot be found, or describes no model.
        UnsupportedLayerError: A layer was used in a way that Keras 3 does not have.
    """
    import keras

    custom = check_safe(path, config, trust)
    model = keras.saving.deserialize_keras_object(modernize(config), custom_objects=custom, safe_mode=not trust)
    if isinstance(model, keras.Model):
        return model
    raise ModelError(f"{path} holds no Keras model", expected="a model", got=f"a {type(model).__name__}")
