"""A model that gives every image the same answer: exported faithfully, and said to be of no use."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from edgevision.converters.convert import convert


def test_a_model_that_learned_nothing(tmp_path: Path) -> None:
    image = keras.Input((8, 8, 3))
    tensor = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, activation="relu")(image))
    model = keras.Model(image, keras.layers.Dense(3, kernel_initializer="zeros", bias_initializer="ones")(tensor))
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "data.npz",
        images=rng.integers(0, 256, (24, 8, 8, 3), np.uint8),
        labels=np.arange(24) % 3,
        label_names=np.array(["a", "b", "c"]),
    )
    data = tmp_path / "data.npz"
    bundle = convert(model, data, tmp_path / "m.edge", evaluate=data, preprocess="unit", max_drop=50)
    gate = bundle.manifest.gate
    assert gate is not None and gate.passed
    assert any("gives all 24 the same answer" in warning for warning in gate.warnings)
    assert all(artifact.parity is not None and artifact.parity.passed for artifact in bundle.manifest.artifacts)
