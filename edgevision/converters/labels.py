"""Class names: from the caller, the model, or the data it is judged on; never made up."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from edgevision.converters.source import SourceModel
from edgevision.datasets import ClipDataset, open_dataset
from edgevision.datasets.dataset import Dataset
from edgevision.runtime.errors import DatasetError, InputError


def settle_labels(
    source: SourceModel, given: Sequence[str] | None, tested: Dataset | ClipDataset | None, calibration: str | Path
) -> tuple[str, ...]:
    """The class names in the order of the model's outputs.

    In this order: ``given``, those stored with the model, those of the evaluation data, those of the calibration data
    (class folders in alphabetical order, which is how Keras numbers them).

    Raises:
        InputError: There are none, their number is not the model's, or one is repeated.
    """
    found = given or source.labels or (tested.labels if tested is not None else _folders(calibration))
    if not found:
        raise InputError(
            "the model's class names are not known",
            expected=f"{source.classes} names",
            cure="give --labels FILE with one name per line (labels=[...])",
        )
    if len(found) != source.classes:
        raise InputError(
            "the number of class names is not the model's",
            expected=f"{source.classes} names, one per output",
            got=f"{len(found)} ({', '.join(list(found)[:6])}{', ...' if len(found) > 6 else ''})",
            cure="give --labels FILE with one name per line (labels=[...])",
        )
    repeated = sorted({name for name in found if list(found).count(name) > 1})
    if repeated:
        raise InputError("a class name is repeated", expected="different names", got=", ".join(repeated))
    return tuple(found)


def _folders(calibration: str | Path) -> tuple[str, ...]:
    with contextlib.suppress(DatasetError):  # unlabelled images are all right for calibration
        dataset = open_dataset(calibration, prefer="train")
        return dataset.labels if dataset.named else ()
    return ()
