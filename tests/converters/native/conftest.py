from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.converters.models import pictures
from tests.converters.native.models import Hidden


@pytest.fixture(scope="session")
def hidden() -> Any:
    """A trained subclassed model; takes pixels / 255."""
    keras.utils.set_random_seed(0)
    images, targets = pictures(320, seed=1)
    model = Hidden()
    model.compile(keras.optimizers.Adam(5e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit((images / 255).astype(np.float32), targets, epochs=12, verbose=0)
    return model


@pytest.fixture(scope="session")
def graph(hidden: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a SavedModel that knows nothing of Keras."""
    path = tmp_path_factory.mktemp("graph") / "graph"
    hidden.export(str(path), verbose=False)
    return path
