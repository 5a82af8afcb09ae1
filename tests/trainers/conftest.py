"""Real images in small numbers: 20 of each CIFAR-10 class."""

from __future__ import annotations

import numpy as np
import pytest

from edgevision.datasets import Dataset, open_dataset
from tests.shared_data import shared_path


@pytest.fixture(scope="session")
def few() -> Dataset:
    data = open_dataset(shared_path("cifar10_png.zip"), "train")
    return data.subset(np.concatenate([np.flatnonzero(data.targets == label)[:20] for label in range(10)]))
