"""What the exported files answer, beside what the Keras models answer, on the same images."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.source import SourceModel
from edgevision.runtime.manifest import Parity, Precision, Scores
from edgevision.runtime.preprocess import normalize
from edgevision.runtime.session import Session
from edgevision.runtime.tasks.classification import scores_from

Outputs = NDArray[np.float32]

#: Least signal-to-noise ratio of an artifact against the Keras model it came from, decibel. Engines round 8-bit values
#: at slightly different places, float engines only add in another order.
LIMITS_DB: dict[Precision, float] = {"int8": 25.0, "float32": 60.0}
#: Stands for "no difference at all" in the manifest, which has no infinity.
EXACT_DB = 999.0


@dataclass(frozen=True)
class Answers:
    """Outputs float32 (images, values) of the source model, the quantised Keras model and every artifact."""

    source: Outputs
    quantized: Outputs
    artifacts: dict[str, Outputs]


def answer(
    source: SourceModel, quantized: Any, sessions: dict[str, Session], batches: Iterable[NDArray[np.uint8]]
) -> Answers:
    """Run everything over all batches once.

    Args:
        source: The float model; gets normalised pixels, as it was trained, so that folding is checked too.
        quantized: The fake-quantised Keras model; raw pixels in.
        sessions: An open session per artifact name.
        batches: uint8 (n, H, W, C).
    """
    exact: list[Any] = []
    rounded: list[Any] = []
    answers: dict[str, list[Any]] = {name: [] for name in sessions}
    for pixels in batches:
        exact.append(np.asarray(source.model(normalize(pixels, source.preprocessing), training=False)))
        rounded.append(np.asarray(quantized(pixels.astype(np.float32), training=False)))
        for name, session in sessions.items():
            answers[name].extend(run_one(session, image) for image in pixels)
    stacked = {name: np.stack(rows) for name, rows in answers.items()}
    return Answers(np.concatenate(exact), np.concatenate(rounded), stacked)


def run_one(session: Session, pixels: NDArray[np.uint8]) -> Outputs:
    """The outputs (values,) of one artifact for raw pixels (H, W, C)."""
    (output,) = session.run({session.inputs[0].name: pixels[None]}).values()
    result: Outputs = output[0]
    return result


def compare(reference: Outputs, outputs: Outputs, precision: Precision, scores: Scores, labels: int) -> Parity:
    """How closely ``outputs`` follow ``reference``, both (images, values)."""
    ratio = sqnr_db(reference, outputs)
    same = float((top1(reference, scores, labels) == top1(outputs, scores, labels)).mean())
    error = float(np.abs(reference - outputs).max())
    return Parity(len(outputs), ratio, error, same, ratio >= LIMITS_DB[precision])


def sqnr_db(reference: Outputs, outputs: Outputs) -> float:
    """Signal-to-quantisation-noise ratio in decibel.

    The signal is the reference less its mean over images: what is the same for all images tells none of them apart.
    A single image has no such mean and counts in full.
    """
    exact = reference.astype(np.float64)
    signal = exact - exact.mean(0) if len(exact) > 1 else exact
    noise = float(np.square(outputs - exact).sum())
    power = float(np.square(signal).sum())
    if noise <= 1e-12 * max(power, 1e-30):
        return EXACT_DB
    return 10 * math.log10(power / noise) if power else -EXACT_DB


def top1(outputs: Outputs, scores: Scores, labels: int) -> NDArray[np.int64]:
    """Index of the best class per image, int64 (images,)."""
    best: NDArray[np.int64] = probabilities(outputs, scores, labels).argmax(1).astype(np.int64)
    return best


def probabilities(outputs: Outputs, scores: Scores, labels: int) -> Outputs:
    """float32 (images, labels), 0..1, by the very post-processing the device uses."""
    return np.stack([scores_from(row, scores, labels) for row in outputs])
