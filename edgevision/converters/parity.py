"""What the exported files answer, beside what the Keras models answer, on the same images."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.quantize import build
from edgevision.converters.quantize.observe import Batch
from edgevision.converters.source import SourceModel
from edgevision.runtime.host import available_cpus
from edgevision.runtime.manifest import Artifact, Parity, Precision, Scores
from edgevision.runtime.session import Session
from edgevision.runtime.tasks.classification import scores_from

Scored = NDArray[np.float32]
Outputs = dict[str, NDArray[Any]]

#: Least signal-to-noise ratio of an artifact against the Keras model it came from, decibel. Engines round 8-bit values
#: at slightly different places, float engines only add in another order. float16 is compared with the float model;
#: dynamic-int8 and int16x8 with the one whose weights alone are rounded, so what the engine does to activations is
#: part of their noise. On two trained CIFAR networks they came to 57-59, 45-55 and 36-46 dB; the limits lie 11 dB and
#: more below.
LIMITS_DB: dict[Precision, float] = {
    "int8": 25.0,
    "dynamic-int8": 25.0,
    "float32": 60.0,
    "float16": 40.0,
    "int16x8": 25.0,
}
#: A file that stands further from its Keras model passes too if it is nearer that than that is to the float model, and
#: as far from the float model, to within so many decibel. Engines decide one rounding in 100,000 differently, and a
#: deep network trained briefly enlarges that from layer to layer up to what 8 bits cost it anyway: files of
#: EfficientNets stood at 13 to 25 dB beside a quantised model that stands at 3 to 7 beside float, as they did to
#: within 0.4.
SAME_NOISE_DB = 1.0
#: Power of what differs between samples, as a share of all, below which it is rounding: float32 has 7 digits.
_ALIKE = 1e-11
#: Stands for "no difference at all" in the manifest, which has no infinity.
EXACT_DB = 999.0


@dataclass(frozen=True)
class Answers:
    """Outputs (samples, ...), by name, of the Keras models and of every artifact.

    Attributes:
        source: Of the float model.
        quantized: Of the quantised one; None where each format was quantised by itself.
        artifacts: By name.
        weights: Of the one with quantised weights and float activations; None when no artifact is made from it.
    """

    source: Outputs
    quantized: Outputs | None
    artifacts: dict[str, Outputs]
    weights: Outputs | None = None

    @cached_property
    def alike(self) -> frozenset[str]:
        """Outputs of which the float model gives every sample the same, rounding apart."""
        return frozenset(name for name, values in self.source.items() if is_constant(values))

    def reference(self, precision: Precision) -> Outputs | None:
        """What an artifact of that precision was exported from; None where there is no Keras model of that."""
        if precision in ("float32", "float16"):
            return self.source
        return self.quantized if precision == "int8" or self.weights is None else self.weights


def answer(
    source: SourceModel, quantized: Any, sessions: dict[str, Session], batches: Iterable[Batch], weights: Any = None
) -> Answers:
    """Run everything over all batches once.

    Args:
        source: The float model; gets normalised pixels, as it was trained, so that folding is checked too.
        quantized: The fake-quantised Keras model, if there is one.
        sessions: An open session per artifact name.
        batches: Named arrays as the artifacts take them.
        weights: The Keras model whose weights alone are quantised; None leaves it out.
    """
    exact: list[Outputs] = []
    given = (("quantized", quantized), ("weights", weights))
    models = {name: build.Compiled(model) for name, model in given if model is not None}
    rounded: dict[str, list[Outputs]] = {name: [] for name in models}
    answers: dict[str, list[Outputs]] = {name: [] for name in sessions}
    with ThreadPoolExecutor(available_cpus()) as pool:  # a session has one thread, so several run side by side
        for batch in batches:
            exact.append(source.answer(batch))
            for model, rows in rounded.items():
                rows.append(build.answer(models[model], source.graph, batch))
            found = pool.map(run_each, sessions.values(), repeat(batch))
            for name, outputs in zip(sessions, found):
                answers[name].append(outputs)
    first, second = (_joined(rounded[key]) if key in rounded else None for key in ("quantized", "weights"))
    return Answers(_joined(exact), first, {name: _joined(rows) for name, rows in answers.items()}, second)


def run_each(session: Session, batch: Batch) -> Outputs:
    """The outputs (n, ...) of one artifact for named arrays (n, ...), which it takes one sample at a time."""
    samples = len(next(iter(batch.values())))
    rows = [session.run({name: values[i : i + 1] for name, values in batch.items()}) for i in range(samples)]
    return _joined(rows)


def _joined(rows: Sequence[Outputs]) -> Outputs:
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def compare(
    source: Scored, reference: Scored, outputs: Scored, precision: Precision, same: float, *, in_full: bool = False
) -> Parity:
    """How closely ``outputs`` follow ``reference``, both (samples, ...), with the ``same`` best class in that share.

    Args:
        source: Of the float model, (samples, ...).
        reference: Of the Keras model that was exported; may be the float one.
        outputs: Of the file.
        precision: Decides how much is asked.
        same: Share of samples with the same best class.
        in_full: See ``sqnr_db``.
    """
    pairs = (reference, outputs), (source, reference), (source, outputs)
    ratio, model, file = (sqnr_db(exact, found, in_full=in_full) for exact, found in pairs)
    error = float(np.abs(reference - outputs).max())
    return Parity(len(outputs), ratio, error, same, holds(ratio, model, file, precision), model - file)


def holds(ratio_db: float, model_db: float, file_db: float, precision: Precision) -> bool:
    """Whether a file follows its Keras model: it answers like it, or differs within that model's own noise.

    Args:
        ratio_db: SQNR of the file against its Keras model.
        model_db: Of its Keras model against the float one.
        file_db: Of the file against the float model.
        precision: Of the file. float32 and float16 have to answer alike.
    """
    is_rounded = precision not in ("float32", "float16")
    is_within = 0 < model_db <= ratio_db and abs(model_db - file_db) <= SAME_NOISE_DB
    return ratio_db >= LIMITS_DB[precision] or (is_rounded and is_within)


def unsteady(artifacts: Iterable[Artifact]) -> list[str]:
    """A sentence for each that passed though it does not answer as its Keras model does."""
    found = []
    for item in artifacts:
        parity = item.parity
        if parity is not None and parity.passed and parity.sqnr_db < LIMITS_DB[item.precision]:
            same = "" if parity.same_top1 is None else f" and gives {parity.same_top1:.1%} of its answers"
            found.append(
                f"{item.name} stands at {parity.sqnr_db:.0f} dB beside the Keras model it was made from{same}:"
                " the network enlarges every rounding; it is as far from float as that model is"
            )
    return found


def sqnr_db(reference: Scored, outputs: Scored, *, in_full: bool = False) -> float:
    """Signal-to-quantisation-noise ratio in decibel.

    The signal is what ``spread`` leaves of the reference, or all of it ``in_full``: of an int8 model whose float model
    gives every image the same answer, the spread is nothing but rounding.
    """
    exact = reference.astype(np.float64)
    signal = exact if in_full else spread(exact)
    return decibels(float(np.square(signal).sum()), float(np.square(outputs - exact).sum()))


def spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values (samples, ...) less their mean over samples: what is the same for all samples tells none of them apart.

    A single sample has no such mean and counts in full; so do samples that are alike, of which any error in the last
    digit would be more than the signal.
    """
    return values if is_constant(values) else values - values.mean(0)


def is_constant(values: NDArray[Any]) -> bool:
    """Whether the samples (samples, ...) differ by nothing but the rounding of float32."""
    exact = values.astype(np.float64)
    return bool(np.square(exact - exact.mean(0)).sum() <= _ALIKE * np.square(exact).sum())


def decibels(power: float, noise: float) -> float:
    """Ratio of a signal's sum of squares to that of its noise, decibel; ``EXACT_DB`` where there is none."""
    if noise <= 1e-12 * max(power, 1e-30):
        return EXACT_DB
    return 10 * math.log10(power / noise) if power else -EXACT_DB


def top1(outputs: Scored, scores: Scores, labels: int) -> NDArray[np.int64]:
    """Index of the best class per image, int64 (images,)."""
    best: NDArray[np.int64] = probabilities(outputs, scores, labels).argmax(1).astype(np.int64)
    return best


def probabilities(outputs: Scored, scores: Scores, labels: int) -> Scored:
    """float32 (images, labels), 0..1, by the very post-processing the device uses."""
    return np.stack([scores_from(row, scores, labels) for row in outputs])
