"""Our int8 artifacts beside those of each format's own quantisers: same float models, same images.

    python scripts/train_cifar.py --save DIR           divides the images, trains cnn-cifar
    python scripts/train_small_networks.py DIR         trains the other networks
    python scripts/compare_quantizers.py DIR/train.npz DIR/held_out.npz DIR/*.keras --out comparison

Every peer gets the float model with its normalisation inside, so that all take raw pixels, and the same 500 calibration
images that ours uses (300 for ranges, 200 for choosing between candidates). For ai-edge-quantizer the input's range is
set to 0..255, because its moving average would clip the brightest pixels. Each peer runs at its default and at its most
accurate documented settings. A cell is one model in one format; ours is compared with the best peer there, chosen on
the very images that judge it, which favours the peer; one that leaves a tenth of the work in float does not count. The
test is McNemar's exact one, one-sided, on which answers are the same as the float model's, with Holm's correction over
the cells. Writes OUT.json and OUT.md; exit code 1 if ours is significantly below the best peer in any cell.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import edgevision
from edgevision.converters import formats, native
from edgevision.converters.calibration import CalibrationSet
from edgevision.converters.formats.exported import Int8Share
from edgevision.converters.metadata import read_metadata
from edgevision.converters.native.source import network_of, save_float
from edgevision.converters.quantize.observe import Batch
from edgevision.datasets import open_dataset
from edgevision.runtime.backends import open_session
from edgevision.runtime.errors import EdgevisionError
from edgevision.runtime.manifest import from_plain
from edgevision.runtime.preprocess import normalize
from edgevision.runtime.session import Session
from edgevision.runtime.spec import Preprocessing
from edgevision.trainers.images import load_pixels

SHARED = Path(os.environ.get("EDGEVISION_SHARED", Path(__file__).resolve().parents[2] / "shared"))
FORMATS = ("tflite", "onnx", "openvino")
OURS = "edgevision"
LATENCY_RUNS = 300
SIGNIFICANT = 0.05
#: A peer that leaves more than this of the multiply-accumulates in float has not quantised the model.
LEAST_INT8 = 0.9

Classes = NDArray[np.int64]
Pixels = NDArray[np.uint8]


@dataclass
class Row:
    """One artifact: shares 0..1 over the test and the held-out images; ``problem`` says why there is none."""

    model: str
    format: str
    quantizer: str
    same_test: float | None = None
    same_held_out: float | None = None
    same: float | None = None
    accuracy: float | None = None
    float_accuracy: float | None = None
    int8_macs: float | None = None
    latency_ms: float | None = None
    convert_s: float | None = None
    problem: str = ""


@dataclass
class Cell:
    """One model in one format: ours against the best peer."""

    model: str
    format: str
    ours: float | None
    best_peer: str
    best: float | None
    ours_only: int
    peer_only: int
    p: float
    p_holm: float = 1.0


@dataclass(frozen=True)
class Judge:
    """One float model's images and answers."""

    pixels: Pixels
    targets: Classes
    expected: Classes
    tests: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calibration", type=Path, help="training images (.npz, folder or .zip)")
    parser.add_argument("held_out", type=Path)
    parser.add_argument("models", type=Path, nargs="+", help=".keras files that know their preprocessing")
    parser.add_argument("--test", type=Path, default=SHARED / "data" / "cifar10_png.zip")
    parser.add_argument("--methods", nargs="*", help="of the peers' settings, only these")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--out", type=Path, default=Path("comparison"))
    options = parser.parse_args()
    rows: list[Row] = []
    cells: list[Cell] = []
    for path in options.models:
        found, right = compare(path, options)
        rows += found
        cells += [cell(found, right, path.stem, item) for item in options.formats]
        correct_by_holm(cells)
        write(options.out, rows, cells)
    print(markdown(rows, cells))
    sys.exit(any(is_below(item) for item in cells))


