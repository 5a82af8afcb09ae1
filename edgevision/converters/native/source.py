"""Any callable Keras model or SavedModel as a SavedModel that takes one image of raw pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.files.saved_model import SavedGraph
from edgevision.converters.formats.exported import INPUT, OUTPUT
from edgevision.runtime.errors import ModelError
from edgevision.runtime.spec import Preprocessing


@dataclass(frozen=True)
class Network:
    """A model of which nothing is known but that it can be called.

    Attributes:
        tracked: What holds its variables.
        call: From one tensor of normalised pixels to the list of its outputs.
        shape: Of its input, the batch first; None for what it leaves open. None when nothing is known of it.
        dtype: Of its input.
    """

    tracked: Any
    call: Callable[[Any], list[Any]]
    shape: tuple[int | None, ...] | None
    dtype: str


def network_of(model: Any, name: str) -> Network:
    """What a keras.Model of any kind, or a ``SavedGraph``, offers without its layers.

    Args:
        model: It only has to be callable.
        name: What to call it in errors.

    Raises:
        ModelError: A SavedModel has no usable signature, or a Keras model takes several arrays.
    """
    import tensorflow as tf

    if isinstance(model, SavedGraph):
        signature = _signature(model.loaded, name)
        ((key, spec),) = signature.structured_input_signature[1].items()
        shape = None if spec.shape.rank is None else tuple(spec.shape)

        def run(values: Any) -> list[Any]:
            found: list[Any] = tf.nest.flatten(signature(**{key: values}))
            return found

        return Network(model.loaded, run, shape, str(spec.dtype.name))
    return Network(model, lambda values: tf.nest.flatten(model(values, training=False)), _built(model, name), "float32")


def _built(model: Any, name: str) -> tuple[int | None, ...] | None:
    """The shape that a model was built or first called with, the batch open; None when it was not."""
    found = (model.get_build_config() or {}) if model.built else {}
    shape = found.get("input_shape")
    if "shapes_dict" in found or (shape is not None and not all(size is None or type(size) is int for size in shape)):
        raise ModelError(
            f"{name} is no image classifier", expected="one input", got=str(found.get("shapes_dict", shape))
        )
    return None if shape is None else (None, *shape[1:])


def _signature(loaded: Any, name: str) -> Any:
    signature = dict(loaded.signatures).get("serving_default")
    if signature is None:
        raise ModelError(
            f"{name} cannot be called",
            expected="a SavedModel with the signature serving_default",
            got=", ".join(loaded.signatures) or "no signature",
            cure="export it again with model.export(...)",
        )
    taken = list(signature.structured_input_signature[1])
    if len(taken) != 1:
        raise ModelError(f"{name} is no image classifier", expected="one input", got=", ".join(taken) or "none")
    return signature


def save_float(network: Network, preprocessing: Preprocessing, folder: Path) -> Path:
    """Write a SavedModel that normalises pixels itself, with the batch fixed to 1.

    Args:
        network: One image in, one output.
        preprocessing: From raw pixels to what the model takes.
        folder: Where to write.

    Returns:
        ``folder``. Input "image" float32 (1, H, W, C), raw pixels 0..255; output "output" float32.
    """
    import keras
    import tensorflow as tf

    # One number for all channels where it is one: TensorFlow can then move it into the first convolution, and no
    # quantiser spends a rounding on it.
    mean, scale = (_one_if_equal(item) for item in (preprocessing.mean, preprocessing.scale))

    def predict(image: Any) -> dict[str, Any]:
        pixels = image if not mean.any() else image - mean
        (values,) = network.call(pixels if preprocessing.is_raw else pixels * scale)
        return {OUTPUT: tf.cast(values, tf.float32)}

    shape = (1, preprocessing.height, preprocessing.width, preprocessing.channels)
    archive = keras.export.ExportArchive()
    archive.track(network.tracked)
    archive.add_endpoint("serving_default", predict, input_signature=[tf.TensorSpec(shape, tf.float32, name=INPUT)])
    archive.write_out(str(folder), verbose=False)
    return folder


def _one_if_equal(values: tuple[float, ...]) -> NDArray[np.float32]:
    return np.asarray(values[0] if len(set(values)) == 1 else values, np.float32)
