"""Does tuning find the fastest way to run a bundle? Compares its choice with a full grid search on this machine.

    python scripts/check_tuning.py NAME.edge [NAME.edge ...] [--rounds 15] [--passes 3]

Wants an idle machine. Each bundle is tuned afresh, as the first load does it. Then every model that passed the gate is
opened with every number of threads and all take turns; the time of each is its median over the rounds, and the least of
these over the passes, each with everything opened anew: other programs and an unlucky placing of threads only add time.
Exit code 1 when what tuning chose takes more than 1.05 times as long as the fastest.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from edgevision.runtime.bundle import Bundle, Golden
from edgevision.runtime.choice import Wish, choose
from edgevision.runtime.golden import feeds
from edgevision.runtime.opening import open_artifact
from edgevision.runtime.session import Session
from edgevision.runtime.tuning.candidates import providers, thread_counts
from edgevision.runtime.tuning.race import REST_S
from edgevision.runtime.tuning.record import Trial
from edgevision.runtime.tuning.tune import tune

LIMIT = 1.05
#: Seconds of one sample, and of unrecorded calls before it.
SAMPLE_S, WARM_S = 0.01, 0.005


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", type=Path, metavar="NAME.edge")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--passes", type=int, default=3)
    options = parser.parse_args()
    worst = 0.0
    for path in options.bundles:
        bundle = Bundle.open(path)
        with tempfile.TemporaryDirectory() as folder:
            os.environ["EDGEVISION_CACHE"] = folder
            found = tune(bundle, Wish())
        passes = [grid(bundle, options.rounds) for _ in range(options.passes)]
        times = {label: min(each[label] for each in passes) for label in passes[0]}
        chosen = found.chosen.label
        best = min(times, key=lambda label: times[label])
        ratio = times[chosen] / times[best]
        worst = max(worst, ratio)
        print(f"{path.name}: chose {chosen} ({times[chosen]:.4g} ms) in {found.seconds:.1f} s; ", end="")
        print(f"fastest of {len(times)}: {best} ({times[best]:.4g} ms); ratio {ratio:.3f}", flush=True)
    print(f"worst ratio {worst:.3f}, allowed {LIMIT}; load average {os.getloadavg()[0]:.2f}")
    return int(worst > LIMIT)


def grid(bundle: Bundle, rounds: int) -> dict[str, float]:
    """Median milliseconds of one call of every candidate, by its label."""
    golden = bundle.golden()
    opened = [(label, session, *_calls(bundle, golden, session)) for label, session in _all(bundle)]
    samples: dict[str, list[float]] = {label: [] for label, *_ in opened}
    for turn in range(rounds):
        for place in range(len(opened)):
            label, session, calls, warm = opened[(place + turn) % len(opened)]
            time.sleep(REST_S)
            _run(bundle, golden, session, warm)
            samples[label].append(_run(bundle, golden, session, calls))
    for _, session, *_ in opened:
        session.close()
    return {label: 1e3 * statistics.median(values) for label, values in samples.items()}


def _all(bundle: Bundle) -> list[tuple[str, Session]]:
    found = []
    for artifact in choose(bundle.manifest.artifacts, Wish()):
        for provider in providers(artifact.format, Wish()):
            for threads in thread_counts(Wish()):
                trial = Trial(artifact.name, provider, threads, None)
                session = open_artifact(bundle, artifact, Wish(threads=threads, provider=provider))
                found.append((trial.label, session))
    return found


def _calls(bundle: Bundle, golden: Golden, session: Session) -> tuple[int, int]:
    """How many calls make a sample, and how many are not recorded before it."""
    _run(bundle, golden, session, 3)
    seconds = min(_run(bundle, golden, session, 1) for _ in range(5))
    return math.ceil(SAMPLE_S / seconds), math.ceil(WARM_S / seconds)


def _run(bundle: Bundle, golden: Golden, session: Session, calls: int) -> float:
    """Seconds of one call, over ``calls`` of them."""
    start = time.perf_counter()
    for _ in range(calls):
        session.run(feeds(session, bundle.manifest.preprocessing, golden, 0))
    return (time.perf_counter() - start) / calls


if __name__ == "__main__":
    sys.exit(main())
