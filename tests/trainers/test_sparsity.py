from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from edgevision.datasets import Dataset
from edgevision.trainers.sparsity import Sparsifier, prunable, sparsity_of
from edgevision.trainers.train import train


def test_the_trained_model_is_as_sparse_as_asked(few: Dataset, tmp_path: Path) -> None:
    train(few, tmp_path / "m.keras", epochs=2, batch_size=25, sparsity=0.75)
    model = keras.saving.load_model(tmp_path / "m.keras")
    assert abs(sparsity_of(model) - 0.75) < 1e-3
    assert (model.layers[1].kernel.numpy() != 0).all(), "864 weights of the first layer are too few to prune"


def test_the_smallest_go_and_never_come_back() -> None:
    model = keras.Sequential([keras.Input((40,)), keras.layers.Dense(50), keras.layers.Dense(3)])
    (kernel,) = prunable(model)
    sparsifier, before = Sparsifier(model, 0.5, 100), kernel.numpy()
    gone = np.zeros(before.shape, bool)
    for step in range(1, 101):
        sparsifier(step)
        now = kernel.numpy() == 0
        assert (now | ~gone).all(), "what was zero stays zero"
        gone = now
        kernel.assign(np.where(gone, 1.0, kernel.numpy()))  # what an optimizer would do to them
    assert sparsifier.is_done and gone.mean() == 0.5
    assert np.abs(before[gone]).max() < np.abs(before[~gone]).min()


def test_a_resumed_training_goes_on_with_its_zeros() -> None:
    model = keras.Sequential([keras.Input((40,)), keras.layers.Dense(50)])
    (kernel,) = prunable(model)
    Sparsifier(model, 0.5, 100)(60)
    zeros = kernel.numpy() == 0
    kernel.assign(kernel.numpy() * 1e6)
    again = Sparsifier(model, 0.5, 100)
    again(61)
    assert zeros.any() and (kernel.numpy()[zeros] == 0).all()
