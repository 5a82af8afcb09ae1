"""Which of several callables is the fastest, on a machine where other things happen.

A slow phase hits whoever runs in it, so candidates take turns in short rounds, and of each the least of the medians of
its blocks counts: a disturbance that lasts some rounds spoils a block of each and no more. Calls that are shorter than
what a clock and a cache miss weigh are timed many at a time. Who is clearly slower leaves early.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter, sleep

Clock = Callable[[], float]

#: Seconds that one sample lasts at least: many calls of a small model.
SAMPLE_S = 0.002
#: Seconds of unrecorded calls before a sample: caches come back, and the threads of who ran before go to sleep.
WARM_S = 0.0015
#: Seconds of rest before that: what still spins has stopped, and the scheduler puts waking threads on idle processors.
REST_S = 0.005
#: A call of this many seconds brings the caches back by itself.
_LONG_S = 0.05
#: Samples of one block.
BLOCK = 5
#: How many times the best one's time is clearly slower after two probes.
PROBE_MARGIN = 3.0
#: (share of the time, rounds) -> the same once both have passed. Other programs disturb for a tenth of a second or
#: more, so that rounds alone, of which a small model makes hundreds a second, prove nothing.
MARGINS = {(0.1, 1): 2.0, (0.25, 2): 1.4, (0.45, 4): 1.15, (0.7, 6): 1.06}
#: The same after the probe where one round would take half of the time.
_LONG_MARGIN = 1.3
#: Share of the time after which whoever left in a bad moment has a second chance, and how good it has to be then.
_FIRST_HEAT, _COMEBACK = 0.8, 1.15
#: As good as the best: what fewer threads or an earlier place decides.
TIE = 1.02
_PROBE_S, _PROBE_CALLS, _PAUSE_S = 0.008, 30, 0.02


@dataclass(eq=False)
class Lane:
    """One candidate.

    Attributes:
        call: Runs it once.
        samples: Seconds per call, one of each round; the probe's is not among them.
        probed: Seconds per call as the probe found it.
        left: Why it left the race; "" while it is in it.
    """

    call: Callable[[], object]
    samples: list[float] = field(default_factory=list)
    probed: float = math.inf
    left: str = ""

    @property
    def seconds(self) -> float:
        """Seconds per call: the least of the medians of whole blocks; before the first, what there is."""
        whole = [median(self.samples[i : i + BLOCK]) for i in range(0, len(self.samples) - BLOCK + 1, BLOCK)]
        return min(whole) if whole else self.quickest

    @property
    def quickest(self) -> float:
        """Seconds per call in its best moment: what it can be at most."""
        return min([self.probed, *self.samples])


def enter(lanes: Sequence[Lane], lane: Lane, margin: float = PROBE_MARGIN, clock: Clock = perf_counter) -> float:
    """Probes the newest of the candidates, again after a pause if it seems slow; seconds per call.

    Those that are ``margin`` times slower than the best one leave.
    """
    others = [each.seconds for each in lanes if each is not lane]
    if probe(lane, clock) > margin * min(others, default=math.inf):
        sleep(_PAUSE_S)
        first = lane.probed
        lane.probed = min(first, probe(lane, clock))
    drop(lanes, margin)
    return lane.probed


def probe(lane: Lane, clock: Clock = perf_counter) -> float:
    """A first idea of a candidate: seconds of its quickest call, after one that sets everything up."""
    lane.call()
    times: list[float] = []
    while not times or (sum(times) < _PROBE_S and len(times) < _PROBE_CALLS):
        before = clock()
        lane.call()
        times.append(clock() - before)
    lane.probed = min(times)
    return lane.probed


def run(lanes: Sequence[Lane], seconds: float, clock: Clock = perf_counter) -> Lane:
    """Lets probed candidates race and returns the winner.

    Args:
        lanes: The candidates, the preferred first: of equals the first one wins.
        seconds: How long the race may last; the round in which time ends is its last.
        clock: Tells the time in seconds.
    """
    start = clock()
    if sum(lane.seconds for lane in lanes if not lane.left) > seconds / 2:  # long calls were timed well by the probe
        drop(lanes, _LONG_MARGIN)
    _heat(lanes, _FIRST_HEAT * seconds, clock)
    best = winner(lanes)
    for lane in [each for each in lanes if each.samples and each.left]:
        if clock() - start > seconds:
            break
        _turn(best, clock)
        if min(_turn(lane, clock), _turn(lane, clock)) < _COMEBACK * best.seconds:
            lane.left = ""
    if clock() - start < seconds:
        _heat(lanes, (1 - _FIRST_HEAT) * seconds, clock)
    return winner(lanes)


def _heat(lanes: Sequence[Lane], seconds: float, clock: Clock) -> None:
    """Rounds until time ends, one at least, or nobody is left to beat."""
    start, rounds, margins = clock(), 0, dict(MARGINS)
    while True:
        passed = (clock() - start) / seconds
        running = [lane for lane in lanes if not lane.left]
        if len(running) == 1 or (passed >= 1 and rounds):
            return
        for place in range(len(running)):  # nobody always runs after the same one
            _turn(running[(place + rounds) % len(running)], clock)
        rounds += 1
        for share, least in [key for key in margins if passed >= key[0] and rounds >= key[1]]:
            drop(lanes, margins.pop((share, least)))


def drop(lanes: Sequence[Lane], margin: float) -> None:
    """Whoever was more than ``margin`` times slower than the best in its quickest moment leaves.

    Not in its usual one: two threads that the scheduler keeps on one processor for a while are twice as slow meanwhile.
    """
    running = [lane for lane in lanes if not lane.left]
    best = min(lane.seconds for lane in running)
    for lane in running:
        if lane.quickest > margin * best:
            lane.left = f"{lane.quickest / best:.2f} times slower"


def winner(lanes: Sequence[Lane]) -> Lane:
    """The first in the list of those that are as fast as the fastest."""
    running = [lane for lane in lanes if not lane.left]
    best = min(lane.seconds for lane in running)
    return next(lane for lane in running if lane.seconds <= TIE * best)


def _turn(lane: Lane, clock: Clock) -> float:
    """Takes one sample, seconds per call."""
    sleep(REST_S)
    typical = max(lane.quickest, 1e-7)
    calls = max(1, min(1000, math.ceil(SAMPLE_S / typical)))
    warm = clock()
    while typical < _LONG_S:
        lane.call()
        if clock() - warm >= WARM_S:
            break
    start = clock()
    for _ in range(calls):
        lane.call()
    lane.samples.append((clock() - start) / calls)
    return lane.samples[-1]
