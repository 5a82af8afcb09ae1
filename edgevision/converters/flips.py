"""The images an artifact answers otherwise than the float model: flips.json of the bundle."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLIPS = "flips.json"

Scores = NDArray[np.float32]


def flips(
    before: Scores, after: Scores, labels: Sequence[str], targets: NDArray[np.int64] | None, names: Sequence[str] | None
) -> list[dict[str, Any]]:
    """One entry per image with another best class: "image", "label", "float_answer", "float_score", "answer", "score".

    Args:
        before: float32 (images, labels), 0..1, scores of the float Keras model.
        after: The same of the artifact.
        labels: Class names.
        targets: True class per image; None leaves "label" out.
        names: Name per image; None leaves "image" out.
    """
    was, now = before.argmax(1), after.argmax(1)
    found = []
    for i in np.flatnonzero(was != now).tolist():
        entry: dict[str, Any] = {} if names is None else {"image": names[i]}
        if targets is not None:
            entry["label"] = labels[targets[i]]
        entry |= {"float_answer": labels[was[i]], "float_score": round(float(before[i, was[i]]), 4)}
        found.append({**entry, "answer": labels[now[i]], "score": round(float(after[i, now[i]]), 4)})
    return found


def flips_bytes(found: Mapping[str, list[dict[str, Any]]], images: int) -> bytes:
    """The content of flips.json: {"images": how many judged, "artifacts": {name: ``flips``}}; names, never pixels."""
    plain = {"images": images, "artifacts": found}
    return (json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
