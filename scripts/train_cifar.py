"""What cnn-cifar reaches on CIFAR-10: 10,000 of the 13,000 images to train on, 3,000 held out, the 1,000 to test.

    python scripts/train_cifar.py [--seeds 0 1 2] [--epochs 10] [--save DIR]

With --save: DIR/cnn-cifar-SEED.keras, and the divided images as DIR/train.npz (10,000) and DIR/held_out.npz (3,000).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from edgevision.datasets import Dataset, open_dataset
from edgevision.datasets.splits import stratified
from edgevision.runtime.preprocess import normalize
from edgevision.runtime.spec import named_preprocessing
from edgevision.trainers.history import Epoch
from edgevision.trainers.images import load_pixels
from edgevision.trainers.train import train

HELD_OUT, HELD_OUT_SEED = 3000, 0
SHARED = Path(os.environ.get("EDGEVISION_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "cifar10_png.zip")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--save", type=Path, help="folder for the models and the divided images")
    options = parser.parse_args()

    everything, test = open_dataset(options.data, "train"), open_dataset(options.data, "test")
    kept, held = (everything.subset(part) for part in divided(everything))
    if options.save:
        options.save.mkdir(parents=True, exist_ok=True)
        write_npz(kept, options.save / "train.npz")
        write_npz(held, options.save / "held_out.npz")
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.save or Path(scratch)
        rows = [measure(seed, options.epochs, folder, kept, held, test) for seed in options.seeds]
    print(f"median of {len(rows)} seeds: test {statistics.median(rows) * 100:.1f} %")


def divided(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    return stratified(data.targets, HELD_OUT, HELD_OUT_SEED)


def measure(seed: int, epochs: int, folder: Path, kept: Dataset, held: Dataset, test: Dataset) -> float:
    path, start = folder / f"cnn-cifar-{seed}.keras", time.perf_counter_ns()
    train(kept, path, epochs=epochs, seed=seed, validation_split=0.0, force=True, on_epoch=show)
    seconds = (time.perf_counter_ns() - start) / 1e9
    on_test, on_held = top1(path, test), top1(path, held)
    print(f"seed {seed}: test {on_test * 100:.1f} %, held out {on_held * 100:.1f} %, {seconds:.0f} s", flush=True)
    return on_test


def show(epoch: Epoch) -> None:
    figures = ", ".join(f"{name} {value:.3f}" for name, value in epoch.figures.items())
    print(f"  epoch {epoch.number}: {figures}, {epoch.seconds:.1f} s", flush=True)


def top1(path: Path, data: Dataset) -> float:
    import keras

    p = named_preprocessing("unit", 32, 32)
    scores = keras.saving.load_model(path).predict(normalize(load_pixels(data, p)[:], p), batch_size=250, verbose=0)
    return float((scores.argmax(axis=1) == data.targets).mean())


def write_npz(data: Dataset, path: Path) -> None:
    images = np.stack([sample.decode() for sample in data])
    np.savez_compressed(path, images=images, labels=data.targets, label_names=np.array(data.labels))


if __name__ == "__main__":
    main()
