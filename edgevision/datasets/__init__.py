"""Labelled and unlabelled images, read lazily, decoded by the runtime."""

from __future__ import annotations

from edgevision.datasets.dataset import Dataset, Sample
from edgevision.datasets.opening import DataSource, open_dataset, open_images

__all__ = ["DataSource", "Dataset", "Sample", "open_dataset", "open_images"]
