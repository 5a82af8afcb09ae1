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
from typing import Any

#: Runs of one warm-up window: the warm-up is over when two windows in a row agree.
_WINDOW = 5
#: How closely they have to agree, and after how many times the least warm-up it ends without.
_AGREEMENT, _PATIENCE = 0.1, 6


class Worker:
    """Opens one artifact and runs it when told to."""

    def __init__(self) -> None:
        self._sources: list[str] = []
        self._predictor: Any = None  # a Predictor, or a TensorPredictor

    def open(self, bundle: str, artifact: str, null: bool, threads: int | None, sources: list[str]) -> dict[str, Any]:
        """Imports, loads and predicts once, each timed."""
        base = peak_memory()
        start = time.perf_counter_ns()
        from edgevision.runtime.predictor import load

        imported = time.perf_counter_ns()
        self._predictor = load(bundle, backend="null" if null else None, threads=threads, artifact=artifact, tune=False)
        loaded = time.perf_counter_ns()
        self._sources = sources
        first = self._run(0)
        return {
            "base_bytes": base,
            "import_ns": imported - start,
            "load_ns": loaded - imported,
            "first_ns": sum(first),
            "engine": self._predictor.describe(),
        }

    def warm_up(self, least_runs: int, least_s: float) -> dict[str, Any]:
        """Runs until both minima are reached and two windows' medians agree, or patience ends."""
        start, settled = time.perf_counter(), False
        totals: list[int] = []
        while True:
            totals.append(sum(self._run(len(totals))))
            spent = time.perf_counter() - start
            if len(totals) < max(least_runs, 2 * _WINDOW) or spent < least_s or len(totals) % _WINDOW:
                continue
            last, before = _median(totals[-_WINDOW:]), _median(totals[-2 * _WINDOW : -_WINDOW])
            settled = abs(last - before) <= _AGREEMENT * before
            if settled or spent > _PATIENCE * max(least_s, 0.1):
                return {"runs": len(totals), "settled": settled, "per_run_ns": last}

    def block(self, first: int, runs: int, unrecorded: int) -> dict[str, Any]:
        """Measures ``runs`` images from number ``first`` on, after a few that bring the caches back."""
        for index in range(first - unrecorded, first):
            self._run(index)
        return {"stages_ns": [self._run(index) for index in range(first, first + runs)]}

    def finish(self) -> dict[str, Any]:
        """Peak memory of this process since it started."""
        return {"peak_bytes": peak_memory()}

    def _run(self, index: int) -> tuple[int, int, int, int]:
        """One prediction: nanoseconds of decode, preprocess, infer and postprocess."""
        predictor, clock = self._predictor, time.perf_counter_ns
        assert predictor is not None, "open comes first"
        source = self._source(index)
        if isinstance(source, dict):  # the model's own inputs: there is nothing to decode
            return self._run_arrays(source)
        start = clock()
        image = predictor.decode(source)
        decoded = clock()
        feeds = predictor.preprocess(image)
        prepared = clock()
        outputs = predictor.infer(feeds)
        inferred = clock()
        self._decode(outputs, image.shape[:2])
        return decoded - start, prepared - decoded, inferred - prepared, clock() - inferred

    def _run_arrays(self, feeds: dict[str, Any]) -> tuple[int, int, int, int]:
        """Of the task "tensors" decoding the outputs belongs to the run; of any other it is its own stage."""
        predictor, clock = self._predictor, time.perf_counter_ns
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

    def _source(self, index: int) -> Any:
        path = self._sources[index % len(self._sources)]
        if not path.endswith((".npy", ".npz")):
            return path
        import numpy as np

        found = np.load(path, allow_pickle=False)
        return found if path.endswith(".npy") else dict(found)


def peak_memory() -> int:
    """Most bytes of memory this process has held since its program started.

    Linux' ru_maxrss, read here or through wait4, is carried over from the parent when a program is started: with a
    parent of 500 MB every child reports at least 500 MB. VmHWM belongs to the new program alone.
    """
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123 - pathlib would be memory of ours
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


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
