"""Labelled and unlabelled images, read lazily, decoded by the runtime; one reader per kind of label."""

from __future__ import annotations

from edgevision.datasets.boxes import BoxDataset, Boxes, open_boxes
from edgevision.datasets.clips import ClipDataset, WindowDataset, open_clips
from edgevision.datasets.dataset import Dataset, Sample
from edgevision.datasets.masks import MaskDataset, open_masks
from edgevision.datasets.opening import DataSource, open_dataset, open_images
from edgevision.datasets.pairs import PairDataset, open_pairs
from edgevision.datasets.tags import TagDataset, open_tags

__all__ = [
    "BoxDataset",
    "Boxes",
    "ClipDataset",
    "DataSource",
    "Dataset",
    "MaskDataset",
    "PairDataset",
    "Sample",
    "TagDataset",
    "WindowDataset",
    "open_boxes",
    "open_clips",
    "open_dataset",
    "open_images",
    "open_masks",
    "open_pairs",
    "open_tags",
]
