"""What training reaches on small real data, one function per row; each prints its figures beside their limits.

    python scripts/check_training.py DIR [frames] [digits] [cells] [streets] [faces] [--reuse]

DIR is where data, models and bundles go; --reuse takes a trained model that lies there. Exit code 1 where a limit is
missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import training_frames

import edgevision
from edgevision.runtime.bundle import Bundle

SHARED = Path(os.environ.get("EDGEVISION_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
INT8 = ("int8.tflite", "int8.onnx", "int8.xml")
#: 20 minutes on two processors, seconds of processor time.
BUDGET_S = 2400.0
#: Name, figure, limit, whether it holds.
Row = tuple[str, float, float, bool]

FRAMES: dict[str, Any] = {
    **{"model": "cnn-3d", "epochs": 60, "input_size": (18, 32), "augment": ("flip", "vertical-flip", "shift=0.1")},
    **{"learning_rate": 2e-3, "validation_split": 0.0},
}
DIGITS: dict[str, Any] = {
    **{"model": "dcgan", "epochs": 20, "input_size": (28, 28), "learning_rate": 4e-4, "options": {"width": 32}},
}
#: Cells look alike from all sides, in more or less light; platelets are 16 pixels long at three quarters of the size.
CELLS: dict[str, Any] = {
    **{"model": "ssd-mobilenet", "epochs": 40, "input_size": (192, 256)},
    "augment": ("flip", "vertical-flip", "zoom=0.2", "brightness=0.1"),
}

STREETS: dict[str, Any] = {"model": "unet", "epochs": 28, "input_size": (160, 224)}
FACES: dict[str, Any] = {"model": "face-net"}
#: The people that are tested on: the last ten by name. Nothing was chosen by them.
STRANGERS = tuple(f"s{number}" for number in range(31, 41))


def frames(folder: Path, reuse: bool) -> list[Row]:
    """Two clips, forwards or backwards; beside it the same network on one frame, which must not be able to tell."""
    data = folder / "frames"
    if not data.is_dir():
        training_frames.write(SHARED / "video_clips.zip", data)
    rows: list[Row] = []
    for name, count in (("one-frame", 1), ("frames", training_frames.FRAMES)):
        options = {"frames": count, "stride": 1}
        model, seconds = trained(data, folder / f"{name}.keras", reuse, {**FRAMES, "options": options})
        bundle = converted(model, data, data)
        found = edgevision.evaluate(bundle.path, data, all=True).artifacts
        exact = found["float32.onnx"]
        print(f"{name}: {exact.n} test windows, {seconds:.0f} s of processor time")
        if count == 1:
            rows.append(("one frame, accuracy", exact.value, 0.6, exact.value <= 0.6))
            continue
        rows.append(("windows, accuracy", exact.value, 0.9, exact.value >= 0.9))
        lost = [(item, 100 * (exact.value - found[item].value)) for item in INT8]
        rows += [(f"{item}, points lost", points, 1.0, points <= 1) for item, points in lost]
    return rows


def digits(folder: Path, reuse: bool) -> list[Row]:
    """A DCGAN on digits; look at the last picture in digits.samples, too."""
    model, seconds = trained(SHARED / "mnist_t10k.zip", folder / "digits.keras", reuse, DIGITS)
    bundle = converted(model, "300", None)
    found = edgevision.evaluate(bundle.path, "200", all=True).artifacts
    print(f"digits: 200 latents, {seconds:.0f} s of processor time, {model.with_suffix('.samples')}")
    gaps = [(item, found[item].to_dict()["mean_absolute_foreground"]) for item in INT8]
    return [(f"{item}, grey levels from float where drawn", gap, 4.0, gap <= 4) for item, gap in gaps]


def cells(folder: Path, reuse: bool) -> list[Row]:
    """Blood cells: 205 images, epoch and thresholds by the val split. 72 test images: an interval of hundredths."""
    data = SHARED / "bccd_blood_cells.zip"
    model, seconds = trained(data, folder / "cells.keras", reuse, CELLS)
    bundle = converted(model, data, data)
    found = edgevision.evaluate(bundle.path, data, all=True).to_dict()["artifacts"]
    for item, figures in found.items():
        low, high = figures["interval95"]
        kinds = ", ".join(f"{label} {one['ap50']:.3f}" for label, one in figures["per_class"].items())
        print(f"{item}: ap50 {figures['ap50']:.4f} ({low:.3f} to {high:.3f}), ap {figures['ap']:.3f}; {kinds}")
    ap50 = {item: figures["ap50"] for item, figures in found.items()}
    rows = [*spent(seconds, reuse), ("ap50", ap50["float32.onnx"], 0.7, ap50["float32.onnx"] >= 0.7)]
    lost = [(item, ap50[item.replace("int8", "float32")] - ap50[item]) for item in INT8]
    return [*rows, *((f"{item}, ap50 lost", value, 0.01, value <= 0.01) for item, value in lost)]


def streets(folder: Path, reuse: bool) -> list[Row]:
    """Eleven classes of pixels, from 367 images of streets."""
    data = SHARED / "camvid_240x180.zip"
    model, seconds = trained(data, folder / "streets.keras", reuse, STREETS)
    found = edgevision.evaluate(converted(model, data, data).path, data, all=True).artifacts
    exact = found["float32.onnx"].value
    rows = [*spent(seconds, reuse), ("mIoU of the test split", exact, 0.45, exact >= 0.45)]
    lost = [(item, exact - found[item].value) for item in INT8]
    return rows + [(f"{item}, mIoU lost", each, 0.01, each <= 0.01) for item, each in lost]


def faces(folder: Path, reuse: bool) -> list[Row]:
    """Trained on 30 people, threshold included; all pairs of the ten others."""
    data = folder / "faces"
    if not data.is_dir():
        write_faces(data)
    model, seconds = trained(data, folder / "faces.keras", reuse, FACES)
    found = edgevision.evaluate(converted(model, data, data).path, data, all=True).artifacts
    figures = {name: each.to_dict() for name, each in found.items()}
    exact = figures["float32.onnx"]
    print(
        f"faces: {exact['same']} same, {exact['different']} different pairs, threshold from {exact['threshold_from']}"
    )
    value = exact["balanced_accuracy"]
    rows = [*spent(seconds, reuse), ("balanced accuracy on strangers", value, 0.9, value >= 0.9)]
    lost = [(item, 100 * (value - figures[item]["balanced_accuracy"])) for item in INT8]
    return rows + [(f"{item}, points lost", each, 1.0, each <= 1) for item, each in lost]


def write_faces(folder: Path) -> None:
    """The people as train/NAME/IMAGE, and ``STRANGERS`` as test/NAME/IMAGE."""
    with zipfile.ZipFile(SHARED / "orl_faces.zip") as archive:
        for name in (each for each in archive.namelist() if each.startswith("faces/") and each.endswith(".png")):
            split = "test" if name.split("/")[1] in STRANGERS else "train"
            target = folder / split / name.removeprefix("faces/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(name))


ROWS: dict[str, Callable[[Path, bool], list[Row]]] = {
    "frames": frames,
    "digits": digits,
    "cells": cells,
    "streets": streets,
    "faces": faces,
}


def spent(seconds: float, reuse: bool) -> list[Row]:
    return [] if reuse else [("processor time, s", seconds, BUDGET_S, seconds <= BUDGET_S)]


def trained(data: Path, out: Path, reuse: bool, recipe: dict[str, Any]) -> tuple[Path, float]:
    """The model, and the seconds of processor time that it took."""
    start = time.process_time()
    if not (reuse and out.is_file()):
        edgevision.train(data, out, force=True, **recipe)
    return out, time.process_time() - start


def converted(model: Path, calibration: Path | str, evaluate: Path | None) -> Bundle:
    bundle = edgevision.convert(model, calibration, model.with_suffix(".edge"), evaluate=evaluate, force=True)
    gate = bundle.manifest.gate
    print(f"{model.stem}: gate {'none' if gate is None else gate.verdict}")
    return bundle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--reuse", action="store_true")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    missed = []
    for name in options.rows or ROWS:
        for what, value, limit, is_held in ROWS[name](options.folder, options.reuse):
            print(f"  {name}: {what:48s} {value:8.4f}   limit {limit:7.3f}   {'ok' if is_held else 'MISSED'}")
            missed += [] if is_held else [f"{name}: {what}"]
    print("missed: " + ("; ".join(missed) or "none"))
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