def compare(path: Path, options: argparse.Namespace) -> tuple[list[Row], dict[tuple[str, str], NDArray[np.bool_]]]:
    """All quantisers on one model: rows, and per (format, quantiser) which answers are the float model's."""
    import keras

    model = keras.models.load_model(path, compile=False)
    metadata = read_metadata(path) or {}
    p = from_plain(Preprocessing, metadata["preprocessing"])
    judge = judge_of(model, p, tuple(metadata["labels"]), options)
    images = CalibrationSet(options.calibration, p)
    calibration = [*images.ranges.batches(), *images.choice.batches()]
    rows, right = [], {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = save_float(network_of(model, path.stem), p, folder / "float")
        theirs = peers(path.stem, source, calibration, options, folder)
        for row, made in itertools.chain(ours(path, options, folder), theirs):
            if made is not None:
                row.int8_macs = Int8Share.of(formats.of(row.format).kernels(made)).macs
                with open_model(made, row.format) as session:
                    right[row.format, row.quantizer] = measure(row, session, judge)
            rows.append(row)
            print(f"{row.model:16s} {row.format:9s} {row.quantizer:36s} {brief(row)}", file=sys.stderr, flush=True)
    return rows, right


def judge_of(model: Any, p: Preprocessing, labels: tuple[str, ...], options: argparse.Namespace) -> Judge:
    opened = open_dataset(options.test, "test"), open_dataset(options.held_out)
    sets = [data.aligned_to(labels) for data in opened]
    pixels = np.concatenate([load_pixels(data, p)[:] for data in sets])
    targets = np.concatenate([data.targets for data in sets])
    expected = np.argmax(model.predict(normalize(pixels, p), batch_size=250, verbose=0), -1)
    return Judge(pixels, targets, expected, len(sets[0]))


def ours(path: Path, options: argparse.Namespace, folder: Path) -> Iterator[tuple[Row, Path | None]]:
    start, problem, out = time.perf_counter_ns(), "", folder / "ours.edge"
    try:
        edgevision.convert(path, options.calibration, out, formats=options.formats, precisions=("int8",))
    except EdgevisionError as error:
        problem = f"refused: {error}"
    seconds = (time.perf_counter_ns() - start) / 1e9
    for item in options.formats:
        row = Row(path.stem, item, OURS, convert_s=seconds / len(options.formats), problem=problem)
        yield row, None if problem else out / f"int8{formats.SUFFIXES[item]}"


def peers(
    model: str, source: Path, calibration: list[Batch], options: argparse.Namespace, folder: Path
) -> Iterator[tuple[Row, Path | None]]:
    for item in options.formats:
        quantizer = native.of(item)
        methods = quantizer.METHODS if options.methods is None else options.methods
        for index, method in enumerate(method for method in methods if method in quantizer.METHODS):
            row, out = Row(model, item, method), folder / f"peer{index}{formats.SUFFIXES[item]}"
            start = time.perf_counter_ns()
            try:
                with quiet():
                    quantizer.quantize(source, lambda: calibration, out, method=method)
            except Exception as error:  # whatever a peer raises is its result
                row.problem = f"failed: {type(error).__name__}: {' '.join(str(error).split())[:160]}"
            row.convert_s = (time.perf_counter_ns() - start) / 1e9
            yield row, None if row.problem else out


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the peers' progress bars."""
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield


def open_model(path: Path, item: str) -> Session:
    weights = path.with_suffix(".bin").read_bytes() if item == "openvino" else None
    return open_session(item, path.read_bytes(), weights, 1)


def measure(row: Row, session: Session, judge: Judge) -> NDArray[np.bool_]:
    name = session.inputs[0].name
    answers = []
    for image in judge.pixels:
        (output,) = session.run({name: image[None]}).values()
        answers.append(int(output.argmax()))
    same: NDArray[np.bool_] = np.array(answers) == judge.expected
    row.same_test, row.same_held_out = float(same[: judge.tests].mean()), float(same[judge.tests :].mean())
    row.same, row.accuracy = float(same.mean()), float((np.array(answers) == judge.targets).mean())
    row.float_accuracy = float((judge.expected == judge.targets).mean())
    times = []
    for image in judge.pixels[:LATENCY_RUNS]:
        start = time.perf_counter_ns()
        session.run({name: image[None]})
        times.append(time.perf_counter_ns() - start)
    row.latency_ms = statistics.median(times) / 1e6
    return same


def cell(rows: list[Row], right: dict[tuple[str, str], NDArray[np.bool_]], model: str, item: str) -> Cell:
    """Ours against the peer with the most answers like float's. A model that ours refuses is below any peer."""
    here = {row.quantizer: row for row in rows if row.format == item and row.same is not None}
    others = {
        name: row.same or 0.0 for name, row in here.items() if name != OURS and (row.int8_macs or 0.0) >= LEAST_INT8
    }
    best = max(others, key=lambda name: others[name]) if others else ""
    if OURS not in here:
        return Cell(model, item, None, best, others.get(best), 0, 0, 0.0 if best else 1.0)
    if not best:
        return Cell(model, item, here[OURS].same, "none works", None, 0, 0, 1.0)
    mine, its = right[item, OURS], right[item, best]
    gains, losses = int((mine & ~its).sum()), int((its & ~mine).sum())
    return Cell(model, item, here[OURS].same, best, others[best], gains, losses, p_below(gains, losses))


def p_below(gains: int, losses: int) -> float:
    """One-sided p-value of McNemar's exact test: how often fair coins give ours as few of the images that differ."""
    total = gains + losses
    tail: int = sum(math.comb(total, k) for k in range(gains + 1))
    return float(tail / 2**total)


def correct_by_holm(cells: list[Cell]) -> None:
    """Holm's step-down correction over all cells, in place."""
    largest = 0.0
    for rank, item in enumerate(sorted(cells, key=lambda item: item.p)):
        largest = max(largest, min(1.0, item.p * (len(cells) - rank)))
        item.p_holm = largest


def is_below(item: Cell) -> bool:
    return item.p_holm < SIGNIFICANT


def verdict(item: Cell) -> str:
    if item.ours is None:
        return "refused by ours"
    if is_below(item):
        return "BELOW"
    if item.best is None or item.ours > item.best:
        return "above"
    return "equal" if item.ours == item.best else "below, not significantly"


def brief(row: Row) -> str:
    if row.same is None:
        return row.problem
    assert row.same_test is not None and row.same_held_out is not None and row.accuracy is not None
    return f"same {row.same:.2%} (test {row.same_test:.2%}, held out {row.same_held_out:.2%}), top-1 {row.accuracy:.2%}"


def markdown(rows: list[Row], cells: list[Cell]) -> str:
    lines = [
        "| model | format | ours | best peer | its | only ours / only its | p (Holm) | verdict |",
        "|---" * 8 + "|",
    ]
    for c in cells:
        its = f"{percent(c.ours)} | {c.best_peer} | {percent(c.best)} | {c.ours_only} / {c.peer_only} | {c.p_holm:.3f}"
        lines.append(f"| {c.model} | {c.format} | {its} | {verdict(c)} |")
    above = sum(verdict(item) == "above" for item in cells)
    lines += ["", f"above the best peer in {above} of {len(cells)} cells", ""]
    lines += [
        "| model | format | quantiser | same as float: test | held out | all | top-1 | float | int8 | ms | made in s |"
    ]
    lines += ["|---" * 11 + "|"]
    for row in rows:
        shares = (row.same_test, row.same_held_out, row.same, row.accuracy, row.float_accuracy, row.int8_macs)
        figures = " | ".join(percent(share) for share in shares)
        times = f"{number(row.latency_ms)} | {number(row.convert_s, 1)}"
        lines.append(f"| {row.model} | {row.format} | {row.quantizer} | {row.problem or figures} | {times} |")
    return "\n".join(lines) + "\n"


def percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"


def number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def write(out: Path, rows: list[Row], cells: list[Cell]) -> None:
    found = {"rows": [asdict(row) for row in rows], "cells": [asdict(item) for item in cells]}
    out.with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n")
    out.with_suffix(".md").write_text(markdown(rows, cells))


if __name__ == "__main__":
    main()
