"""Run every model of a bundle on the same photos: how long each takes here, file to answer, and how often they agree.

python compare_artifacts.py NAME.edge FOLDER
"""

from __future__ import annotations

import statistics
import sys
import time

import edgevision
from edgevision.runtime.backends import is_installed
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.sources import Frame, open_source


def main(bundle: str, folder: str) -> None:
    """Prints one line per model whose engine is installed."""
    images = [frame.image for frame in open_source(folder).frames() if isinstance(frame, Frame)]
    first: list[str] = []
    for artifact in Bundle.open(bundle).manifest.artifacts:
        if not is_installed(artifact.format):
            print(f"{artifact.name:16} not run: pip install 'edgevision[{artifact.format}]'")
            continue
        labels, times_ms = [], []
        with edgevision.load(bundle, artifact=artifact.name) as predictor:
            for image in images[:1] * 5 + images:  # the first five calls warm up
                start = time.perf_counter_ns()
                labels.append(predictor(image).label)
                times_ms.append((time.perf_counter_ns() - start) / 1e6)
        first = first or labels
        same = sum(a == b for a, b in zip(labels[5:], first[5:])) / len(images)
        print(f"{artifact.name:16} median {statistics.median(times_ms[5:]):8.3f} ms, {same:6.1%} as the first")


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) == 3 else sys.exit(__doc__)
