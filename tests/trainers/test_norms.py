from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from edgevision.trainers.norms import fused_norms


def network(**options: Any) -> Any:
    keras.utils.set_random_seed(1)
    image = keras.Input((6, 5, 3))
    x = keras.layers.Conv2D(8, 3, padding="same")(image)
    x = keras.layers.BatchNormalization(momentum=0.8, epsilon=2e-3, **options)(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    return keras.Model(image, keras.layers.Dense(2)(keras.layers.BatchNormalization()(x)))


def step(model: Any, fused: bool) -> tuple[Any, list[Any]]:
    images = np.random.default_rng(0).normal(1.0, 2.0, (16, 6, 5, 3)).astype(np.float32)
    with tf.GradientTape() as tape:
        if fused:
            with fused_norms(model):
                outputs = model(images, training=True)
        else:
            outputs = model(images, training=True)
        loss = tf.reduce_sum(outputs**2)
    return np.asarray(outputs), [np.asarray(one) for one in tape.gradient(loss, model.trainable_variables)]


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}])
def test_values_gradients_and_averages_are_those_of_keras(options: dict[str, Any]) -> None:
    plain, fused = network(**options), network(**options)
    (wanted, slopes), (found, others) = step(plain, False), step(fused, True)
    assert np.allclose(found, wanted, rtol=1e-4, atol=1e-5)
    assert all(np.allclose(one, other, rtol=1e-3, atol=1e-4) for one, other in zip(slopes, others))
    norm, other = plain.layers[2], fused.layers[2]
    assert np.allclose(norm.moving_mean, other.moving_mean, atol=1e-6)
    count = 16 * 6 * 5  # values of a channel: the fused kernel's variance is the unbiased one
    batch = (np.asarray(norm.moving_variance) - 0.8) * count / (count - 1)
    assert np.allclose(other.moving_variance, 0.8 + batch, rtol=1e-4)


def test_it_is_really_another_kernel_and_only_for_the_while() -> None:
    model = network()

    def operations(fused: bool) -> list[str]:
        run = tf.function(lambda images: step_outputs(model, images, fused), autograph=False)
        return [op.type for op in run.get_concrete_function(tf.TensorSpec((4, 6, 5, 3))).graph.get_operations()]

    assert "FusedBatchNormV3" not in operations(False)
    assert operations(True).count("FusedBatchNormV3") == 1, "of images, not of rows of features"
    assert "FusedBatchNormV3" not in operations(False)


def step_outputs(model: Any, images: Any, fused: bool) -> Any:
    if not fused:
        return model(images, training=True)
    with fused_norms(model):
        return model(images, training=True)


def test_a_frozen_norm_keeps_its_averages() -> None:
    model = network()
    model.layers[2].trainable = False
    before = [np.array(weight) for weight in model.layers[2].get_weights()]
    step(model, True)
    assert all(np.array_equal(one, other) for one, other in zip(before, model.layers[2].get_weights()))
