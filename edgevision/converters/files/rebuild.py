"""A model of Keras 2, read by tf-keras and built again in Keras 3, weight by weight."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.converters.files.build import build
from edgevision.converters.files.nodes import valid_name
from edgevision.runtime.errors import MissingPackageError, ModelError

#: Size that stands in for one that the model leaves open, pixels or steps, while the two models are compared.
_OPEN = 64
_TOLERANCE = 1e-3


def is_installed() -> bool:
    """Whether tf-keras is there."""
    return importlib.util.find_spec("tf_keras") is not None


def from_config(path: Path, config: dict[str, Any], weights: Path, trust: bool) -> Any:
    """The Keras 3 model with the architecture ``config`` and the weights that tf-keras reads from ``weights``.

    Nothing of the file is run: tf-keras builds the same checked configuration, and weights are plain arrays.

    Args:
        path: The model's file, for messages.
        config: Configuration written by Keras 2.
        weights: An .h5 file, or the prefix of a TensorFlow checkpoint.
        trust: Run the code that the configuration needs.

    Raises:
        UnsafeModelError: It needs code, and ``trust`` is not given.
        ModelError: It cannot be rebuilt, or what was rebuilt computes something else.
        MissingPackageError: tf-keras is not installed.
    """
    model = build(path, config, trust)
    if not is_installed():
        raise MissingPackageError("tf-keras", f"to read {path.name}, which Keras 2 wrote,", "convert")
    import tf_keras

    old = tf_keras.models.model_from_config(_bare(config))
    status = old.load_weights(str(weights))
    if status is not None:  # of a checkpoint
        status.assert_existing_objects_matched().expect_partial()
    _carry(path, old, model)
    _compare(path, old, model)
    return model


def _bare(node: Any) -> Any:
    """The configuration as Keras 2 wrote it before it noted modules: the form that every tf-keras reads."""
    if isinstance(node, list):
        return [_bare(item) for item in node]
    if not isinstance(node, dict):
        return node
    drop = ("module", "registered_name", "build_config", "compile_config") if "class_name" in node else ()
    return {key: _bare(value) for key, value in node.items() if key not in drop}


def _carry(path: Path, old: Any, new: Any) -> None:
    """Every layer's weights from ``old`` to the layer of the same name in ``new``; models inside them in turn."""
    layers = {layer.name: layer for layer in new.layers}
    for layer in old.layers:
        target = layers.get(valid_name(layer.name))
        values = layer.get_weights()
        if not values and (target is None or not target.weights):
            continue
        if target is not None and hasattr(layer, "layers") and hasattr(target, "layers"):
            _carry(path, layer, target)
            continue
        values = values[: len(target.weights)] if type(target).__name__ == "Normalization" and target else values
        wanted = [tuple(weight.shape) for weight in target.weights] if target is not None else []
        if target is None or wanted != [value.shape for value in values]:
            raise ModelError(
                f"layer {layer.name!r} of {path} cannot be rebuilt in Keras 3",
                expected=f"weights of shapes {wanted}",
                got=str([value.shape for value in values]),
                cure="rebuild the model in Keras 3, or pass the model in memory",
            )
        target.set_weights(values)
        if hasattr(target, "finalize_state"):
            target.finalize_state()


def _compare(path: Path, old: Any, new: Any) -> None:
    """Both models on the same numbers: what was rebuilt has to compute what was saved."""
    rng = np.random.default_rng(0)
    feeds = [_numbers(rng, item) for item in new.inputs]
    before, after = (_answers(model, feeds) for model in (old, new))
    for one, other in zip(before, after):
        scale = max(1.0, float(np.abs(one).max(initial=0.0)))
        error = float(np.abs(one - other).max(initial=0.0)) if one.shape == other.shape else float("inf")
        if not error <= _TOLERANCE * scale:
            raise ModelError(
                f"{path} cannot be rebuilt in Keras 3",
                expected="the outputs of Keras 2",
                got=f"others, by up to {error / scale:.2g}",
                cure="rebuild the model in Keras 3, or pass the model in memory",
            )


def _numbers(rng: np.random.Generator, spec: Any) -> Any:
    shape = [1 if size is None and axis == 0 else size or _OPEN for axis, size in enumerate(spec.shape)]
    if "int" in str(spec.dtype):
        return np.zeros(shape, str(spec.dtype))
    return rng.uniform(0, 1, shape).astype(np.float32)


def _answers(model: Any, feeds: list[Any]) -> list[Any]:
    outputs = model(feeds[0] if len(feeds) == 1 else feeds, training=False)
    return [np.asarray(item, np.float32) for item in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]
