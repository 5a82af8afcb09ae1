"""What 2,000 calibration images take more memory than 100: peak of the process that converts, and the limit.

    python scripts/calibration_memory.py [--size 224] [--images FOLDER, ZIP or NPZ]

Converts MobileNetV2 with random weights and 10 classes, int8 TFLite only, with 100 and with 2,000 images, each in a
process of its own. The images are written as JPEG files of the network's size, so that nothing but the pipeline holds
them. Exit code 1 above the limit.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from check_cifar import SHARED
from PIL import Image

FEW, MANY, LIMIT_MB = 100, 2000, 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=224, help="height and width of the network's input")
    parser.add_argument("--alpha", type=float, default=1.0, help="width of MobileNetV2")
    parser.add_argument("--images", type=Path, default=SHARED / "data" / "cifar10_png.zip")
    parser.add_argument("--convert", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.convert is not None:
        convert(options.convert, options.size, options.alpha)
        return
    peaks = {}
    for count in (FEW, MANY):
        with tempfile.TemporaryDirectory() as folder:
            write_images(Path(folder), options.images, count, options.size)
            call = [sys.executable, __file__, "--convert", folder, "--size", str(options.size)]
            call += ["--alpha", str(options.alpha)]
            done = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True)
            peaks[count] = float(done.stdout.split()[-1])
            print(f"{count:5d} images: peak {peaks[count]:7.0f} MB", flush=True)
    more = peaks[MANY] - peaks[FEW]
    print(f"difference {more:.0f} MB, limit {LIMIT_MB} MB: {'ok' if more <= LIMIT_MB else 'MISSED'}")
    sys.exit(more > LIMIT_MB)


def write_images(folder: Path, data: Path, count: int, size: int) -> None:
    """``count`` different JPEG files; the images of ``data`` enlarged."""
    from edgevision.datasets import open_images

    images = open_images(data)
    chosen = np.random.default_rng(0).permutation(len(images))[:count]
    for number, index in enumerate(chosen):
        Image.fromarray(images[int(index)].decode()).resize((size, size)).save(folder / f"{number:05d}.jpg")


def convert(folder: Path, size: int, alpha: float) -> None:
    """Convert and print this process's peak in MB."""
    import keras

    import edgevision

    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2((size, size, 3), alpha=alpha, weights=None, classes=10)
    with tempfile.TemporaryDirectory() as out:
        edgevision.convert(
            model,
            folder,
            Path(out) / "model.edge",
            labels=[str(number) for number in range(10)],
            preprocess="tf",
            formats=["tflite"],
            precisions=["int8"],
        )
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
