"""Any callable Keras model or SavedModel as a SavedModel that takes one image of raw pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.formats.exported import INPUT, OUTPUT
from edgevision.runtime.errors import ModelError
from edgevision.runtime.spec import Preprocessing


def save_float(model: Any, preprocessing: Preprocessing, folder: Path) -> Path:
    """Write a SavedModel that normalises pixels itself, with the batch fixed to 1.

    Args:
        model: keras.Model of any kind (it only has to be callable), or path of a SavedModel folder.
        preprocessing: From raw pixels to what the model takes.
        folder: Where to write.

    Returns:
        ``folder``. Input "image" float32 (1, H, W, C), raw pixels 0..255; output "output" float32.

    Raises:
        ModelError: The SavedModel has no usable signature, or the model has several outputs.
    """
    import keras
    import tensorflow as tf

    tracked = tf.saved_model.load(str(model)) if isinstance(model, str | Path) else model
    answer = _signature(tracked, model) if isinstance(model, str | Path) else _call_of(model)
    # One number for all channels where it is one: TensorFlow can then move it into the first convolution, and no
    # quantiser spends a rounding on it.
    mean, scale = (_one_if_equal(item) for item in (preprocessing.mean, preprocessing.scale))

    def predict(image: Any) -> dict[str, Any]:
        pixels = image if not mean.any() else image - mean
        values = tf.nest.flatten(answer(pixels if preprocessing.is_raw else pixels * scale))
        if len(values) != 1:
            raise ModelError("the model has several outputs", expected="one", got=str(len(values)))
        return {OUTPUT: tf.cast(values[0], tf.float32)}

    shape = (1, preprocessing.height, preprocessing.width, preprocessing.channels)
    archive = keras.export.ExportArchive()
    archive.track(tracked)
    archive.add_endpoint("serving_default", predict, input_signature=[tf.TensorSpec(shape, tf.float32, name=INPUT)])
    archive.write_out(str(folder), verbose=False)
    return folder


def _one_if_equal(values: tuple[float, ...]) -> NDArray[np.float32]:
    return np.asarray(values[0] if len(set(values)) == 1 else values, np.float32)


def _call_of(model: Any) -> Callable[[Any], Any]:
    return lambda values: model(values, training=False)


def _signature(loaded: Any, path: Any) -> Callable[[Any], Any]:
    signature = dict(loaded.signatures).get("serving_default")
    if signature is None:
        raise ModelError(
            f"{path} cannot be called",
            expected="a SavedModel with the signature serving_default",
            got=", ".join(loaded.signatures) or "no signature",
            cure="export it again with model.export(...)",
        )
    taken = list(signature.structured_input_signature[1])
    if len(taken) != 1:
        raise ModelError(f"{path} is no image classifier", expected="one input", got=", ".join(taken) or "none")
    return lambda values: signature(**{taken[0]: values})
