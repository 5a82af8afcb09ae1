"""The benchmark harness against subjects whose latency is known, and what it costs itself; a minute.

    python scripts/check_harness.py [--repetitions 40] [--seed 0]

Of 40 seeded repetitions through a made-up clock (``edgevision.benchmarks.selftest``):

- p50 and p90: the truth lies inside the stated 95 % interval in at least 36 each.
- drift: a drift of 10 % is flagged in at least 38; without one in at most 3.
- different: two equal subjects, and two 1 % apart, are called different in at most 3 each; two 15 % apart get the right
  verdict in at least 36.
- p99 of 50 runs is never given.

Overhead on the ``null`` backend, by interleaved rounds on the real clock: what the worker states for a call, and what
it spends on it, are each at most 3 us more than a plain call. Exit code 1 when a limit is not kept.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from edgevision.benchmarks import selftest

MOST_US = 3.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = selftest.score(options.repetitions, seed=options.seed)
    for name, count in asdict(found).items():
        if name != "repetitions":
            print(f"{name}: {count} of {found.repetitions}", flush=True)
    cost = selftest.overhead()
    print(
        f"overhead: {cost.stated_us:+.2f} us stated, {cost.spent_us:+.2f} us spent on a call of {cost.call_us:.2f} us, "
        f"allowed {MOST_US:g} us"
    )
    kept = found.passed and max(cost.stated_us, cost.spent_us) <= MOST_US
    print("kept" if kept else "NOT kept")
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
