"""Does a grid of benchmarks survive being killed? Kills it at random moments and counts what was lost or repeated.

    python scripts/check_grid.py NAME.edge [NAME.edge ...] [--cells 24] [--kills 10] [--seed 0]

Runs ``edgevision benchmark --grid`` on quick settings, sends SIGKILL to its whole process group at a random moment, and
starts it again, as often as asked; the last run ends by itself. The log of the folder says when which cell began and
ended. Exit code 1 when a cell is lost, when one was begun again after it had been finished, or when a file is damaged.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from edgevision.benchmarks.choice import runnable
from edgevision.benchmarks.report import Report
from edgevision.runtime.bundle import Bundle


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", type=Path, metavar="NAME.edge")
    parser.add_argument("--cells", type=int, default=24)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        grid, cells = write_grid(folder, options.bundles, options.cells)
        moments = random.Random(options.seed)
        took = [killed(grid, folder / "out", moments) for _ in range(options.kills)]
        if None in took:
            sys.exit("a run ended before it was killed: ask for more cells or fewer kills")
        begun = time.perf_counter()
        subprocess.run(command(grid, folder / "out"), check=True, capture_output=True)
        print(f"killed {len(took)} times, after {', '.join(map(str, took))} s; ", end="")
        print(f"the last run took {time.perf_counter() - begun:.1f} s")
        return int(bool(verdict(folder / "out", cells)))


def write_grid(folder: Path, bundles: list[Path], cells: int) -> tuple[Path, int]:
    """A grid of so many cells: every artifact that runs here with 1, 2, ... threads, until there are enough."""
    artifacts = sorted(set(itertools.chain.from_iterable(runnable(Bundle.open(each).manifest)[0] for each in bundles)))
    per_thread = len(bundles) * len(artifacts)
    if cells % per_thread:
        artifacts = artifacts[: next(n for n in range(len(artifacts), 0, -1) if cells % (len(bundles) * n) == 0)]
        per_thread = len(bundles) * len(artifacts)
    plain = {
        "bundles": [str(each.resolve()) for each in bundles],
        "artifacts": artifacts,
        "threads": list(range(1, cells // per_thread + 1)),
        "runs": 20,
        "min_s": 0,
        "quick": True,
    }
    path = folder / "grid.json"
    path.write_text(json.dumps(plain))
    return path, cells


def command(grid: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "edgevision", "benchmark", "--grid", str(grid), "--out", str(out)]


def killed(grid: Path, out: Path, moments: random.Random) -> float | None:
    """Runs the grid until a random moment within its start or its first cells; the seconds until then."""
    moment = round(moments.uniform(0.5, 6.0), 1)
    nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command(grid, out), start_new_session=True, **nowhere)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return moment
    return None


def verdict(out: Path, cells: int) -> list[str]:
    """What went wrong, printed and returned."""
    events = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines() if line.endswith("}")]
    files = sorted((out / "cells").glob("*.json"))
    for path in files:
        Report.from_json(path.read_text())  # raises when it is damaged
    starts = Counter(event["cell"] for event in events if event["event"] == "start")
    ended: set[str] = set()
    repeated = []
    for event in events:
        if event["event"] == "start" and event["cell"] in ended:
            repeated.append(event["cell"])
        if event["event"] == "done":
            ended.add(event["cell"])
    wrong = [f"{cells - len(files)} of {cells} cells are lost"] if len(files) != cells else []
    wrong += [f"{name} was measured again" for name in repeated]
    wrong += [f"left over: {path.name}" for path in out.iterdir() if path.name.startswith(".")]
    print(f"{len(files)} of {cells} cells finished; begun {sum(starts.values())} times, ", end="")
    print(f"{sum(count > 1 for count in starts.values())} cells more than once; finished and repeated: {len(repeated)}")
    print("\n".join(wrong) or "no cell lost, no finished cell repeated")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
