"""Run every model of a bundle on the same photos: how long each takes here, and how often they agree.

    python compare_artifacts.py NAME.edge FOLDER

A quick look; `edgevision benchmark` measures properly, each model in a process of its own.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import edgevision
from edgevision.runtime.backends import is_installed
from edgevision.runtime.bundle import Bundle

WARM_UP = 5


def main(bundle: str, folder: str) -> None:
    """Prints one line per model whose engine is installed."""
    photos = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not photos:
        sys.exit(f"{folder} holds no photos")
    first: list[str] = []
    for artifact in Bundle.open(bundle).manifest.artifacts:
        if not is_installed(artifact.format):
            print(f"{artifact.name:16} not run: pip install 'edgevision[{artifact.format}]'")
            continue
        labels, times_ms = run(bundle, artifact.name, photos)
        first = first or labels
        same = sum(a == b for a, b in zip(labels, first)) / len(labels)
        print(f"{artifact.name:16} median {statistics.median(times_ms):8.3f} ms, {same:6.1%} as the first")


def run(bundle: str, artifact: str, photos: list[Path]) -> tuple[list[str], list[float]]:
    """The labels of all photos, and milliseconds per photo from file to answer."""
    labels, times_ms = [], []
    with edgevision.load(bundle, artifact=artifact) as predictor:
        for photo in photos[:1] * WARM_UP:
            predictor(photo)
        for photo in photos:
            start = time.perf_counter_ns()
            labels.append(predictor(photo).label)
            times_ms.append((time.perf_counter_ns() - start) / 1e6)
    return labels, times_ms


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
