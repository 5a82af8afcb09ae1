"""The process that plays one scenario with one artifact: a request as JSON on stdin, the result as JSON on stdout.

Nothing but the standard library is imported before the request has come: a cold start is timed from there on too.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

#: Calls before anything is timed, and their least seconds.
_WARM_CALLS, _WARM_S = 10, 1.0


def main() -> None:
    """Answers one request."""
    begun = time.perf_counter_ns()
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what an engine prints goes to stderr
    request = json.loads(sys.stdin.readline())
    from edgevision.runtime.predictor import load

    imported = time.perf_counter_ns()
    words = {key: request[key] for key in ("artifact", "threads")}
    predictor = load(request["bundle"], tune=False, **words)
    loaded = time.perf_counter_ns()
    from edgevision.benchmarks.worker import read_source

    samples = [read_source(request["sources"][0])]  # the others would be part of a cold start
    call: Callable[[Any], object] = predictor.run if predictor.manifest.task == "tensors" else predictor
    before = time.perf_counter_ns()
    call(samples[0])
    phases = {"import_ns": imported - begun, "load_ns": loaded - imported}
    answered = time.perf_counter_ns()
    phases["first_ns"] = answered - before
    found: Any = {}
    if request["scenario"] != "cold-start":
        samples += map(read_source, request["sources"][1:])
        _warm(call, samples)
        found = _play(request, call, samples)
    reply = {"engine": predictor.describe(), "phases": phases, "answered_ns": answered, "found": found}
    print(json.dumps(reply, default=str), file=replies)


def _play(request: dict[str, Any], call: Callable[[Any], object], samples: Sequence[Any]) -> Any:
    from edgevision.benchmarks.environment import clocks_mhz
    from edgevision.benchmarks.scenarios import play
    from edgevision.runtime.host_state import host_state

    clock, run_ns = time.perf_counter_ns, round(request["seconds"] * 1e9)
    if request["scenario"] == "offline":
        return play.offline(call, samples, request["sizes"], run_ns, clock)
    if request["scenario"] == "rate":
        period = round(1e9 / request["rate"])
        return play.fixed_rate(call, samples, period, run_ns, clock, lambda span: time.sleep(span / 1e9))
    if request["scenario"] == "concurrency":
        return play.concurrency(call, samples, request["counts"], run_ns, clock)
    return play.sustained(
        call, samples, run_ns, clock, lambda: {**host_state(), "mhz": max(clocks_mhz(), default=None)}
    )


def _warm(call: Callable[[Any], object], samples: Sequence[Any]) -> None:
    start, count = time.perf_counter(), 0
    while count < _WARM_CALLS or time.perf_counter() - start < _WARM_S:
        call(samples[count % len(samples)])
        count += 1


if __name__ == "__main__":
    main()
