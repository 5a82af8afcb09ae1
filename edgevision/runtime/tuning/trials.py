"""Opens the candidates of a bundle, checks their golden outputs and lets them race."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from edgevision.runtime.bundle import GOLDEN, Bundle, Golden
from edgevision.runtime.choice import Wish, choose
from edgevision.runtime.errors import EdgevisionError
from edgevision.runtime.golden import FIRST_USE_S, Verdict, feeds, replay
from edgevision.runtime.host import free_memory
from edgevision.runtime.manifest import Artifact
from edgevision.runtime.opening import open_artifact
from edgevision.runtime.session import Session
from edgevision.runtime.tuning import race
from edgevision.runtime.tuning.candidates import providers, thread_counts
from edgevision.runtime.tuning.record import Trial

#: Seconds after which no other model is begun.
OPENING_S = 10.0
#: More threads are not tried once one step more made it this many times slower.
_WORSE = 1.2
#: Share of the free memory that open candidates may take, at twice the size of their files; beyond it the margin.
_MEMORY_SHARE, _SCARCE_MARGIN = 0.25, 1.2


class Trials:
    """Every candidate is opened and timed for a moment; those that are not clearly slower stay open and race.

    Args:
        bundle: Whose models.
        wish: What the user fixed.
        seconds: How long to race. Later than ``OPENING_S`` or twice as long after the first, no other one is begun.
        say: Called with the format of a candidate before it is opened.

    Attributes:
        verdicts: What came of the golden inputs, by artifact and provider.
    """

    def __init__(self, bundle: Bundle, wish: Wish, seconds: float, say: Callable[[str], None]) -> None:
        self._bundle, self._wish, self._seconds, self._say = bundle, wish, seconds, say
        listed = any(entry.name == GOLDEN for entry in bundle.manifest.files)
        self._golden = bundle.golden() if listed else Golden({}, {})
        self._end = time.perf_counter() + max(OPENING_S, 2 * seconds)
        self._lanes: list[tuple[Trial, race.Lane, Session]] = []
        self._failed: list[Trial] = []
        self.verdicts: list[tuple[str, str | None, Verdict]] = []

    def run(self, crashed: list[str]) -> tuple[Trial, ...]:
        """The chosen one first, then the slower ones, then what cannot be used.

        Args:
            crashed: Formats whose engine is not to be tried again.
        """
        for artifact in choose(self._bundle.manifest.artifacts, self._wish):
            if artifact.format in crashed:
                self._fail(artifact, None, f"{artifact.format} crashed when it was tried")
                continue
            self._say(artifact.format)
            try:
                for provider in providers(artifact.format, self._wish):
                    self._try_on(artifact, provider)
            except EdgevisionError as error:  # the engine cannot be imported
                self._fail(artifact, None, str(error))
        running = [item for item in self._lanes if not item[1].left]
        if running:
            preferred = sorted(running, key=lambda item: item[0].threads)  # of equals the one with fewest threads
            race.run([lane for _, lane, _ in preferred], self._seconds)
            for _, _, session in running:
                session.close()
        return self._ordered()

    def _try_on(self, artifact: Artifact, provider: str | None) -> None:
        """One artifact in one place: with few threads, then with more as long as that can help."""
        counts, times = thread_counts(self._wish), list[float]()
        if time.perf_counter() > self._end and self._lanes:
            return self._fail(artifact, provider, "not tried: out of time")
        for threads in counts:
            if times and (times[-1] > _WORSE * min(times) or times[0] / counts[-1] > race.PROBE_MARGIN * self._best()):
                return None  # it became slower, or would be even if the work were perfectly shared
            try:
                session = open_artifact(self._bundle, artifact, replace(self._wish, threads=threads, provider=provider))
            except EdgevisionError as error:
                return self._fail(artifact, provider, str(error), threads)
            if not times and not self._holds(session, artifact, provider):
                return session.close()
            times.append(self._probe(Trial(artifact.name, provider, threads, None), session))
        return None

    def _holds(self, session: Session, artifact: Artifact, provider: str | None) -> bool:
        verdict = replay(session, self._bundle.manifest, artifact, self._golden, FIRST_USE_S)
        if verdict is None:
            return True
        self.verdicts.append((artifact.name, provider, verdict))
        if not verdict.passed:
            self._fail(artifact, provider, f"golden outputs do not hold: {verdict.words}")
        return verdict.passed

    def _probe(self, trial: Trial, session: Session) -> float:
        preprocessing, given = self._bundle.manifest.preprocessing, self._golden
        if not given.inputs:
            given = made_up(session)
        lane = race.Lane(lambda: session.run(feeds(session, preprocessing, given, 0)))
        self._lanes.append((trial, lane, session))
        found = race.enter([lane for _, lane, _ in self._lanes], lane, self._margin())
        for _, each, its in self._lanes:
            if each.left:
                its.close()  # twice does no harm; it makes room for the next
        return found

    def _margin(self) -> float:
        """Where memory becomes scarce only those stay open that may well be the fastest."""
        sizes = {artifact.name: artifact.size for artifact in self._bundle.manifest.artifacts}
        used = sum(2 * sizes[trial.artifact] for trial, lane, _ in self._lanes if not lane.left)
        return race.PROBE_MARGIN if used < _MEMORY_SHARE * (free_memory() or np.inf) else _SCARCE_MARGIN

    def _best(self) -> float:
        return min(lane.seconds for _, lane, _ in self._lanes)

    def _fail(self, artifact: Artifact, provider: str | None, note: str, threads: int = 1) -> None:
        self._failed.append(Trial(artifact.name, provider, threads, None, note))

    def _ordered(self) -> tuple[Trial, ...]:
        running = [(trial, lane) for trial, lane, _ in self._lanes]
        if not running:
            return tuple(self._failed)
        preferred = sorted(running, key=lambda item: item[0].threads)
        won = race.winner([lane for _, lane in preferred])
        found = []
        for trial, lane in sorted(preferred, key=lambda item: (item[1] is not won, item[1].seconds)):
            ratio = lane.seconds / won.seconds
            note = f"{ratio:.2f} times slower" if ratio > race.TIE else "as fast within what can be told"
            found.append(replace(trial, ms=round(lane.seconds * 1e3, 5), note="" if lane is won else note))
        return (*found, *self._failed)


def made_up(session: Session) -> Golden:
    """One input of each kind the session takes, for bundles that carry none: random pixels, values 0..1, zeros."""
    random, found = np.random.default_rng(0), {}
    for spec in session.inputs:
        if spec.dtype == "uint8":
            found[spec.name] = random.integers(0, 256, spec.shape, np.uint8)
        else:
            values = random.random(spec.shape) if spec.dtype.startswith("float") else np.zeros(spec.shape)
            found[spec.name] = values.astype(spec.dtype)
    return Golden(found, {})
