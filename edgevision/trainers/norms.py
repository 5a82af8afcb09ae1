"""Batch normalisation of a training step by TensorFlow's fused kernel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edgevision.trainers.engine import import_keras, import_tensorflow


@contextmanager
def fused_norms(model: Any) -> Iterator[None]:
    """While a training step of ``model`` is traced, its batch norms over images are one operation each.

    Keras 3 writes them as a dozen elementwise operations, which took a quarter to a third of the processor time of
    residual networks. Values are the same, but for the moving variance, which is the unbiased one, as in TensorFlow
    always. Layers are as before afterwards, so what is saved is not concerned.
    """
    norms = [layer for layer in model._flatten_layers() if _can_be_fused(layer)]
    for layer in norms:
        object.__setattr__(layer, "call", _fused(layer))
    try:
        yield
    finally:
        for layer in norms:
            object.__delattr__(layer, "call")


def _can_be_fused(layer: Any) -> bool:
    keras = import_keras()
    if type(layer) is not keras.layers.BatchNormalization or layer.renorm:
        return False
    return layer.compute_dtype == "float32" and len(layer.input.shape) == 4 and layer.axis in (-1, 3)


def _fused(layer: Any) -> Any:
    original, tf = layer.call, import_tensorflow()

    def call(inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if not training or not layer.trainable:
            return original(inputs, training=training, mask=mask)
        width = inputs.shape[-1]
        gamma = layer.gamma if layer.scale else tf.ones(width)
        beta = layer.beta if layer.center else tf.zeros(width)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(inputs, gamma, beta, epsilon=layer.epsilon)
        for moving, found in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
            moving.assign(moving * layer.momentum + found * (1.0 - layer.momentum))
        return outputs

    return call
