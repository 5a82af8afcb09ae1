"""The timed phase: workers start one after the other, then take turns in short blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from edgevision.benchmarks.process import WorkerProcess
from edgevision.benchmarks.report.model import STAGES

Progress = Callable[[str, int, int], None]

#: Turns that each artifact takes; the intervals of ratios rest on this number.
ROUNDS = 20
#: Most runs of one artifact that ``min_s`` can lead to.
MOST_RUNS = 2000
#: Runs at the start of a block that are not recorded: the others' turns have emptied the caches.
UNRECORDED = 2
#: Least warm-up.
WARM_RUNS, WARM_S = 10, 0.5


class Job(NamedTuple):
    """What one worker measures: an artifact, or with ``null`` the harness with that artifact's tensors."""

    artifact: str
    null: bool = False


def measure(
    jobs: Sequence[Job],
    bundle: Path,
    sources: Sequence[str],
    folder: Path,
    *,
    runs: int,
    min_s: float,
    threads: int | None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Measures every job in a process of its own.

    A slow phase of a shared machine would hit whatever runs just then, so nobody runs long at a time: in each of
    ``ROUNDS`` rounds every worker measures one block, of the same images, and the order moves on by one.

    Args:
        jobs: What to measure.
        bundle: Absolute path of the bundle.
        sources: Image files, from ``sources.lay_out``.
        folder: Working directory of the workers.
        runs: Least number of runs per job.
        min_s: Seconds of measuring per job, on average; more than ``MOST_RUNS`` runs are not made for it.
        threads: Threads per engine; None leaves it to ``load``.
        progress: Called with ("measure", steps done, steps).

    Returns:
        Per job the fields of ``report.Measured`` that come from running.

    Raises:
        BackendError: A worker died.
    """
    rounds = min(ROUNDS, runs)
    steps = 2 * len(jobs) + rounds * len(jobs)
    ticks = iter(range(1, steps + 1))

    def tick() -> None:
        if progress is not None:
            progress("measure", next(ticks), steps)

    with ExitStack() as stack:
        workers, facts = [], []
        for job in jobs:  # one at a time: import and load are timed
            worker = stack.enter_context(WorkerProcess(job.artifact, folder))
            request = {"bundle": str(bundle), "artifact": job.artifact, "null": job.null, "threads": threads}
            facts.append(worker.ask("open", **request, sources=list(sources)))
            workers.append(worker)
            tick()
        for worker, fact in zip(workers, facts):
            fact["warm"] = worker.ask("warm_up", least_runs=WARM_RUNS, least_s=WARM_S)
            tick()
        block = _block(runs, rounds, min_s, [fact["warm"]["per_run_ns"] / 1e9 for fact in facts])
        for turn in range(rounds):
            for place in range(len(workers)):
                index = (turn + place) % len(workers)
                reply = workers[index].ask("block", first=turn * block, runs=block, unrecorded=UNRECORDED)
                facts[index].setdefault("blocks", []).extend(reply["stages_ns"])
                tick()
        return [_measured(fact, block, worker.ask("finish")) for fact, worker in zip(facts, workers)]


def _block(runs: int, rounds: int, min_s: float, per_run_s: Sequence[float]) -> int:
    """Runs per block: the same for all, so that all see the same images in the same round."""
    least = math.ceil(runs / rounds)
    wanted = math.ceil(min_s * len(per_run_s) / (rounds * max(sum(per_run_s), 1e-9)))
    return max(least, min(wanted, MOST_RUNS // rounds))


def _measured(fact: dict[str, Any], block: int, end: dict[str, Any]) -> dict[str, Any]:
    warm, rows = fact["warm"], fact["blocks"]
    return {
        "engine": fact["engine"],
        "import_ns": fact["import_ns"],
        "load_ns": fact["load_ns"],
        "first_ns": fact["first_ns"],
        "warmup_runs": warm["runs"],
        "settled": warm["settled"],
        "block": block,
        "stages_ns": {stage: [row[i] for row in rows] for i, stage in enumerate(STAGES)},
        "base_bytes": fact["base_bytes"],
        "peak_bytes": end["peak_bytes"],
    }
