"""The checks on exported files whose outputs are no class scores of an image: what is compared are the values.

Each output's signal-to-quantisation-noise ratio (SQNR) against the float Keras model is judged over the samples. The
signal is the float output less its mean over samples, because what is the same for all samples tells none of them
apart; the noise is the difference between the two. 20 dB, the default, means noise of 10 % of the signal's spread. Of
an output of integers, such as the best class per position, the noise is the number of positions that changed and the
signal twice the number of all: 20 dB is two changed in a hundred, as many as the gate of classifiers allows by default.

The verdict comes from a 95 % percentile interval, bootstrapped over samples (Efron 1979): "pass" when its lower end
reaches the limit, "fail" when its upper end does not, else "undecided". Fewer than ten samples prove nothing: what
would pass is then undecided too.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.answers import Answers, Outputs
from edgevision.converters.gate import CHANGES_PER_POINT, LEAST_SQNR_DB
from edgevision.converters.parity import LIMITS_DB
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.sqnr import decibels, spread
from edgevision.runtime.manifest import Agreement, Artifact, Parity, Precision, Signal, Verdict

Values = NDArray[Any]

_RESAMPLES = 2000
_LEAST_SAMPLES = 10
_WORST_FIRST = ("fail", "undecided", "pass")
#: A number of samples above this is not worth naming.
_MOST_NEEDED = 1_000_000


def check_signals(artifact: Artifact, answers: Answers, graph: Graph, limit_db: float = LEAST_SQNR_DB) -> Artifact:
    """The artifact with its ``parity`` and ``agreement`` filled in.

    Args:
        artifact: As exported.
        answers: What it and the Keras models answered.
        graph: Says which outputs are class scores.
        limit_db: Least SQNR of every output against float, decibel.
    """
    outputs = answers.artifacts[artifact.name]
    reference = answers.reference(artifact.precision)
    assert reference is not None, "models of the task tensors have layers"
    parity = _parity(artifact.precision, answers, reference, outputs, graph)
    is_exact = artifact.precision == "float32" and parity.passed
    agreement = judge_signals(answers.source, outputs, graph, limit_db, is_exact=is_exact)
    return dataclasses.replace(artifact, parity=parity, agreement=agreement)


def judge_signals(
    reference: Outputs, outputs: Outputs, graph: Graph, limit_db: float = LEAST_SQNR_DB, *, is_exact: bool = False
) -> Agreement:
    """How an artifact's outputs stand to the float model's.

    Args:
        reference: Name of the output -> (samples, ...), by the float Keras model.
        outputs: The same by the artifact.
        graph: Says which outputs are class scores.
        limit_db: Least SQNR of every output, decibel.
        is_exact: The artifact was shown to compute what the float model computes: no number of samples has to prove it.
    """
    signals = tuple(_signal(name, exact, outputs[name], graph) for name, exact in reference.items())
    verdicts = {each.output: _verdict(each, limit_db) for each in signals}
    worst = min(signals, key=lambda each: (_WORST_FIRST.index(verdicts[each.output]), each.sqnr_db))
    samples = len(next(iter(reference.values())))
    found = verdicts[worst.output]
    if found == "pass" and samples < _LEAST_SAMPLES:
        found = "undecided"
    if found == "undecided" and is_exact:
        found = "pass"
    needed = _needed(worst, samples, limit_db) if found == "undecided" else None
    same = _least(each.same_top1 for each in signals)
    return Agreement(
        samples, same, None, None, worst.sqnr_db, worst.interval, found != "fail", found, needed, signals=signals
    )


def _verdict(signal: Signal, limit_db: float) -> Verdict:
    low, high = signal.interval
    return "pass" if low >= limit_db else "fail" if high < limit_db else "undecided"


def powers(
    reference: Values, outputs: Values, *, in_full: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Signal and noise of each sample, float64 (samples,): sums of squares, of integers counts.

    Args:
        reference: (samples, ...), floats or integers.
        outputs: Likewise.
        in_full: Whether what all samples have in common is signal, too; see ``sqnr.sqnr_db``.
    """
    samples = len(reference)
    exact, found = reference.reshape(samples, -1), outputs.reshape(samples, -1)
    if exact.dtype.kind in "iub":
        return np.full(samples, CHANGES_PER_POINT * exact.shape[1]), (exact != found).sum(1).astype(np.float64)
    wide = exact.astype(np.float64)
    return np.square(wide if in_full else spread(wide)).sum(1), np.square(found - wide).sum(1)


def sqnr_interval(signal: NDArray[np.float64], noise: NDArray[np.float64], seed: int = 0) -> tuple[float, float]:
    """95 % interval of the ratio of the sums, decibel, bootstrapped over samples.

    Args:
        signal: From ``powers``; the mean over samples, which is taken off it, stays that of all samples.
        noise: Likewise.
        seed: Decides the resamples.
    """
    samples = len(signal)
    draws = np.random.default_rng(seed).multinomial(samples, np.full(samples, 1 / samples), _RESAMPLES)
    ratios = [decibels(power, loss) for power, loss in zip(draws @ signal, draws @ noise)]
    low, high = np.percentile(ratios, [2.5, 97.5])
    return float(low), float(high)


def _signal(name: str, reference: Values, outputs: Values, graph: Graph) -> Signal:
    signal, noise = powers(reference, outputs)
    ratio, interval = decibels(signal.sum(), noise.sum()), sqnr_interval(signal, noise)
    return Signal(name, ratio, interval, _same(reference, outputs, name, graph))


def _parity(precision: Precision, answers: Answers, reference: Outputs, outputs: Outputs, graph: Graph) -> Parity:
    found = [_ratios(name, answers, reference, outputs) for name in reference]
    error = max(float(np.abs(outputs[name] - exact.astype(np.float64)).max()) for name, exact in reference.items())
    same = _least(_same(exact, outputs[name], name, graph) for name, exact in reference.items())
    ratio = min(each for each, _, _ in found)
    samples = len(next(iter(reference.values())))
    further = None if reference is answers.source else max(model - file for _, model, file in found)
    return Parity(samples, ratio, error, same, ratio >= LIMITS_DB[precision], further)


def _ratios(name: str, answers: Answers, reference: Outputs, outputs: Outputs) -> tuple[float, float, float]:
    """Of one output, decibel: file against its Keras model, that against float, file against float."""

    def ratio(exact: Outputs, found: Outputs) -> float:
        signal, noise = powers(exact[name], found[name], in_full=name in answers.alike)
        return decibels(signal.sum(), noise.sum())

    return ratio(reference, outputs), ratio(answers.source, reference), ratio(answers.source, outputs)


def _same(reference: Values, outputs: Values, name: str, graph: Graph) -> float | None:
    """Share of positions with the same best class, of an output that is class scores or the best class itself."""
    op = graph.ops[graph.outputs[name]]
    if reference.dtype.kind in "iub":
        return float((reference == outputs).mean())
    if op.kind == "Activation" and op.config["activation"] == "softmax":
        return float((reference.argmax(-1) == outputs.argmax(-1)).mean())
    return None


def _least(shares: Iterable[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return min(known) if known else None


def _needed(worst: Signal, samples: int, limit_db: float) -> int | None:
    """About how many samples would decide: an interval is as wide as one over the root of their number."""
    low, high = worst.interval
    away = worst.sqnr_db - limit_db
    half = worst.sqnr_db - low if away > 0 else high - worst.sqnr_db
    if not away:
        return None
    needed = max(_LEAST_SAMPLES, math.ceil(samples * (half / away) ** 2))
    return needed if needed <= _MOST_NEEDED else None
