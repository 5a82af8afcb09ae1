"""Our int8 artifacts and predictor beside the peers' artifacts, the bare engines and their own tools, in one run.

    pip install ".[peers]"
    python scripts/compare_latency.py CALIBRATION MODEL [MODEL ...] [--work FOLDER] [--out docs/benchmarks.md]

A MODEL is a .keras file that knows its preprocessing, or the name of a network in ``application_networks.py``, which is
made at 224 pixels with weights that behave like trained ones. Per model and format, on one thread: ours through the
predictor (a uint8 array in, the typed result out), ours through the bare engine, and each peer's int8 file
(``converters.native``: TFLiteConverter, ai-edge-quantizer, onnxruntime, NNCF) through the bare engine. All take turns
(``turns.py``); a figure is the median over the rounds, a ratio the median of the rounds' ratios with its
distribution-free 95 % interval. OpenVINO's benchmark_app runs between two such runs of our file, in a process of its
own. Ultralytics' predict runs beside ``edgevision.load`` of the same files (``compare_ultralytics.py``), in the Python
that ``--ultralytics`` names, this one unless told.

What is made is kept in ``--work``: a second call with that folder measures and makes nothing, so that the long part can
run with little priority, and the measurement alone on an idle machine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from application_networks import NETWORKS, network
from check_overhead import bare_call
from compare_quantizers import FORMATS, open_model, quiet
from turns import BARE, OURS, Lane, row, table, take_turns

import edgevision
from edgevision.converters import formats, native
from edgevision.converters.calibration import CalibrationSet
from edgevision.converters.metadata import read_metadata, write_metadata
from edgevision.converters.native.source import network_of, save_float
from edgevision.runtime.manifest import from_plain, to_plain
from edgevision.runtime.spec import Preprocessing, named_preprocessing

#: Height and width of the networks that are made here, pixels.
SIZE = 224
#: Images that the peers take ranges from. Ranges do not change how long a model takes, and ONNX Runtime's percentile
#: and entropy keep every activation of every image: of 500 at 224 pixels more than 24 GiB.
PEERS_IMAGES = 32
HEAD = """# Peers, side by side

What `python scripts/compare_latency.py CALIBRATION MODEL ... --out FILE` wrote. One thread each. In a table all take
turns in blocks of 40 ms, in another order each round, so what else the machine does meets all alike: ratios are the
medians of the rounds' ratios with 95 % intervals and hold; milliseconds are those of one machine at one hour. Each peer
is at its default and at its documented settings. This is about time alone: what each does to accuracy is in
[int8.md](int8.md). Of a network as small as cnn-cifar the predictor's 13 to 25 us show. benchmark_app takes no part in
the turns and skips, being C++ inside, what a call from Python costs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calibration", type=Path, help="training images (.npz, folder or .zip)")
    parser.add_argument("models", nargs="+", help=".keras files, or names like MobileNetV2")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="keeps what is made for the next call")
    parser.add_argument("--ultralytics", default=sys.executable, metavar="PYTHON", help="that has Ultralytics")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    tables: list[str] = []
    with contextlib.ExitStack() as stack:
        work = options.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for model in options.models:
            tables.append(measured(model, options, work / Path(model).stem))
            print(tables[-1], flush=True)
        tables.append(ultralytics(options.ultralytics, work / "ultralytics"))
        print(tables[-1], flush=True)
    if options.out:
        options.out.write_text(page(tables))


def measured(model: str, options: argparse.Namespace, folder: Path) -> str:
    """One table for a model."""
    folder.mkdir(parents=True, exist_ok=True)
    is_made = model in NETWORKS
    path = application(model, options.calibration, folder) if is_made else Path(model)
    out = folder / "ours.edge"
    if not out.exists():
        # The answers of random weights change easily: a search for layers to leave in float would never end well.
        budget = {"budget": 0} if is_made else {}
        edgevision.convert(path, options.calibration, out, formats=options.formats, precisions=("int8",), **budget)
    make_theirs(path, options, folder)
    size = preprocessing_of(path)
    pixels = CalibrationSet(options.calibration, size).judgement.head(1)["image"][0]
    lanes = [lane for item in options.formats for lane in ours(item, out, pixels)]
    lanes += [lane for item in options.formats for lane in theirs(item, folder, pixels)]
    take_turns([lane for lane in lanes if not lane.problem])
    rows = [row(lane, lanes) for lane in lanes]
    if "openvino" in options.formats:
        rows += benchmark_app(out / "int8.xml", pixels)
    kind = ", random weights" if is_made else ""
    return table(f"{path.stem}, {size.width}x{size.height}{kind}", rows)


