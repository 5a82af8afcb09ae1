"""Masks as pycocotools takes them: runs of pixels, column by column."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets.outlines import Outline
from edgevision.runtime.errors import MissingPackageError

#: ``size`` (height, width) and ``counts``, COCO's text of the runs' lengths.
Runs = dict[str, Any]


def runs_of_mask(mask: NDArray[np.bool_]) -> Runs:
    """The runs of a mask, bool (height, width).

    Raises:
        MissingPackageError: pycocotools is not installed.
    """
    runs: Runs = _pycocotools().encode(np.asfortranarray(mask, np.uint8))
    return runs


def runs_of_outline(outline: Outline, size: tuple[int, int]) -> Runs:
    """The runs of an object's outline as a data set has it.

    Args:
        outline: The outline.
        size: Height and width of the image, pixels.

    Raises:
        MissingPackageError: pycocotools is not installed.
    """
    tools = _pycocotools()
    if isinstance(outline, list):
        merged: Runs = tools.merge(tools.frPyObjects(outline, *size))
        return merged
    return outline if isinstance(outline["counts"], str) else dict(tools.frPyObjects(outline, *size))


def _pycocotools() -> Any:
    try:
        from pycocotools import mask
    except ImportError as error:
        raise MissingPackageError("pycocotools", "to compare masks", "metrics") from error
    return mask
