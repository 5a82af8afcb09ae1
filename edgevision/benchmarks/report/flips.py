"""How the images that int8 answers otherwise than float are shown."""

from __future__ import annotations

from typing import Any

from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.confusion import class_names
from edgevision.benchmarks.report.model import Flip, Report


def flip_picture(report: Report) -> dict[str, Any] | None:
    """The worst flips with their images, and how many there are in all; None when none are known."""
    record = report.accuracy
    if record is None or not record.flips:
        return None
    first, labels = record.flips[0], class_names(record)
    ours, theirs = record.predictions[first.artifact], record.predictions[first.reference]
    lost = sum(theirs[i] == right != ours[i] for i, right in enumerate(record.truth))
    gained = sum(ours[i] == right != theirs[i] for i, right in enumerate(record.truth))
    return {
        "artifact": first.artifact,
        "reference": first.reference,
        "count": sum(a != b for a, b in zip(ours, theirs)),
        "images": len(record.truth),
        "lost": lost,
        "gained": gained,
        "with_images": any(flip.jpeg for flip in record.flips),
        "shown": [_shown(report, flip, labels) for flip in record.flips],
    }


def _shown(report: Report, flip: Flip, labels: tuple[str, ...]) -> dict[str, Any]:
    record = report.accuracy
    assert record is not None, "a flip is part of it"
    right = record.truth[flip.image]
    return {
        "jpeg": flip.jpeg,
        "number": flip.image,
        "right": labels[right],
        "answers": [
            {"by": by, "class": labels[found], "sure": words.percent(sure), "is_right": found == right}
            for by, found, sure in (
                ("float32", record.predictions[flip.reference][flip.image], flip.reference_confidence),
                ("int8", record.predictions[flip.artifact][flip.image], flip.confidence),
            )
        ],
    }
