"""benchmark_scenario(): one scenario with each artifact of a bundle, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal, get_args

from edgevision.benchmarks.benchmark import images_to_run
from edgevision.benchmarks.choice import chosen
from edgevision.benchmarks.environment import machine_state
from edgevision.benchmarks.process import environment
from edgevision.benchmarks.scenarios.report import Played, ScenarioReport
from edgevision.benchmarks.sources import lay_out
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.errors import BackendError, InputError
from edgevision.runtime.host import host_description

Scenario = Literal["offline", "rate", "sustained", "cold-start", "concurrency"]
Progress = Callable[[str, int, int], None]

#: Seconds that each artifact plays unless told otherwise.
SECONDS: dict[str, float] = {"offline": 5.0, "rate": 10.0, "sustained": 600.0, "cold-start": 0.0, "concurrency": 5.0}
_COMMAND = [sys.executable, "-m", "edgevision.benchmarks.scenarios.child"]
#: Distinct images, processes of a cold start, and what besides the playing time a process may take.
_DISTINCT, _STARTS, _PATIENCE_S = 200, 10, 300.0


def benchmark_scenario(
    bundle_path: str | Path,
    scenario: Scenario,
    data: str | Path | None = None,
    artifacts: Sequence[str] | None = None,
    *,
    seconds: float | None = None,
    rate: float = 30.0,
    sizes: Sequence[int] = (1, 8, 32),
    counts: Sequence[int] = (1, 2, 4),
    threads: int | None = None,
    progress: Progress | None = None,
) -> ScenarioReport:
    """Plays a scenario with the very predictor that users call.

    Args:
        bundle_path: The bundle.
        scenario: "offline": throughput of lists; "rate": a camera's frames at a fixed rate; "sustained": minutes on
            end; "cold-start": from the start of a process to its first result; "concurrency": threads on one predictor.
        data: Images; None takes the bundle's golden inputs.
        artifacts: Names; None takes all whose engine is installed.
        seconds: How long each artifact plays, per size or number of threads; None: 600 for "sustained", else 5 to 10.
        rate: Frames per second, of "rate".
        sizes: Lengths of lists, of "offline".
        counts: Numbers of calling threads, of "concurrency".
        threads: Threads of the engine; None leaves it to ``load``.
        progress: Called with ("play", artifacts done, artifacts).

    Raises:
        InputError: An option is not usable.
        BundleError, DatasetError, ImageError: The bundle or the data cannot be used.
        BackendError: An engine is missing, or failed.
    """
    _check(scenario, seconds, rate, sizes, counts)
    bundle = Bundle.open(bundle_path)
    names, skipped = chosen(bundle.manifest, None if artifacts is None else tuple(artifacts))
    _, images, _ = images_to_run(bundle, data, _DISTINCT)
    before, played = machine_state(), []
    with tempfile.TemporaryDirectory(prefix="edgevision-") as folder:
        request: dict[str, Any] = {
            "bundle": str(bundle.path.resolve()),
            "scenario": scenario,
            "seconds": SECONDS[scenario] if seconds is None else seconds,
            "rate": rate,
            "sizes": list(sizes),
            "counts": list(counts),
            "threads": threads,
            "sources": lay_out(images, Path(folder)),
        }
        for number, name in enumerate(names):
            if progress is not None:
                progress("play", number, len(names))
            starts = _STARTS if scenario == "cold-start" else 1
            replies = [_ask({**request, "artifact": name}, folder) for _ in range(starts)]
            played.append(Played(name, replies[-1]["engine"], tuple(replies)))
    options = {key: request[key] for key in ("seconds", "rate", "sizes", "counts", "threads")}
    return ScenarioReport(
        scenario=scenario,
        bundle=bundle.path.resolve().name,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        options=options,
        images={
            "kind": images.kind,
            "name": images.name,
            "split": images.split,
            "distinct": len(images.samples),
        },
        played=tuple(played),
        host={**host_description(), "before": before, "after": machine_state()},
        skipped=skipped,
    )


def _check(scenario: str, seconds: float | None, rate: float, sizes: Sequence[int], counts: Sequence[int]) -> None:
    if scenario not in get_args(Scenario):
        raise InputError("the scenario is unknown", expected=" or ".join(get_args(Scenario)), got=repr(scenario))
    if (seconds is not None and not 0 < seconds < float("inf")) or not 0 < rate < float("inf"):
        raise InputError("nothing could be measured", expected="seconds and rate above 0", got=f"{seconds}, {rate}")
    for name, numbers in (("sizes", sizes), ("counts", counts)):
        if not numbers or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in numbers):
            raise InputError(f"{name} is not usable", expected="whole numbers of at least 1", got=str(numbers))


def _ask(request: dict[str, Any], folder: str) -> dict[str, Any]:
    """The reply of a fresh process, with ``start_ns``: from its start until its first result.

    ``perf_counter`` is the whole system's: what the process reads there can be compared with what is read here.
    """
    text, limit = json.dumps(request), _PATIENCE_S + 20 * request["seconds"]
    start = time.perf_counter_ns()
    try:
        words: dict[str, Any] = {"capture_output": True, "text": True, "cwd": folder, "env": environment()}
        done = subprocess.run(_COMMAND, input=text + "\n", timeout=limit, check=False, **words)
    except subprocess.TimeoutExpired as error:
        raise BackendError(f"{request['artifact']} did not come to an end", expected=f"{limit:.0f} s") from error
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        got = f"exit code {done.returncode}, last words: {lines[-1] if lines else 'none'}"
        raise BackendError(f"measuring {request['artifact']} failed", got=got)
    reply: dict[str, Any] = json.loads(done.stdout)
    return {**reply, "start_ns": reply.pop("answered_ns") - start}
