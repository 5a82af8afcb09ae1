"""How long and how often is measured: the figures of a benchmark's plan, and those of a quick look."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from edgevision.runtime.errors import InputError

#: Most runs of one model that its seconds can lead to: more tell nothing new of a model of microseconds.
MOST_RUNS = 100_000
#: Runs at the start of a block that are not recorded, for the others' turns have emptied the caches; one where a run
#: lasts so long, seconds, that it brings them back by itself.
UNRECORDED, LONG_S = 2, 0.05


@dataclass(frozen=True)
class Protocol:
    """What every model goes through.

    Attributes:
        runs: Least number of recorded predictions of a model, all processes together.
        min_s: Least seconds of recorded predictions of a model, all processes together, up to ``MOST_RUNS`` runs.
        processes: How many processes of each model are started, one after the other.
        rounds: Blocks of each process: models take turns, one block each per round.
        warm_runs: Least number of predictions of a warm-up.
        warm_s: Least seconds of a warm-up.
        quick: Whether it is a quick look, which reports have to say.
    """

    runs: int = 200
    min_s: float = 10.0
    processes: int = 5
    rounds: int = 10
    warm_runs: int = 10
    warm_s: float = 1.0
    quick: bool = False

    def __post_init__(self) -> None:
        if min(self.runs, self.processes, self.rounds) < 1 or not self.min_s >= 0:
            expected = "runs >= 1, processes >= 1, min_s >= 0"
            got = f"{self.runs}, {self.processes}, {self.min_s}"
            raise InputError("nothing would be measured", expected=expected, got=got)

    @classmethod
    def of(cls, quick: bool, runs: int | None, min_s: float | None, processes: int | None) -> Protocol:
        """The full or the quick plan, changed where a figure is given; with few runs there are fewer processes.

        Raises:
            InputError: Nothing would be measured.
        """
        plan = cls(min_s=0.5, processes=1, rounds=20, warm_s=0.25, quick=True) if quick else cls()
        given = {"runs": runs, "min_s": min_s, "processes": processes}
        plan = replace(plan, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
        count = min(plan.processes, plan.runs)
        return replace(plan, processes=count, rounds=min(plan.rounds, plan.runs // count))

    @property
    def blocks(self) -> int:
        """Blocks of one model, all processes together."""
        return self.processes * self.rounds

    def block(self, per_run_s: float, *, for_time: bool = True) -> int:
        """Runs of one block of a model that takes ``per_run_s`` seconds; ``for_time`` is whether ``min_s`` counts."""
        least = math.ceil(self.runs / self.blocks)
        wanted = math.ceil(self.min_s / (self.blocks * max(per_run_s, 1e-7))) if for_time else 0
        return max(least, min(wanted, MOST_RUNS // self.blocks))

    def unrecorded(self, per_run_s: float) -> int:
        """Runs before each block that are not recorded."""
        return 1 if per_run_s > LONG_S else UNRECORDED
