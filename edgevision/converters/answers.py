"""What the exported files answer, beside what the Keras models answer, on the same images."""

from __future__ import annotations

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
from edgevision.converters.sqnr import Scored, is_constant
from edgevision.runtime.host import available_cpus
from edgevision.runtime.manifest import Precision, Scores
from edgevision.runtime.session import Session
from edgevision.runtime.tasks.classification import scores_from

Outputs = dict[str, NDArray[Any]]


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


def top1(outputs: Scored, scores: Scores, labels: int) -> NDArray[np.int64]:
    """Index of the best class per image, int64 (images,)."""
    best: NDArray[np.int64] = probabilities(outputs, scores, labels).argmax(1).astype(np.int64)
    return best


def probabilities(outputs: Scored, scores: Scores, labels: int) -> Scored:
    """float32 (images, labels), 0..1, by the very post-processing the device uses."""
    return np.stack([scores_from(row, scores, labels) for row in outputs])
