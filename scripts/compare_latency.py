"""Our int8 artifacts and predictor beside the peers' artifacts, the bare engines and their own tools, in one run.

    python scripts/compare_latency.py CALIBRATION MODEL.keras [MODEL.keras ...] [--out docs/benchmarks.md]

Per model and format, on one thread: ours through the predictor (a uint8 array in, the typed result out), ours through
the bare engine, and each peer's int8 file (``converters.native``: TFLiteConverter, ai-edge-quantizer, onnxruntime,
NNCF) through the bare engine. All take turns in short blocks and the order changes each round; a figure is the median
over the rounds, a ratio the median of the rounds' ratios with its distribution-free 95 % interval. OpenVINO's
benchmark_app runs between two such runs of our file, in a process of its own. Ultralytics' predict is measured on an
exported YOLO where it is installed (extra "peers"), against ``edgevision.load`` of the same .onnx. Wants an idle
machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from check_overhead import bare_call
from compare_quantizers import FORMATS, open_model, quiet

import edgevision
from edgevision.benchmarks.statistics import Estimate, ratio_interval
from edgevision.converters import formats, native
from edgevision.converters.calibration import CalibrationSet
from edgevision.converters.metadata import read_metadata
from edgevision.converters.native.source import network_of, save_float
from edgevision.runtime.manifest import from_plain
from edgevision.runtime.spec import Preprocessing

ROUNDS, BLOCK_S, WARM_S = 31, 0.04, 0.02
OURS, BARE = "edgevision, predictor", "edgevision, bare engine"


@dataclass
class Lane:
    """Who takes turns: a call and the seconds of one, per round."""

    model: str
    format: str
    name: str
    call: Callable[[], object]
    size: int = 0
    seconds: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calibration", type=Path, help="training images (.npz, folder or .zip)")
    parser.add_argument("models", type=Path, nargs="+", help=".keras files that know their preprocessing")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    tables: list[str] = []
    for path in options.models:
        with tempfile.TemporaryDirectory() as folder:
            tables += measured(path, options, Path(folder))
        print("\n".join(tables[-1:]), flush=True)
    if importlib.util.find_spec("ultralytics"):
        with tempfile.TemporaryDirectory() as folder:
            tables.append(ultralytics(Path(folder)))
    if options.out:
        options.out.write_text(page(tables))


def measured(path: Path, options: argparse.Namespace, folder: Path) -> list[str]:
    """One table for a model."""
    out = folder / "ours.edge"
    edgevision.convert(path, options.calibration, out, formats=options.formats, precisions=("int8",))
    images = CalibrationSet(options.calibration, preprocessing_of(path))
    pixels = images.judgement.head(1)["image"][0]
    lanes = [lane for item in options.formats for lane in ours(path.stem, item, out, pixels)]
    lanes += [lane for item in options.formats for lane in theirs(path, item, images, folder, pixels)]
    take_turns(lanes)
    rows = [row(lane, lanes) for lane in lanes]
    if "openvino" in options.formats:
        rows += benchmark_app(path.stem, out / "int8.xml", pixels)
    return [table(path.stem, rows)]


def preprocessing_of(path: Path) -> Preprocessing:
    return from_plain(Preprocessing, (read_metadata(path) or {})["preprocessing"])


def ours(model: str, item: str, out: Path, pixels: Any) -> Iterator[Lane]:
    name = f"int8{formats.SUFFIXES[item]}"
    predictor = edgevision.load(out, artifact=name, threads=1)
    size = sum(each.stat().st_size for each in out.glob("int8.*") if each.suffix in suffixes(item))
    yield Lane(model, item, OURS, lambda: predictor(pixels), size)
    bare = bare_call(predictor.session)
    yield Lane(model, item, BARE, lambda: bare(pixels[None]), size)


def theirs(path: Path, item: str, images: CalibrationSet, folder: Path, pixels: Any) -> Iterator[Lane]:
    import keras

    batches = [*images.ranges.batches(), *images.choice.batches()]
    model = keras.models.load_model(path, compile=False)
    source = save_float(network_of(model, path.stem), preprocessing_of(path), folder / f"float-{item}")
    for index, method in enumerate(native.of(item).METHODS):
        made = folder / f"{item}{index}{formats.SUFFIXES[item]}"
        try:
            with quiet():
                native.of(item).quantize(source, lambda: batches, made, method=method)
            bare = bare_call(open_model(made, item))
        except Exception as error:  # whatever a peer raises is its result
            print(f"{path.stem} {item} {method}: {type(error).__name__}: {error}"[:200], file=sys.stderr)
            continue
        size = sum(made.with_suffix(suffix).stat().st_size for suffix in suffixes(item))
        yield Lane(path.stem, item, method, lambda call=bare: call(pixels[None]), size)  # type: ignore[misc]


def suffixes(item: str) -> tuple[str, ...]:
    return (".xml", ".bin") if item == "openvino" else (formats.SUFFIXES[item],)


def take_turns(lanes: list[Lane], rounds: int = ROUNDS) -> None:
    for turn in range(rounds):
        for place in range(len(lanes)):
            lane = lanes[(place + turn) % len(lanes)]
            block(lane.call, WARM_S)
            lane.seconds.append(block(lane.call, BLOCK_S))


def block(call: Callable[[], object], seconds: float) -> float:
    """Seconds of one call, over a block of so many seconds."""
    start, count = time.perf_counter(), 0
    while count == 0 or time.perf_counter() - start < seconds:
        call()
        count += 1
    return (time.perf_counter() - start) / count


def row(lane: Lane, lanes: list[Lane]) -> list[str]:
    base = next(each for each in lanes if each.format == lane.format and each.name == BARE)
    ratio = ratio_interval(np.array(lane.seconds), np.array(base.seconds))
    return [
        lane.format,
        lane.name,
        f"{statistics.median(lane.seconds) * 1e3:.3f}",
        words(ratio),
        f"{lane.size / 1e3:.0f}",
    ]


def words(ratio: Estimate | None) -> str:
    return "" if ratio is None else f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def benchmark_app(model: str, path: Path, pixels: Any) -> list[list[str]]:
    """OpenVINO's own tool on our file, and that file in the bare engine before and after it."""
    call = bare_call(open_model(path, "openvino"))
    lane = Lane(model, "openvino", "", lambda: call(pixels[None]))
    take_turns([lane], 10)
    tool = [
        str(Path(sys.executable).with_name("benchmark_app")),
        "-m",
        str(path),
        "-d",
        "CPU",
        "-api",
        "sync",
        "-hint",
        "none",
    ]
    done = subprocess.run([*tool, "-nthreads", "1", "-t", "5"], capture_output=True, text=True, check=False)
    take_turns([lane], 10)
    found = re.search(r"Median:\s+([\d.]+) (ms|us)", done.stdout)
    if found is None:
        return [["openvino", "benchmark_app", "failed", " ".join((done.stdout + done.stderr).split())[-80:], ""]]
    milliseconds = float(found.group(1)) / (1000 if found.group(2) == "us" else 1)
    ratio = milliseconds / 1e3 / statistics.median(lane.seconds)
    return [["openvino", "benchmark_app on our file", f"{milliseconds:.3f}", f"{ratio:.2f}", ""]]


