"""The images that int8 answers otherwise than float: which, how sure both were, and a small copy of each."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import replace

from PIL import Image

from edgevision.benchmarks.accuracy import Accuracy, compare_precisions
from edgevision.benchmarks.report.findings import shown_int8
from edgevision.benchmarks.report.model import Flip, Report
from edgevision.datasets import Dataset

#: Images shown at most, and their longest side in pixels: 24 of them are about 100 kB.
MOST, SIDE = 24, 96
_QUALITY = 80


def with_flips(report: Report, dataset: Dataset, accuracies: Mapping[str, Accuracy], *, images: bool = True) -> Report:
    """The report with the flips of the int8 artifact that a user would take, those first of which both were surest.

    Args:
        report: Made without them.
        dataset: The images that ``accuracies`` were measured on.
        accuracies: Per artifact, with confidences.
        images: Whether small copies of the images are kept.

    Raises:
        ImageError: An image cannot be read any more.
    """
    name = shown_int8(report)
    pairs = {each.artifact: each.reference for each in compare_precisions(accuracies)}
    if name is None or report.accuracy is None or name not in pairs:
        return report
    flips = worst_flips(name, pairs[name], accuracies)
    if images:
        flips = tuple(replace(flip, jpeg=thumbnail(dataset, flip.image)) for flip in flips)
    return replace(report, accuracy=replace(report.accuracy, flips=flips))


def worst_flips(artifact: str, reference: str, accuracies: Mapping[str, Accuracy]) -> tuple[Flip, ...]:
    """Up to ``MOST`` flips, without images; none where confidences are not known."""
    judged, base = accuracies[artifact], accuracies[reference]
    if judged.confidence is None or base.confidence is None:
        return ()
    return tuple(
        Flip(artifact, reference, int(i), float(judged.confidence[i]), float(base.confidence[i]))
        for i in judged.worst(base, MOST)
    )


def thumbnail(dataset: Dataset, index: int) -> str:
    """An image of the data as JPEG in base64, no side longer than ``SIDE``, made from pixels alone: no EXIF."""
    image = Image.fromarray(dataset[index].decode())
    image.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY)
    return base64.b64encode(out.getvalue()).decode("ascii")
