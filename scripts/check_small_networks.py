"""What int8 costs trained networks of several kinds: one row per network and set of images, beside its limits.

    python scripts/train_cifar.py --save DIR           divides the images, trains cnn-cifar
    python scripts/train_small_networks.py DIR         trains the other networks
    python scripts/check_small_networks.py DIR         converts each DIR/*.keras and prints the table

Columns: top-1 of the float Keras model; of int8 in TFLite, ONNX and OpenVINO; share of images with the float model's
top-1; least share of images on which two formats agree; decibels of each format against the quantised Keras model
(least); seconds to convert. Exit code 1 when a row misses: int8 more than 0.5 point below float (1 point for networks
with squeeze-excite, swish or attention), two formats that agree on less than 98 %, an operator that an engine does not
run in int8. Calibration uses the training images only.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from check_cifar import INT8, SHARED, answers

import edgevision
from edgevision.converters import formats
from edgevision.converters.source import load_source
from edgevision.datasets import open_dataset
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.preprocess import normalize
from edgevision.trainers.images import load_pixels

#: Points that int8 may lose, by how the file's name begins.
LOSSES = {"cnn": 0.5, "residual": 0.5, "depthwise": 0.5}
OTHER_LOSS, AGREEMENT = 1.0, 0.98
HEAD = "network         images   float  int8: tflite  onnx  openvino   same: tflite  onnx  openvino  pairs    dB     s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="trained networks, *.keras")
    parser.add_argument("--images", type=Path, help="folder with train.npz and held_out.npz; default: the networks'")
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "cifar10_png.zip", help="has the test images")
    parser.add_argument("--held-out-only", action="store_true", help="leave the test images out")
    parser.add_argument("--only", nargs="+", help="names of networks")
    options = parser.parse_args()
    images = options.images or options.folder
    sets: dict[str, tuple[Path, str | None]] = {"held out": (images / "held_out.npz", None)}
    if not options.held_out_only:
        sets["test"] = options.data, "test"
    missed = []
    print(HEAD, flush=True)
    for model in sorted(options.folder.glob("*.keras")):
        if not options.only or model.stem in options.only:
            missed += check(model, images / "train.npz", sets)
    print("missed: " + ("; ".join(missed) or "none"))
    sys.exit(bool(missed))


def check(model: Path, calibration: Path, sets: dict[str, tuple[Path, str | None]]) -> list[str]:
    """Print the rows of one network; what misses its limit."""
    loss = next((points for start, points in LOSSES.items() if model.stem.startswith(start)), OTHER_LOSS)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter_ns()
        bundle = edgevision.convert(model, calibration, Path(folder) / "model.edge")
        seconds = (time.perf_counter_ns() - start) / 1e9
        decibels = min(artifact.parity.sqnr_db for artifact in map(bundle.artifact, INT8) if artifact.parity)
        print(f"# {model.stem}: {bundle.manifest.provenance['recipe']}", file=sys.stderr)
        missed = [f"{model.stem}: {name} not all int8 in the engine" for name in INT8 if not runs_in_int8(bundle, name)]
        for label, (data, split) in sets.items():
            float_right, right, same, pairs = figures(model, bundle, data, split)
            cells = f"{float_right:7.2%} {right[0]:13.2%}{right[1]:7.2%}{right[2]:9.2%}"
            cells += f" {same[0]:15.2%}{same[1]:7.2%}{same[2]:9.2%} {pairs:7.2%}"
            print(f"{model.stem:15s} {label:8s}{cells} {decibels:5.1f} {seconds:5.0f}", flush=True)
            if round(100 * (float_right - min(right)), 6) > loss:
                missed.append(f"{model.stem}: more than {loss} point lost on {label}")
            if pairs < AGREEMENT:
                missed.append(f"{model.stem}: formats agree on {pairs:.2%} of {label}")
    return missed


def runs_in_int8(bundle: Bundle, name: str) -> bool:
    executed = formats.of(bundle.artifact(name).format).executed(bundle.path / name)
    return bool(executed) and all(is_int8 for _, is_int8 in executed)


def figures(
    model: Path, bundle: Bundle, data: Path, split: str | None
) -> tuple[float, list[float], list[float], float]:
    """Float top-1, int8 top-1 and same top-1 per format, least pairwise agreement; shares 0..1."""
    source = load_source(model)
    dataset = open_dataset(data, split).aligned_to(bundle.manifest.labels)
    pixels = load_pixels(dataset, source.preprocessing)[:]
    batches = (normalize(pixels[start : start + 100], source.preprocessing) for start in range(0, len(pixels), 100))
    exact = np.concatenate([np.argmax(source.model(batch, training=False), -1) for batch in batches])
    found: list[Any] = [answers(bundle, name, pixels) for name in INT8]
    right = [float((top1 == dataset.targets).mean()) for top1 in found]
    pairs = min(float((one == other).mean()) for one, other in itertools.combinations(found, 2))
    same = [float((top1 == exact).mean()) for top1 in found]
    return float((exact == dataset.targets).mean()), right, same, pairs


if __name__ == "__main__":
    main()
