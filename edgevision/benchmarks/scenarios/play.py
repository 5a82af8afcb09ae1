"""What a scenario does with a predictor, timed. Clock and sleep are given, so that a test can play with a made-up one.

All times are nanoseconds. A call takes one sample and returns when its result is there. Nothing is left out: every call
made is in the result.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

Call = Callable[[Any], object]
Clock = Callable[[], int]
Sleep = Callable[[int], None]

#: How long a stretch of the sustained scenario lasts, after which the machine's state is read.
STRETCH_NS = 1_000_000_000


def offline(
    many: Call, samples: Sequence[Any], sizes: Sequence[int], run_ns: int, clock: Clock
) -> list[dict[str, Any]]:
    """As many as possible: lists of each size, one after the other, for so long.

    Returns:
        Per size ``size``, and ``lists_ns``: how long each list took.
    """
    found = []
    for size in sizes:
        start, at = clock(), 0
        taken: list[int] = []
        while not taken or clock() - start < run_ns:
            batch = [samples[(at + i) % len(samples)] for i in range(size)]
            before = clock()
            many(batch)
            taken.append(clock() - before)
            at += size
        found.append({"size": size, "lists_ns": taken})
    return found


def fixed_rate(
    call: Call, samples: Sequence[Any], period_ns: int, run_ns: int, clock: Clock, sleep: Sleep
) -> dict[str, Any]:
    """A camera's frames, one each period; who is late takes the newest, as ``stream(latest=True)`` does.

    Returns:
        ``period_ns``; ``ages_ns``: from when each frame that was taken was due until its result; ``dropped``: frames
        that a newer one had replaced before they were taken.
    """
    start, number, dropped, ages = clock(), 0, 0, []
    while number * period_ns < run_ns:
        due, now = start + number * period_ns, clock()
        if now >= due + period_ns:  # the next one is there too
            dropped += 1
        else:
            if now < due:
                sleep(due - now)
            call(samples[number % len(samples)])
            ages.append(clock() - due)
        number += 1
    return {"period_ns": period_ns, "ages_ns": ages, "dropped": dropped}


def sustained(
    call: Call, samples: Sequence[Any], run_ns: int, clock: Clock, state: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """One call after the other for minutes, and what becomes of the machine.

    Returns:
        ``calls_ns``: every call; ``ends_ns``: when each ended, from the start; ``states``: the machine's state, read
        between calls once a stretch, with ``at_ns``.
    """
    start, next_look = clock(), 0
    calls: list[int] = []
    ends: list[int] = []
    states: list[dict[str, Any]] = []
    while not calls or ends[-1] < run_ns:
        before = clock()
        if before - start >= next_look:
            states.append({"at_ns": before - start, **state()})
            next_look += STRETCH_NS
            before = clock()
        call(samples[len(calls) % len(samples)])
        after = clock()
        calls.append(after - before)
        ends.append(after - start)
    return {"calls_ns": calls, "ends_ns": ends, "states": states}


def concurrency(
    call: Call, samples: Sequence[Any], threads: Sequence[int], run_ns: int, clock: Clock
) -> list[dict[str, Any]]:
    """Several threads on one predictor, each one call after the other.

    Returns:
        Per number of threads ``threads``, ``wall_ns`` from the first call to the last result, ``calls_ns``.
    """
    return [_together(call, samples, count, run_ns, clock) for count in threads]


def _together(call: Call, samples: Sequence[Any], count: int, run_ns: int, clock: Clock) -> dict[str, Any]:
    lists: list[list[int]] = [[] for _ in range(count)]
    errors: list[BaseException] = []
    barrier = threading.Barrier(count)

    def work(own: list[int], at: int) -> None:
        try:
            barrier.wait()
            start = clock()
            while not own or clock() - start < run_ns:
                before = clock()
                call(samples[(at + len(own)) % len(samples)])
                own.append(clock() - before)
        except BaseException as error:  # raised below, in the thread that waits
            errors.append(error)

    workers = [threading.Thread(target=work, args=(own, i)) for i, own in enumerate(lists)]
    start = clock()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]
    return {"threads": count, "wall_ns": clock() - start, "calls_ns": [each for own in lists for each in own]}
