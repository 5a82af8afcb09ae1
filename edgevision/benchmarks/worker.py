"""The child process that measures one artifact; the parent's side is ``process.py``.

Nothing but the standard library is imported before ``open``, so that the times and the memory are those of a
program that only predicts. Requests and replies are JSON, one line each, on stdin and stdout. Garbage collection
is left as users have it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

#: Least runs of one warm-up window, and its share of the least seconds of the warm-up.
_WINDOW, _SHARE = 5, 0.2
#: How closely the medians of the last two windows have to agree.
_AGREEMENT = 0.02
#: After how many times the least seconds, and how many windows, the warm-up ends without that.
_PATIENCE, _WINDOWS = 5, 4
#: Arrays stay in memory while together they have no more bytes: what is measured is not to hold the images as well.
_KEPT = 2_000_000

Clock = Callable[[], int]
Stages = tuple[int, int, int, int]


class Worker:
    """Opens one artifact and runs it when told to."""

    def __init__(self, clock: Clock = time.perf_counter_ns) -> None:
        """``clock`` gives nanoseconds; another one only where the harness itself is tested."""
        self._clock = clock
        self._sources: list[Any] = []
        self._predictor: Any = None  # a Predictor, or a TensorPredictor

    def open(
        self,
        bundle: str,
        artifact: str,
        null: bool,
        threads: int | None,
        sources: list[str],
        provider: str | None = None,
    ) -> dict[str, Any]:
        """Imports, loads and predicts once, each timed."""
        base = peak_memory()
        start = self._clock()
        from edgevision.runtime.predictor import load

        imported = self._clock()
        where = {"backend": "null"} if null else {"provider": provider}
        predictor = load(bundle, **where, threads=threads, artifact=artifact, tune=False)
        loaded = self._clock()
        first = self.take(predictor, sources)
        return {
            "base_bytes": base,
            "import_ns": imported - start,
            "load_ns": loaded - imported,
            "first_ns": sum(first),
            "engine": predictor.describe(),
            "affinity": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [],
        }

    def take(self, predictor: Any, sources: list[str]) -> Stages:
        """Takes an open predictor and runs the first source on it."""
        self._predictor, self._sources = predictor, list(sources)
        kept = 0
        for i, path in enumerate(sources):
            if holds_arrays(path) and (kept := kept + os.stat(path).st_size) <= _KEPT:  # noqa: PTH116 - as below
                self._sources[i] = read_source(path)
        return self._run(0)

    def warm_up(self, least_runs: int, least_s: float) -> dict[str, Any]:
        """Runs until both minima are reached and the medians of the last two windows agree, or patience ends."""
        start, runs, windows = self._clock(), 0, 0
        before = last = 0
        while True:
            totals = self._window(runs, int(_SHARE * least_s * 1e9))
            runs, windows = runs + len(totals), windows + 1
            before, last = last, _median(totals)
            spent_s = (self._clock() - start) / 1e9
            if windows < 2 or runs < least_runs or spent_s < least_s:
                continue
            settled = abs(last - before) <= _AGREEMENT * before
            if settled or (windows >= _WINDOWS and spent_s > _PATIENCE * least_s):
                return {"runs": runs, "settled": settled, "per_run_ns": last}

    def _window(self, first: int, least_ns: int) -> list[int]:
        start, totals = self._clock(), list[int]()
        while len(totals) < _WINDOW or self._clock() - start < least_ns:
            totals.append(sum(self._run(first + len(totals))))
        return totals

    def block(self, first: int, runs: int, unrecorded: int) -> dict[str, Any]:
        """Measures ``runs`` images from number ``first`` on, after a few that bring the caches back."""
        for index in range(first - unrecorded, first):
            self._run(index)
        start = self._clock()
        return {"start_ns": start, "stages_ns": [self._run(index) for index in range(first, first + runs)]}

    def finish(self) -> dict[str, Any]:
        """Memory of this process: the most since it started, and what it holds now that it has long been running."""
        return {"peak_bytes": peak_memory(), "steady_bytes": held_memory()}

    def _run(self, index: int) -> Stages:
        """One prediction, step by step as a call makes it: nanoseconds of decode, preprocess, infer, postprocess."""
        predictor, clock = self._predictor, self._clock
        source = self._sources[index % len(self._sources)]
        if isinstance(source, str):
            source = read_source(source)
        if isinstance(source, dict):  # the model's own inputs: there is nothing to decode
            return self._run_arrays(source)
        form = predictor.form
        start = clock()
        found = form.read(source)
        decoded = clock()
        feeds = form.prepare(found, source)
        prepared = clock()
        outputs = predictor.infer(feeds)
        inferred = clock()
        self._decode(outputs, form.size(found))
        return decoded - start, prepared - decoded, inferred - prepared, clock() - inferred

    def _run_arrays(self, feeds: dict[str, Any]) -> Stages:
        """Of the task "tensors" decoding the outputs belongs to the run; of any other it is its own stage."""
        predictor, clock = self._predictor, self._clock
        start = clock()
        if predictor.manifest.task == "tensors":
            predictor.run(feeds)
            return 0, 0, clock() - start, 0
        outputs = predictor.infer(feeds)
        inferred = clock()
        self._decode(outputs, (0, 0))
        return 0, 0, inferred - start, clock() - inferred

    def _decode(self, outputs: dict[str, Any], size: tuple[int, int]) -> None:
        try:
            self._predictor.postprocess(outputs, size)
        except ValueError:  # the zeros of no engine may be no result at all, like a direction of length 0
            if self._predictor.session.backend != "null":
                raise


def holds_arrays(path: str) -> bool:
    """Whether ``sources.lay_out`` wrote arrays there; else it is an encoded image."""
    return path.endswith((".npy", ".npz"))


def read_source(path: str) -> Any:
    """What a predictor takes: of an encoded image its path, else the array or the named arrays."""
    if not holds_arrays(path):
        return path
    import numpy as np

    found = np.load(path, allow_pickle=False)
    return found if path.endswith(".npy") else dict(found)


def peak_memory() -> int:
    """Most bytes of memory this process has held since its program started.

    Linux' ru_maxrss, read here or through wait4, is carried over from the parent when a program is started: with a
    parent of 500 MB every child reports at least 500 MB. VmHWM belongs to the new program alone.
    """
    peak = _status("VmHWM:")
    if peak is None:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return peak


def held_memory() -> int | None:
    """Bytes of memory that this process holds; None where the system does not tell."""
    return _status("VmRSS:")


def _status(key: str) -> int | None:
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123 - pathlib would be memory of ours
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith(key))
    except (OSError, StopIteration):
        return None


def _median(values: list[int]) -> int:
    return sorted(values)[len(values) // 2]


def main() -> None:
    """Answers requests until stdin ends."""
    # What an engine prints goes to stderr: stdout belongs to the replies.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # Ctrl-C reaches the whole group; the parent ends its children in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker = Worker()
    for line in sys.stdin:
        request = json.loads(line)
        reply = getattr(worker, request.pop("do"))(**request)
        print(json.dumps(reply, default=str), file=replies, flush=True)


if __name__ == "__main__":
    main()
