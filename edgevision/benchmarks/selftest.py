"""The harness on subjects whose latency is known: what it says is compared with the truth.

The subjects are ``null`` sessions that move a made-up clock by what a known distribution gives; worker, blocks, report
and findings are the ones that measure models (a real sleep is no subject: it runs 100 us long). A latency is the
product of lognormal effects of the process, of the moment (which the runs of a block share) and of the run, and of a
drift.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist, median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.measure import Job, measure
from edgevision.benchmarks.protocol import Protocol
from edgevision.benchmarks.report.findings import intervals_ms, latency
from edgevision.benchmarks.report.model import Measured
from edgevision.benchmarks.report.validity import drift
from edgevision.benchmarks.report.verdicts import verdict
from edgevision.benchmarks.worker import Worker
from edgevision.runtime.backends.null import NullSession, describe_model
from edgevision.runtime.manifest import Artifact, FileEntry, Manifest
from edgevision.runtime.predictor import Predictor
from edgevision.runtime.spec import Preprocessing, TensorSpec

#: Seconds of made-up time after which the moment changes.
_MOMENT_S = 0.2
_INPUT, _OUTPUT = TensorSpec("image", (1, 8, 8, 3), "uint8"), TensorSpec("scores", (1, 2), "float32")


@dataclass(frozen=True)
class Subject:
    """A latency with a known distribution.

    Attributes:
        name: Of the artifact.
        median_ms: Its true median.
        process, moment, run: Standard deviation of the logarithm of each effect.
        drift: Growth from the beginning of the benchmark to its end, as a share.
    """

    name: str
    median_ms: float = 5.0
    process: float = 0.01
    moment: float = 0.02
    run: float = 0.1
    drift: float = 0.0

    def quantile_ms(self, p: float) -> float:
        """The true quantile over all processes and moments, without drift."""
        spread = math.sqrt(self.process**2 + self.moment**2 + self.run**2)
        return self.median_ms * math.exp(NormalDist().inv_cdf(p) * spread)


class Clock:
    """Time that passes only when a subject runs, nanoseconds."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        """Nanoseconds since it was made."""
        return self.now_ns


class _Session(NullSession):
    """A new process of a subject: zeros, after the time that its distribution gives."""

    def __init__(self, subject: Subject, clock: Clock, random: np.random.Generator, total_s: float) -> None:
        super().__init__(describe_model([_INPUT], [_OUTPUT]))
        self._subject, self._clock, self._random, self._total_s = subject, clock, random, total_s
        self._process, self._moment, self._until = random.normal(0, subject.process), 0.0, -1

    def _run(self, feeds: dict[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        clock, subject = self._clock, self._subject
        if clock.now_ns > self._until:
            self._moment = self._random.normal(0, subject.moment)
            self._until = clock.now_ns + int(_MOMENT_S * 1e9)
        effect = self._process + self._moment + self._random.normal(0, subject.run)
        drifted = 1 + subject.drift * clock.now_ns / 1e9 / max(self._total_s, 1e-9)
        clock.now_ns += round(1e6 * subject.median_ms * math.exp(effect) * drifted)
        return super()._run(feeds)


class _LocalWorker:
    """A worker in this process; requests and replies go through JSON as they do through a pipe."""

    def __init__(self, session: NullSession, clock: Callable[[], int]) -> None:
        self.worker, self._session = Worker(clock), session

    def ask(self, do: str, *, meanwhile: Callable[[], object] | None = None, **request: Any) -> dict[str, Any]:
        """Answers at once; a model is not loaded but was handed over."""
        if do == "open":
            first = self.worker.take(predictor(self._session), request["sources"])
            facts = {"base_bytes": 0, "import_ns": 0, "load_ns": 0, "affinity": [], "engine": self._session.describe()}
            return {**facts, "first_ns": sum(first)}
        reply: dict[str, Any] = json.loads(json.dumps(getattr(self.worker, do)(**request)))
        return reply

    def close(self) -> None:
        """Nothing to end."""


def predictor(session: NullSession) -> Predictor:
    """A classifier of two classes on 8x8 pixels that runs ``session``."""
    artifact = Artifact("null", "onnx", "int8", (FileEntry("null", 0, "0" * 64),), (_INPUT,), (_OUTPUT,))
    manifest = Manifest("classification", ("dark", "light"), "logits", Preprocessing(8, 8), (artifact,))
    return Predictor(session, manifest, artifact)


def simulate(subjects: Sequence[Subject], protocol: Protocol, seed: int) -> list[Measured]:
    """Measures subjects together, as a benchmark does."""
    clock, random = Clock(), np.random.default_rng(seed)
    known = {subject.name: subject for subject in subjects}
    total_s = len(subjects) * (protocol.min_s + protocol.processes * protocol.warm_s)

    def start(name: str, _: Path) -> _LocalWorker:
        return _LocalWorker(_Session(known[name], clock, random, total_s), clock)

    with tempfile.TemporaryDirectory(prefix="edgevision-") as folder:
        sources = _images(Path(folder))
        jobs = [Job(subject.name) for subject in subjects]
        plan: dict[str, Any] = {"protocol": protocol, "threads": None, "start": start}
        found = measure(jobs, Path(folder), sources, Path(folder), **plan)
    what: dict[str, Any] = {"format": "null", "precision": "int8", "size_bytes": 0, "sha256": "", "int8_macs": 0.0}
    return [Measured(artifact=each.name, passed=True, **what, **facts) for each, facts in zip(subjects, found)]


def _images(folder: Path) -> list[str]:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    paths = [folder / f"{i}.npy" for i in range(len(pixels))]
    for path, image in zip(paths, pixels):
        np.save(path, image)
    return [str(path) for path in paths]


@dataclass(frozen=True)
class Score:
    """How often the harness was right.

    Attributes:
        repetitions: Of each question, with other random numbers.
        p50, p90: The truth lay inside the stated 95 % interval.
        drift: A drift of 10 % was flagged.
        false_drift: Without any drift one was flagged.
        different: Two equal subjects were called different.
        near: Two subjects 1 % apart were called different.
        faster: Of two subjects 15 % apart the right one was called faster.
        p99_of_50: A p99 was given for 50 runs.
    """

    repetitions: int
    p50: int
    p90: int
    drift: int
    false_drift: int
    different: int
    near: int
    faster: int
    p99_of_50: int

    @property
    def passed(self) -> bool:
        """The limits: 90 % for intervals, 95 % for drifts, 7.5 % of false alarms, no p99 at all."""
        n = self.repetitions
        right = min(self.p50, self.p90) >= 0.9 * n and self.drift >= 0.95 * n and self.faster >= 0.9 * n
        return right and max(self.different, self.near, self.false_drift) <= 0.075 * n and not self.p99_of_50


def score(repetitions: int = 40, protocol: Protocol | None = None, seed: int = 0) -> Score:
    """Asks every question so many times, seeded."""
    plan = protocol or Protocol()
    counts = dict.fromkeys(("p50", "p90", "drift", "false_drift", "different", "near", "faster", "p99_of_50"), 0)
    for number in range(seed, seed + repetitions):
        for name, answer in _answers(plan, number).items():
            counts[name] += int(answer)
    return Score(repetitions, **counts)


def _answers(plan: Protocol, seed: int) -> dict[str, bool]:
    plain = Subject("a")
    equal, near, slower = (replace(plain, name=name) for name in ("b", "c", "d"))
    near, slower = replace(near, median_ms=1.01 * plain.median_ms), replace(slower, median_ms=1.15 * plain.median_ms)
    runs = simulate([plain, equal, near, slower], plan, seed)
    stated = intervals_ms(runs[0])
    (drifting,) = simulate([replace(plain, drift=0.1)], plan, seed)
    (short,) = simulate([plain], Protocol(runs=50, min_s=0.0, processes=1, warm_s=0.0), seed)
    return {
        "p50": stated["p50"].low <= plain.quantile_ms(0.5) <= stated["p50"].high,
        "p90": stated["p90"].low <= plain.quantile_ms(0.9) <= stated["p90"].high,
        "drift": drift(drifting) is not None,
        "false_drift": drift(runs[0]) is not None,
        "different": verdict(runs[0], runs[1]).word != "indistinguishable",
        "near": verdict(runs[0], runs[2]).word != "indistinguishable",
        "faster": verdict(runs[0], runs[3]).word == "faster",
        "p99_of_50": "p99" in latency(short),
    }


@dataclass(frozen=True)
class Overhead:
    """What the harness costs on the ``null`` backend, microseconds a call.

    Attributes:
        call_us: A plain call of the predictor in a loop.
        stated_us: What the worker states for the same call, more than that.
        spent_us: What the worker spends on it, with keeping the times and finding the image, more than that.
    """

    call_us: float
    stated_us: float
    spent_us: float


def overhead(rounds: int = 400, runs: int = 50) -> Overhead:
    """The worker's loop and a plain loop take turns on the same predictor and images; medians of paired differences."""
    session = NullSession(describe_model([_INPUT], [_OUTPUT]))
    worker = _LocalWorker(session, time.perf_counter_ns).worker
    called = predictor(session)
    with tempfile.TemporaryDirectory(prefix="edgevision-") as folder:
        paths = _images(Path(folder))
        images = [np.load(path) for path in paths]
        worker.take(called, paths)
        times: list[tuple[float, float, float]] = []
        for _ in range(rounds):
            start = time.perf_counter_ns()
            for index in range(runs):
                called(images[index % len(images)])
            middle = time.perf_counter_ns()
            rows = worker.block(0, runs, 0)["stages_ns"]
            plain, spent = middle - start, time.perf_counter_ns() - middle
            times.append((plain, sum(map(sum, rows)) - plain, spent - plain))
    call, stated, spent_more = (median(column) / runs / 1e3 for column in zip(*times))
    return Overhead(call, stated, spent_more)
