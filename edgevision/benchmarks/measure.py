"""The timed phase: sets of workers, one process per model, that take turns in short blocks; one set after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from typing import Protocol as Shape

from edgevision.benchmarks.energy import Meter
from edgevision.benchmarks.process import WorkerProcess
from edgevision.benchmarks.protocol import Protocol
from edgevision.benchmarks.report.model import STAGES, ProcessRecord

Progress = Callable[[str, int, int], None]

#: Seconds of predictions that energy is read over, per process; they are not among the timed ones.
ENERGY_S = 1.0


class Job(NamedTuple):
    """What one worker measures: an artifact, or with ``null`` the harness with that artifact's tensors."""

    artifact: str
    null: bool = False


class AnyWorker(Shape):
    """What ``measure`` needs of a worker; ``WorkerProcess`` is the one that is used."""

    def ask(self, do: str, *, meanwhile: Callable[[], object] | None = None, **request: Any) -> dict[str, Any]:
        """Sends one request and waits for its reply."""

    def close(self) -> None:
        """Ends it."""


class Cell:
    """One job and what its processes found."""

    def __init__(self, job: Job, protocol: Protocol) -> None:
        self.job, self.protocol = job, protocol
        self.block = self.unrecorded = 0
        self.facts: list[dict[str, Any]] = []
        self.starts: list[list[int]] = []
        self.stages: dict[str, list[int]] = {stage: [] for stage in STAGES}
        self._next = 0

    def open(self, worker: AnyWorker, request: dict[str, Any]) -> None:
        """A new process opens the model."""
        self.facts.append(worker.ask("open", artifact=self.job.artifact, null=self.job.null, **request))
        self.starts.append([])

    def warm_up(self, worker: AnyWorker) -> None:
        """The first process' speed decides how long a block is; later ones keep to it."""
        found = worker.ask("warm_up", least_runs=self.protocol.warm_runs, least_s=self.protocol.warm_s)
        self.facts[-1]["warm"] = found
        if not self.block:
            per_run_s = found["per_run_ns"] / 1e9
            self.block = self.protocol.block(per_run_s, for_time=not self.job.null)
            self.unrecorded = self.protocol.unrecorded(per_run_s)

    def turn(self, worker: AnyWorker) -> None:
        """One block; over all processes the images go round and round."""
        reply = worker.ask("block", first=self._next, runs=self.block, unrecorded=self.unrecorded)
        self._next += self.block
        self.starts[-1].append(reply["start_ns"])
        for stage, values in zip(STAGES, zip(*reply["stages_ns"])):
            self.stages[stage].extend(values)

    def use_energy(self, worker: AnyWorker, meter: Meter) -> None:
        """Predictions that nobody times, while the meter is read."""
        per_run_s = self.facts[-1]["warm"]["per_run_ns"] / 1e9
        runs = max(1, round(ENERGY_S / max(per_run_s, 1e-6)))
        with meter.reading() as reading:
            worker.ask("block", meanwhile=reading.take, first=0, runs=runs, unrecorded=0)
        self.facts[-1]["joules_per_run"] = reading.joules / runs

    def finish(self, worker: AnyWorker) -> None:
        """The process' memory at its end."""
        self.facts[-1].update(worker.ask("finish"))

    def found(self, zero_ns: int) -> dict[str, Any]:
        """The fields of ``report.Measured`` that come from running; times of blocks count from ``zero_ns``."""
        records = tuple(_record(fact, starts, zero_ns) for fact, starts in zip(self.facts, self.starts))
        held = [each.steady_bytes for each in records if each.steady_bytes is not None]
        return {
            "engine": self.facts[0]["engine"],
            "import_ns": round(median(each.import_ns for each in records)),
            "load_ns": round(median(each.load_ns for each in records)),
            "first_ns": round(median(each.first_ns for each in records)),
            "warmup_runs": sum(each.warmup_runs for each in records),
            "settled": all(each.settled for each in records),
            "block": self.block,
            "stages_ns": self.stages,
            "base_bytes": self.facts[0]["base_bytes"],
            "peak_bytes": max(each.peak_bytes for each in records),
            "steady_bytes": round(median(held)) if held else None,
            "processes": records,
        }


def _record(fact: dict[str, Any], starts: Sequence[int], zero_ns: int) -> ProcessRecord:
    return ProcessRecord(
        import_ns=fact["import_ns"],
        load_ns=fact["load_ns"],
        first_ns=fact["first_ns"],
        warmup_runs=fact["warm"]["runs"],
        settled=fact["warm"]["settled"],
        starts_ns=tuple(start - zero_ns for start in starts),
        peak_bytes=fact["peak_bytes"],
        steady_bytes=fact["steady_bytes"],
        affinity=tuple(fact["affinity"]),
        joules_per_run=fact.get("joules_per_run"),
    )


def measure(
    jobs: Sequence[Job],
    bundle: Path,
    sources: Sequence[str],
    folder: Path,
    *,
    protocol: Protocol,
    threads: int | None,
    provider: str | None = None,
    meter: Meter | None = None,
    progress: Progress | None = None,
    start: Callable[[str, Path], AnyWorker] = WorkerProcess,
) -> list[dict[str, Any]]:
    """Measures every job in processes of its own.

    What one process shows is also where its memory happens to lie, so each job has several. They are not open at the
    same time, because memory is short where models run: a set holds one process of every job, and the sets follow each
    other. A slow phase of a shared machine would hit whatever runs just then, so nobody runs long at a time: in every
    round each worker of the set measures one block, and the order moves on by one.

    Args:
        jobs: What to measure.
        bundle: Absolute path of the bundle.
        sources: Image files, from ``sources.lay_out``.
        folder: Working directory of the workers.
        protocol: How much is measured.
        threads: Threads per engine; None leaves it to ``load``.
        provider: Where engines compute; None is each engine's own way.
        meter: Reads energy; None where there is none.
        progress: Called with ("measure", steps done, steps).
        start: Starts a worker for an artifact in the folder; another one only where the harness itself is tested.

    Returns:
        Per job the fields of ``report.Measured`` that come from running.

    Raises:
        BackendError: A worker died.
    """
    cells = [Cell(job, protocol) for job in jobs]
    steps = protocol.processes * len(cells) * (protocol.rounds + 2)
    ticks = iter(range(1, steps + 1))

    def tick() -> None:
        if progress is not None:
            progress("measure", next(ticks), steps)

    request = {"bundle": str(bundle), "threads": threads, "provider": provider, "sources": list(sources)}
    for _ in range(protocol.processes):
        _run_set(cells, request, lambda job: start(job.artifact, folder), meter, tick)
    zero_ns = min(cell.starts[0][0] for cell in cells)
    return [cell.found(zero_ns) for cell in cells]


def _run_set(
    cells: Sequence[Cell],
    request: dict[str, Any],
    start: Callable[[Job], AnyWorker],
    meter: Meter | None,
    tick: Callable[[], None],
) -> None:
    """One process of every job, from its start to its end."""
    with ExitStack() as stack:
        workers = []
        for cell in cells:  # one at a time: import and load are timed
            workers.append(stack.enter_context(closing(start(cell.job))))
            cell.open(workers[-1], request)
            tick()
        for cell, worker in zip(cells, workers):
            cell.warm_up(worker)
            tick()
        for turn in range(cells[0].protocol.rounds):
            for place in range(len(cells)):
                index = (turn + place) % len(cells)
                cells[index].turn(workers[index])
                tick()
        for cell, worker in zip(cells, workers):
            if meter is not None:
                cell.use_energy(worker, meter)
            cell.finish(worker)
