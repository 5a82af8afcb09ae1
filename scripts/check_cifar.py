"""What int8 costs cnn-cifar: accuracy, agreement, share of work in int8, sizes, and how long a conversion takes.

    python scripts/train_cifar.py --save DIR      trains three seeds and divides the images
    python scripts/check_cifar.py DIR             converts each and prints every figure beside its limit

Exit code 1 when a limit is missed. Calibration uses the 10,000 training images only; the figures are from the 1,000
test and the 3,000 held-out images.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import edgevision
from edgevision.converters import formats
from edgevision.converters.formats.exported import Int8Share
from edgevision.datasets import open_dataset
from edgevision.runtime.bundle import Bundle
from edgevision.trainers.images import load_pixels

SHARED = Path(os.environ.get("EDGEVISION_SHARED", Path(__file__).resolve().parents[2] / "shared"))
INT8 = ("int8.tflite", "int8.onnx", "int8.xml")
#: size of int8 against float32, per format
SIZE_LIMITS = {"tflite": 0.30, "onnx": 0.30, "openvino": 0.36}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="what train_cifar.py --save wrote")
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "cifar10_png.zip")
    options = parser.parse_args()
    missed = []
    for model in sorted(options.folder.glob("cnn-cifar-*.keras")):
        bundle, seconds = converted(model, options.folder / "train.npz")
        rows = [("convert, six artifacts, s", seconds, 60.0, seconds <= 60), *work(bundle), *sizes(bundle)]
        rows += accuracy(bundle, {"test": (options.data, "test"), "held out": (options.folder / "held_out.npz", None)})
        print(f"\n{model.name}")
        for name, value, limit, is_held in rows:
            print(f"  {name:52s} {value:9.4f}   limit {limit:7.3f}   {'ok' if is_held else 'MISSED'}")
        missed += [f"{model.name}: {name}" for name, _, _, is_held in rows if not is_held]
    print("\nmissed: " + ("; ".join(missed) or "none"))
    sys.exit(bool(missed))


def converted(model: Path, calibration: Path) -> tuple[Bundle, float]:
    start = time.perf_counter_ns()
    bundle = edgevision.convert(model, calibration, model.with_suffix(".edge"), force=True)
    return bundle, (time.perf_counter_ns() - start) / 1e9


def work(bundle: Bundle) -> list[tuple[str, float, float, bool]]:
    """Multiply-accumulates in int8, counted in the file and in the graph the engine runs."""
    rows = []
    for name in INT8:
        artifact = bundle.artifact(name)
        exporter = formats.of(artifact.format)
        share = Int8Share.of(exporter.kernels(bundle.path / name)).macs
        engine = [is_int8 for _, is_int8 in exporter.executed(bundle.path / name)]
        executed = sum(engine) / len(engine)
        rows.append((f"{name}: multiply-accumulates in int8, file", share, 1.0, share == 1.0))
        rows.append((f"{name}: operators run in int8 by the engine", executed, 1.0, executed == 1.0))
    return rows


def sizes(bundle: Bundle) -> list[tuple[str, float, float, bool]]:
    rows = []
    for name in INT8:
        pair = bundle.artifact(name), bundle.artifact(name.replace("int8", "float32"))
        kernels = formats.of(pair[0].format).kernels
        small, large = (sum(kernel.weight_bytes for kernel in kernels(bundle.path / item.name)) for item in pair)
        size, limit = pair[0].size / pair[1].size, SIZE_LIMITS[pair[0].format]
        rows.append((f"{name}: size against float32", size, limit, size <= limit))
        rows.append((f"{name}: weight bytes against float32", small / large, 0.26, small / large <= 0.26))
    return rows


def accuracy(bundle: Bundle, sets: dict[str, tuple[Path, str | None]]) -> list[tuple[str, float, float, bool]]:
    """Against the float Keras model on the same images."""
    import keras

    from edgevision.runtime.preprocess import normalize

    model = keras.models.load_model(bundle.path.with_suffix(".keras"))
    preprocessing = bundle.manifest.preprocessing
    rows = []
    for label, (data, split) in sets.items():
        dataset = open_dataset(data, split).aligned_to(bundle.manifest.labels)
        pixels = load_pixels(dataset, preprocessing)[:]
        expected = np.argmax(model.predict(normalize(pixels, preprocessing), verbose=0), -1)
        right = float((expected == dataset.targets).mean())
        found = {name: answers(bundle, name, pixels) for name in INT8}
        for name, top1 in found.items():
            drop, same = 100 * (right - float((top1 == dataset.targets).mean())), float((top1 == expected).mean())
            rows.append((f"{name}: points below float {right:.1%} on {label}", drop, 0.5, round(drop, 6) <= 0.5))
            rows.append((f"{name}: same top-1 as float on {label}", same, 0.98, same >= 0.98))
        for one, other in itertools.combinations(INT8, 2):
            same = float((found[one] == found[other]).mean())
            rows.append((f"{one} and {other}: same top-1 on {label}", same, 0.98, same >= 0.98))
    return rows


def answers(bundle: Bundle, name: str, pixels: Any) -> Any:
    with edgevision.load(bundle.path, artifact=name) as predictor:
        outputs = (predictor.infer({"image": image[None]}) for image in pixels)
        return np.array([predictor.postprocess(output, pixels.shape[1:3]).index for output in outputs])


if __name__ == "__main__":
    main()
