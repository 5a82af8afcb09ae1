"""What overlapping buys: a stream over a clip against its two halves, each alone on one thread.

    python scripts/check_stream.py NAME.edge CLIP [--backend tflite] [--rounds 5] [--frames N]

Per round, in turn: (a) decoding and resizing every frame; (b) inferring as often, on a prepared frame; (c) the stream.
Medians of the rounds; what must hold is c <= 1.15 x the larger of a and b. A machine that does anything else at the
time, or has one core only, says nothing.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Callable

import edgevision
from edgevision.runtime.predictor import Predictor
from edgevision.runtime.sources import Frame, open_source

LIMIT = 1.15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("clip")
    parser.add_argument("--backend")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, help="only so many frames of the clip")
    options = parser.parse_args()
    with edgevision.load(options.bundle, options.backend, threads=1) as predictor:
        facts = predictor.describe()
        print(f"{facts['artifact']} on {facts['engine']} {facts['version']}, {facts['threads']} thread")
        ratio = measure(predictor, options.clip, options.rounds, options.frames)
    sys.exit(ratio > LIMIT)


def measure(predictor: Predictor, clip: str, rounds: int, frames: int | None) -> float:
    """Prints seconds per frame of the three, and returns the ratio."""
    count = decode_and_resize(predictor, clip, frames)
    ways: dict[str, Callable[[], int]] = {
        "decode + resize": lambda: decode_and_resize(predictor, clip, count),
        "inference": lambda: infer(predictor, clip, count),
        "stream": lambda: stream(predictor, clip, count),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways)[:: 1 if number % 2 else -1]:
            start = time.perf_counter_ns()
            done = ways[name]()
            seconds[name].append((time.perf_counter_ns() - start) / 1e9)
            assert done == count, f"{name} saw {done} of {count} frames"
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, value in medians.items():
        low, high = min(seconds[name]), max(seconds[name])
        print(f"{name:16} {value:7.3f} s, {value / count * 1e3:7.3f} ms a frame   ({low:.3f} to {high:.3f} s)")
    ratio = medians["stream"] / max(medians["decode + resize"], medians["inference"])
    print(f"stream / the slower half: {ratio:.3f} (limit {LIMIT}), {count} frames, {rounds} rounds")
    return ratio


def decode_and_resize(predictor: Predictor, clip: str, frames: int | None) -> int:
    count = 0
    source = open_source(clip)
    for frame in itertools.islice(source.frames(), frames):
        assert isinstance(frame, Frame), frame
        predictor.preprocess(predictor.decode(frame.image))
        count += 1
    source.close()
    return count


def infer(predictor: Predictor, clip: str, frames: int) -> int:
    source = open_source(clip)
    first = next(source.frames())
    assert isinstance(first, Frame), first
    feeds = predictor.preprocess(predictor.decode(first.image))
    source.close()
    for _ in range(frames):
        predictor.infer(feeds)
    return frames


def stream(predictor: Predictor, clip: str, frames: int) -> int:
    with predictor.stream(clip) as results:
        return sum(1 for _ in itertools.islice(results, frames))


if __name__ == "__main__":
    main()
