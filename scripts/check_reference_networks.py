"""Every plain network that people bring: each converts to int8 in three formats, and what stays float is named.

    python scripts/check_reference_networks.py                            all of them
    python scripts/check_reference_networks.py unet sequence --out FILE   some, with the table as Markdown

Prints, per network and format, the share of multiply-accumulates in int8 counted in the file, the signal-to-noise ratio
against the quantised Keras model on samples that had no part in the conversion, and the layers in float. The gate has
no say here: the weights are random. Exit code 1 when a network does not convert, a file does not run or does not follow
its Keras model, or work is in float without a name. The networks are in reference_networks.py; the images are real.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from reference_networks import CASES, Case, save

import edgevision
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.errors import EdgevisionError
from edgevision.runtime.images import decode
from edgevision.runtime.manifest import Artifact

SHARED = Path(os.environ.get("EDGEVISION_SHARED", Path(__file__).resolve().parents[2] / "shared"))
STREETS = SHARED / "data" / "camvid_240x180.zip"
#: Multiply-accumulates that may be in float without a name: none but rounding of the count.
UNNAMED = 1e-6
HEAD = ("network", "artifact", "int8 MACs", "SQNR dB", "in float")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of " + ", ".join(CASES))
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(CASES))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    rows, missed = [], []
    for name in options.names or CASES:
        start = time.perf_counter_ns()
        try:
            found, wrong = checked(name, CASES[name])
        except EdgevisionError as error:
            found, wrong = [(name, "none", "", "", str(error)[:200])], [f"{name} does not convert"]
        rows += found
        missed += wrong
        print(f"{name}: {(time.perf_counter_ns() - start) / 1e9:.0f} s", flush=True)
        for row in found:
            print("   " + "  ".join(f"{cell:14s}" for cell in row[1:]), flush=True)
    if options.out:
        options.out.write_text(markdown(rows))
    print("missed: " + ("; ".join(missed) or "none"))
    sys.exit(bool(missed))


def checked(name: str, case: Case) -> tuple[list[tuple[str, ...]], list[str]]:
    """A row per int8 artifact, and what is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = converted(Path(folder), case)
        tried = ran(bundle)
        artifacts = [item for item in bundle.manifest.artifacts if item.precision == "int8"]
        rows = [(name, *row(item)) for item in artifacts]
        wrong = [f"{name} {item.name}: {what}" for item in artifacts for what in faults(item, tried)]
    return rows, wrong


def converted(folder: Path, case: Case) -> Bundle:
    model = save(case, folder)
    data = folder / "calibration.npz"
    if case.arrays is None:
        np.savez(data, images=photos(*case.size, case.samples))
    else:
        np.savez(data, **case.arrays(photos, case.samples))
    has_classes = case.arrays is None and case.classes is not None
    labels = [f"class {index}" for index in range(case.classes or 0)] if has_classes else None
    limit = case.memory_limit
    return edgevision.convert(
        model, data, folder / "bundle.edge", labels=labels, preprocess=case.preprocess, memory_limit=limit
    )


def ran(bundle: Bundle) -> set[str]:
    """The artifacts that answer their own golden inputs through ``load`` with finite numbers."""
    inputs = bundle.golden().inputs
    done = set()
    for item in bundle.manifest.artifacts:
        with edgevision.load(bundle.path, artifact=item.name) as predictor:
            feeds = {key: rows[:1] for key, rows in inputs.items()}
            outputs: dict[str, NDArray[Any]] = (
                predictor.run(feeds) if bundle.manifest.task == "tensors" else predictor.infer(feeds)
            )
        if all(np.isfinite(values).all() for values in outputs.values()):
            done.add(item.name)
    return done


def faults(item: Artifact, tried: set[str]) -> list[str]:
    found = [] if item.name in tried else ["does not run"]
    if item.parity is None or not item.parity.passed:
        found.append("does not follow its Keras model")
    if item.int8_macs < 1 - UNNAMED and not item.float_ops:
        found.append("works in float without a name")
    return found


def row(item: Artifact) -> tuple[str, ...]:
    parity = "" if item.parity is None else f"{item.parity.sqnr_db:.1f}"
    named = ", ".join(f"{op.name} ({op.kind})" for op in item.float_ops) or "nothing"
    return item.name, f"{100 * item.int8_macs:.1f} %", parity, named


def photos(height: int, width: int, count: int) -> NDArray[np.uint8]:
    """Street scenes, uint8 (count, height, width, 3): a square or wider part of each, shrunk or enlarged."""
    from PIL import Image

    pictures = []
    with zipfile.ZipFile(STREETS) as archive:
        names = [name for name in archive.namelist() if name.startswith("images/")]
        for name in names[:: max(1, len(names) // count)][:count]:
            picture = Image.open(io.BytesIO(archive.read(name)))
            side = min(picture.width / width, picture.height / height)
            box = (0, 0, round(side * width), round(side * height))
            pictures.append(decode(picture.resize((width, height), box=box)))
    return np.stack(pictures)


def markdown(rows: list[tuple[str, ...]]) -> str:
    lines = ["# Reference networks", "", "What `python scripts/check_reference_networks.py --out FILE` printed.", ""]
    lines += ["| " + " | ".join(cells) + " |" for cells in (HEAD, ("---",) * len(HEAD), *rows)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