def ultralytics(folder: Path) -> str:
    """The same untrained YOLO by Ultralytics' predict and by ours."""
    from ultralytics import YOLO

    network = YOLO("yolov8n.yaml")
    with quiet():
        path = Path(network.export(format="onnx", imgsz=320))
    moved = path.rename(folder / "yolov8n.onnx")
    names = [str(name) for name in network.names.values()]
    peer, photo = YOLO(str(moved), task="detect"), np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    head = {"kind": "yolo"}
    said: dict[str, Any] = {"task": "detection", "preprocess": "unit", "labels": names, "head": head, "threads": 1}
    own = edgevision.load(moved, **said)
    lanes = [
        Lane("yolov8n", "onnx", BARE, lambda: own.infer(own.preprocess(photo))),
        Lane("yolov8n", "onnx", OURS, lambda: own(photo)),
        Lane("yolov8n", "onnx", "ultralytics predict", lambda: peer.predict(photo, imgsz=320, verbose=False)),
    ]
    take_turns(lanes)
    return table("yolov8n 320, untrained, float", [row(lane, lanes) for lane in lanes])


def table(title: str, rows: list[list[str]]) -> str:
    lines = [f"## {title}", "", "| format | who | median, ms | times our file in the bare engine | kB |"]
    lines += ["|---|---|--:|--:|--:|", *("| " + " | ".join(cells) + " |" for cells in rows), ""]
    return "\n".join(lines)


def page(tables: list[str]) -> str:
    from edgevision.runtime.host import host_description

    host = host_description()
    head = ["# Peers, side by side", "", "What `python scripts/compare_latency.py` printed. One thread each, in turns."]
    machine = f"Measured on {host.get('cpu')}, {host.get('cpus')} cores, Python {host.get('python')}."
    return "\n".join([*head, machine, "", *tables])


if __name__ == "__main__":
    main()
