"""What training reaches on CIFAR-10: the 13,000 images of the train split, judged on the 1,000 of the test split.

    python scripts/check_training_cifar.py DIR [cnn-cifar] [resnet-quick] [--seeds 0 1 2]

Trains each network by its own defaults, nothing held out, the last epoch's weights taken; prints each seed's accuracy,
seconds and seconds of processor time, reading the images included, then the median beside its limit. The first seed's
model is converted, and its int8 files are judged on the same images. DIR is where models and bundles go. Exit code 1
where a limit is missed. Seconds are worth something on an idle machine only; limits are for two cores.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

from train_cifar import SHARED, top1

import edgevision
from edgevision.datasets import open_dataset

#: Accuracy at least, seconds at most.
LIMITS = {"cnn-cifar": (0.63, 120.0), "resnet-quick": (0.75, 900.0)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(LIMITS))
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "cifar10_png.zip")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    missed = []
    for name in options.networks or LIMITS:
        least, most = LIMITS[name]
        runs = [measure(name, seed, options.data, options.folder) for seed in options.seeds]
        accuracy, seconds = (statistics.median(figures) for figures in zip(*runs))
        is_held = accuracy >= least and seconds <= most
        missed += [] if is_held else [name]
        print(f"{name}: median {accuracy:.1%} in {seconds:.0f} s   limit {least:.0%} in {most:.0f} s", flush=True)
        compare(options.folder / f"{name}-{options.seeds[0]}.keras", options.data)
    print("missed: " + (", ".join(missed) or "none"))
    sys.exit(bool(missed))


def measure(name: str, seed: int, data: Path, folder: Path) -> tuple[float, float]:
    """Accuracy on the test images, and the seconds of the training."""
    path, start, work = folder / f"{name}-{seed}.keras", time.perf_counter_ns(), time.process_time()
    train = open_dataset(data, "train")
    edgevision.train(train, path, model=name, seed=seed, validation_split=0.0, force=True)
    seconds, work = (time.perf_counter_ns() - start) / 1e9, time.process_time() - work
    accuracy = top1(path, open_dataset(data, "test"))
    print(f"  seed {seed}: {accuracy:.1%}, {seconds:.0f} s, {work:.0f} s of processor time", flush=True)
    return accuracy, seconds


def compare(model: Path, data: Path) -> None:
    """Print what the files of its bundle reach."""
    bundle = edgevision.convert(model, data, model.with_suffix(".edge"), evaluate=data, force=True)
    for name, artifact in edgevision.evaluate(bundle.path, data, all=True).artifacts.items():
        print(f"  {name}: {artifact.value:.1%}", flush=True)


if __name__ == "__main__":
    main()
