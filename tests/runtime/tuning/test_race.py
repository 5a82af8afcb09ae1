"""The race on a clock that only the candidates move."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from edgevision.runtime.tuning import race
from edgevision.runtime.tuning.race import Lane, enter, run


class World:
    """A clock, and disturbances that slow down whoever runs in them."""

    def __init__(self, disturbed: Callable[[float], float] = lambda now: 1.0) -> None:
        self.now, self.disturbed, self.random = 0.0, disturbed, random.Random(0)

    def clock(self) -> float:
        return self.now

    def lane(self, seconds: float, first: float = 0.0) -> Lane:
        waiting = [first]

        def call() -> None:
            extra = waiting.pop() if waiting else 0.0
            self.now += (seconds + extra) * self.disturbed(self.now) * self.random.uniform(1, 1.02)

        return Lane(call)

    def race(self, *speeds: float, seconds: float = 3.0) -> tuple[list[Lane], Lane]:
        lanes: list[Lane] = []
        for speed in speeds:
            lanes.append(self.lane(speed, first=20 * speed))
            enter(lanes, lanes[-1], clock=self.clock)
        return lanes, run(lanes, seconds, self.clock)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race, "sleep", lambda _: None)


@pytest.mark.parametrize("scale", [2e-5, 1e-3, 0.04, 0.6])
def test_the_fastest_wins_and_its_time_is_right(scale: float) -> None:
    world = World()
    lanes, won = world.race(1.3 * scale, 1.1 * scale, scale, 9 * scale)
    assert won is lanes[2]
    assert won.seconds == pytest.approx(scale, rel=0.02)
    assert lanes[3].left == "9.00 times slower" or 8.8 < lanes[3].seconds / won.seconds < 9.2
    assert not lanes[3].samples, "a clear loser is not timed again"


def test_it_ends_in_time() -> None:
    world = World()
    world.race(0.02, 0.021, 0.0205, 0.0195)
    assert world.now < 3.0 + 4 * (0.4 + 0.15) + 0.5, "three seconds, the probes, and the round that was begun"


def test_long_calls_are_not_raced_for_long() -> None:
    world = World()
    lanes: list[Lane] = []
    for speed in (2.0, 1.5, 2.4, 1.7, 2.8):
        lanes.append(world.lane(speed))
        enter(lanes, lanes[-1], clock=world.clock)
    before = world.now
    assert run(lanes, 3.0, world.clock) is lanes[1]
    assert world.now - before < 7.5, "two rounds of the two that are near each other"


def test_one_candidate_alone_is_not_raced() -> None:
    world = World()
    _, won = world.race(0.01)
    assert world.now < 0.25
    assert won.samples == []


def test_a_disturbance_of_some_rounds_changes_nothing() -> None:
    """Every quarter of a second somebody else takes two thirds of the processor for a tenth of a second."""
    world = World(lambda now: 3.0 if now % 0.25 < 0.1 else 1.0)
    for scale in (5e-5, 4e-4, 3e-3):
        lanes, won = world.race(1.2 * scale, scale, 1.1 * scale, 1.5 * scale)
        assert won is lanes[1]
        assert won.seconds == pytest.approx(scale, rel=0.03)


def test_who_left_in_a_bad_moment_comes_back() -> None:
    bad = [False]
    world = World()
    slow, good = world.lane(1e-3), world.lane(7e-4)
    inner = good.call

    def call() -> None:
        inner()
        world.now += 1.4e-3 if bad[0] else 0.0

    good.call = call
    lanes = [slow, good]
    for lane in lanes:
        enter([slow], lane, clock=world.clock)
    bad[0] = True
    good.probed = 2.1e-3
    left_at: list[float] = []

    def clock() -> float:
        if good.left and bad[0]:
            left_at.append(world.now)
            bad[0] = False
        return world.now

    assert run(lanes, 3.0, clock) is good
    assert left_at, "it had left"


def test_of_equals_the_preferred_one_wins() -> None:
    world = World()
    lanes, won = world.race(1.01e-3, 1e-3, 1.005e-3)
    assert won is lanes[0]
    lanes, won = world.race(1.1e-3, 1e-3)
    assert won is lanes[1]


def test_a_first_impression_is_taken_twice() -> None:
    """A candidate that meets a disturbance when it is probed is not sent away for it."""
    world = World(lambda now: 6.0 if 0.03 < now < 0.06 else 1.0)
    lanes, won = world.race(1.2e-3, 1e-3)
    assert not lanes[1].left
    assert won is lanes[1]
