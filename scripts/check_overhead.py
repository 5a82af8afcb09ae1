"""What a prediction costs beside the bare engine: the same engine object, called directly and through a predictor.

    python scripts/check_overhead.py NAME.edge [--tiny TINY.edge] [--image FILE.jpg] [--rounds 60] [--pillow]

Of every int8 model of NAME.edge (MobileNetV2-224 is what the limits are for) whose engine is installed, one thread:

- array: a uint8 array at the model's size; predictor / bare call, at most 1.08.
- file: a JPEG (1280x720 unless given) to the result; predictor / (Pillow's decoder + the same resize + bare call), at
  most 1.05, and with the extra "fast" 0.7. ``--pillow`` measures as if the extra were not installed.
- tiny: the same as array on TINY.edge (a CNN for 32x32 pixels) in microseconds more than the bare call, at most 40.
- import: what ``edgevision.load`` imports on top of numpy, Pillow and the engine, in fresh processes; at most 60 ms and
  8 MB.

Both sides take turns call by call; a figure is the ratio of their medians. Wants an idle machine.
Exit code 1 when a limit is not kept.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from import_cost import child
from PIL import Image

import edgevision
from edgevision.runtime.backends import is_installed
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.jpeg import decodes_fast
from edgevision.runtime.resizer import fast_bilinear
from edgevision.runtime.session import Session
from edgevision.runtime.synthetic import synthetic_pixels

Call = Callable[[], object]

ARRAY, FILE, FAST_FILE, TINY_US, IMPORT_MS, IMPORT_MB = 1.08, 1.05, 0.7, 40.0, 60.0, 8.0
#: Seconds of one round, and processes for one figure of imports.
ROUND_S, PROCESSES = 0.02, 9

_ENGINES = {"tflite": "ai_edge_litert.interpreter", "onnx": "onnxruntime", "openvino": "openvino"}
_IMPORT = """
import sys, time, numpy, PIL.Image
sys.modules["openvino_telemetry"] = None
import {engine}
del sys.modules["openvino_telemetry"]
def memory():
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmRSS"))
before, start = memory(), time.perf_counter()
import edgevision.runtime
edgevision.load
elapsed = time.perf_counter() - start
print("figures", elapsed, memory() - before)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, metavar="NAME.edge")
    parser.add_argument("--tiny", type=Path, metavar="TINY.edge")
    parser.add_argument("--image", type=Path, metavar="FILE.jpg")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--pillow", action="store_true")
    options = parser.parse_args()
    if options.pillow:
        sys.modules.update(simplejpeg=None, kornia_rs=None)
    with tempfile.TemporaryDirectory() as folder:
        image = options.image or made_photo(Path(folder) / "photo.jpg")
        kept = [big(options.bundle, name, image, options.rounds) for name in artifacts(options.bundle)]
        kept += [tiny(options.tiny, name, options.rounds) for name in artifacts(options.tiny)]
        kept += [imports(engine, folder) for engine in _ENGINES if is_installed(engine)]
    return int(not all(kept))


def artifacts(path: Path | None) -> list[str]:
    found = () if path is None else Bundle.open(path).manifest.artifacts
    return [each.name for each in found if each.precision == "int8" and is_installed(each.format)]


def made_photo(path: Path) -> Path:
    """A JPEG of 1280x720 with shapes and the noise of a camera."""
    smooth = synthetic_pixels((720, 1280, 3), 1)[0].astype(np.float64)
    noise = np.random.default_rng(0).normal(0, 6, smooth.shape)
    Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8)).save(path, quality=90)
    return path


def big(path: Path, name: str, image: Path, rounds: int) -> bool:
    with edgevision.load(path, artifact=name, threads=1) as predictor:
        p = predictor.manifest.preprocessing
        pixels = synthetic_pixels((p.height, p.width, p.channels), 1)[0]
        bare = bare_call(predictor.session)
        same = Image.Resampling[p.interpolation.upper()]

        def plain() -> object:
            with Image.open(image) as opened:
                return bare(np.array(opened.resize((p.width, p.height), same))[None])

        array = compared(lambda: predictor(pixels), lambda: bare(pixels[None]), rounds)
        file = compared(lambda: predictor(image), plain, rounds)
    limit = FAST_FILE if decodes_fast() and fast_bilinear() else FILE
    return said(f"{name} array", array, ARRAY) & said(f"{name} file", file, limit)


def tiny(path: Path, name: str, rounds: int) -> bool:
    with edgevision.load(path, artifact=name, threads=1) as predictor:
        p = predictor.manifest.preprocessing
        pixels = synthetic_pixels((p.height, p.width, p.channels), 1)[0]
        bare = bare_call(predictor.session)
        ours, engine = compared(lambda: predictor(pixels), lambda: bare(pixels[None]), rounds)
    extra = (ours - engine) * 1e6
    print(f"{name} tiny: {extra:.1f} us more than {engine * 1e6:.1f} us, allowed {TINY_US:g}", flush=True)
    return extra <= TINY_US


def bare_call(session: Session) -> Callable[[Any], object]:
    """The engine's own call on the session's own engine object, outputs copied."""
    loaded: Any = session
    name = session.inputs[0].name
    if session.backend == "onnx":
        return lambda pixels: loaded._session.run(None, {name: pixels})
    if session.backend == "openvino":
        tensor = importlib.import_module("openvino").Tensor
        request = loaded._compiled.create_infer_request()

        def infer(pixels: Any) -> object:  # of its ways in the one that costs least without copying into the request
            request.infer(tensor(pixels, shared_memory=True), share_outputs=True)
            return request.get_output_tensor(0).data.copy()

        return infer
    interpreter = loaded._interpreter
    given, answered = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def invoke(pixels: Any) -> object:
        interpreter.set_tensor(given, pixels)
        interpreter.invoke()
        return interpreter.get_tensor(answered)

    return invoke


def compared(ours: Call, bare: Call, rounds: int) -> tuple[float, float]:
    """Median seconds of one call of either; both take turns, and which comes first changes."""
    sides = (ours, bare)
    times: tuple[list[float], list[float]] = ([], [])
    counts = rounds * max(1, round(ROUND_S / min(timed(ours), timed(bare))))
    for turn in range(counts):
        for side in (0, 1) if turn % 2 else (1, 0):
            times[side].append(timed(sides[side]))
    return statistics.median(times[0]), statistics.median(times[1])


def timed(call: Call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def said(what: str, times: tuple[float, float], limit: float) -> bool:
    ours, bare = times
    print(f"{what}: {ours * 1e3:.3f} / {bare * 1e3:.3f} ms = {ours / bare:.3f}, allowed {limit:g}", flush=True)
    return ours / bare <= limit


def imports(engine: str, folder: str) -> bool:
    code = _IMPORT.format(engine=_ENGINES[engine])
    raw = [child(code, [], folder) for _ in range(PROCESSES + 1)][1:]  # the first one compiles byte code
    seconds, size = (statistics.median(column) for column in zip(*raw))
    print(f"{engine} import: {seconds * 1e3:.1f} ms, {size / 1e6:.1f} MB, allowed {IMPORT_MS:g} and {IMPORT_MB:g}")
    return seconds * 1e3 <= IMPORT_MS and size / 1e6 <= IMPORT_MB


if __name__ == "__main__":
    sys.exit(main())
