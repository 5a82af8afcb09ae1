"""Detections to and from ``supervision.Detections``, by its attributes: it need not be installed to read one."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from edgevision.runtime.errors import InputError, MissingPackageError
from edgevision.runtime.results.detections import Detections, pixel_window


def to_supervision(found: Detections) -> Any:
    """See ``Detections.to_supervision``."""
    try:
        supervision = importlib.import_module("supervision")
    except ModuleNotFoundError as error:
        raise MissingPackageError("supervision", "to convert detections to its own") from error
    full = [found.mask(index) for index in range(len(found))]
    masks = None if found.masks is None else np.array(full, np.bool_).reshape(len(found), *found.size)
    return supervision.Detections(
        xyxy=found.boxes.copy(),
        mask=masks,
        confidence=found.scores.copy(),
        class_id=found.class_ids.astype(int),
        data={"class_name": np.array(found.names, dtype=str)},
    )


def from_supervision(found: Any, labels: tuple[str, ...], size: tuple[int, int]) -> Detections:
    """See ``Detections.from_supervision``."""
    height, width = size
    boxes = np.clip(np.asarray(found.xyxy, np.float32).reshape(-1, 4), 0, [width, height, width, height])
    boxes = boxes.astype(np.float32)
    count = len(boxes)
    if found.class_id is None and len(labels) != 1:
        raise InputError(
            "the detections have no classes", expected="class_id, or one label", got=f"{len(labels)} labels"
        )
    classes = np.zeros(count, np.int64) if found.class_id is None else np.asarray(found.class_id).astype(np.int64)
    scores = np.ones(count) if found.confidence is None else np.asarray(found.confidence)
    masks = None
    if found.mask is not None:
        full = np.asarray(found.mask, np.bool_)
        if full.shape != (count, *size):
            raise InputError("the masks do not fit", expected=f"({count}, {height}, {width})", got=str(full.shape))
        windows = [pixel_window(box) for box in boxes]
        masks = tuple(mask[t:b, left:right].copy() for mask, (t, left, b, right) in zip(full, windows))
    return Detections(boxes, scores.astype(np.float32), classes, labels, size, masks)