def application(name: str, calibration: Path, folder: Path) -> Path:
    """A .keras file of a network from ``application_networks.py``; normalised and labelled like the original."""
    path = folder / f"{name}.keras"
    if not path.exists():
        prepared = named_preprocessing(NETWORKS[name] or "raw", SIZE, SIZE, 3)
        pixels = CalibrationSet(calibration, prepared).ranges.head(16)["image"]
        network(name, SIZE, pixels).save(path)
        labels = [f"class {number}" for number in range(1000)]
        write_metadata(path, {"labels": labels, "preprocessing": to_plain(prepared), "scores": "logits"})
    return path


def preprocessing_of(path: Path) -> Preprocessing:
    return from_plain(Preprocessing, (read_metadata(path) or {})["preprocessing"])


def ours(item: str, out: Path, pixels: Any) -> Iterator[Lane]:
    name = f"int8{formats.SUFFIXES[item]}"
    predictor = edgevision.load(out, artifact=name, threads=1)
    size = sum(each.stat().st_size for each in out.glob("int8.*") if each.suffix in suffixes(item))
    yield Lane(item, OURS, lambda: predictor(pixels), size)
    bare = bare_call(predictor.session)
    yield Lane(item, BARE, lambda: bare(pixels[None]), size)


def peer_files(item: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """(setting, file) of each peer; the file need not be there."""
    for index, method in enumerate(native.of(item).METHODS):
        yield method, folder / f"{item}{index}{formats.SUFFIXES[item]}"


def make_theirs(path: Path, options: argparse.Namespace, folder: Path) -> None:
    """Every peer's file that is not there yet; why one failed lies in a text file beside."""
    missing = [
        (item, method, made)
        for item in options.formats
        for method, made in peer_files(item, folder)
        if not made.exists() and not made.with_suffix(".txt").exists()
    ]
    if not missing:
        return
    import keras

    prepared = preprocessing_of(path)
    few = [CalibrationSet(options.calibration, prepared).ranges.head(PEERS_IMAGES)]
    source = save_float(network_of(keras.models.load_model(path, compile=False), path.stem), prepared, folder / "float")
    for item, method, made in missing:
        print(f"{path.stem} {item} {method}", file=sys.stderr, flush=True)
        try:
            with quiet():
                native.of(item).quantize(source, lambda: few, made, method=method)
        except Exception as error:  # whatever a peer raises is its result
            made.unlink(missing_ok=True)
            made.with_suffix(".txt").write_text(f"{type(error).__name__}: {' '.join(str(error).split())}"[:80])


def theirs(item: str, folder: Path, pixels: Any) -> Iterator[Lane]:
    for method, made in peer_files(item, folder):
        if not made.exists():
            yield Lane(item, method, int, problem=made.with_suffix(".txt").read_text())
            continue
        bare = bare_call(open_model(made, item))
        size = sum(made.with_suffix(suffix).stat().st_size for suffix in suffixes(item))
        yield Lane(item, method, lambda call=bare: call(pixels[None]), size)  # type: ignore[misc]


def suffixes(item: str) -> tuple[str, ...]:
    return (".xml", ".bin") if item == "openvino" else (formats.SUFFIXES[item],)


def benchmark_app(path: Path, pixels: Any) -> list[list[str]]:
    """OpenVINO's own tool on our file, and that file in the bare engine before and after it."""
    call = bare_call(open_model(path, "openvino"))
    lane = Lane("openvino", "", lambda: call(pixels[None]))
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


def ultralytics(python: str, folder: Path) -> str:
    """The tables of ``compare_ultralytics.py`` from the Python that has Ultralytics, or why there are none."""
    program = Path(__file__).with_name("compare_ultralytics.py")
    paths = os.pathsep.join([str(program.parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [python, str(program), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": paths},
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return f"## Ultralytics\n\nNot measured: {said}\n"
    return done.stdout


def page(tables: list[str]) -> str:
    from edgevision.runtime.host import host_description

    host = host_description()
    machine = f"Measured on {host.get('cpu')}, {host.get('cpus')} cores, Python {host.get('python')}."
    return "\n".join([f"{HEAD}\n{machine}\n", *tables])


if __name__ == "__main__":
    main()
