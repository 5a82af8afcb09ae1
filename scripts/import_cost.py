"""What edgevision adds to a bare engine: time and memory of import + load + first prediction.

    python scripts/import_cost.py NAME.edge [--image FILE] [--runs 9]

Every figure comes from fresh processes, bare engine and edgevision taking turns. "bare" is the engine's own import and
load of the same artifact, without a prediction; "ours" is ``import edgevision``, ``load`` and one prediction. Byte
code is compiled beforehand, as pip does on installation, into a folder of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from edgevision.runtime.backends import is_installed
from edgevision.runtime.bundle import Bundle

_BEGIN = "import time; start = time.perf_counter(); import sys\n"

# Peak and present memory of the process itself; ru_maxrss would hold the parent's from before exec.
_END = """
elapsed = time.perf_counter() - start
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print("figures", elapsed, *(int(status[key].split()[0]) * 1024 for key in ("VmRSS", "VmHWM")))
"""

_BARE = {
    "tflite": """
from ai_edge_litert.interpreter import Interpreter
with open(sys.argv[1], "rb") as file:
    model = Interpreter(model_content=file.read(), num_threads=1)
model.allocate_tensors()
""",
    "onnx": """
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
with open(sys.argv[1], "rb") as file:
    model = onnxruntime.InferenceSession(file.read(), options, providers=["CPUExecutionProvider"])
""",
    # Without its telemetry, as edgevision imports it: nothing is sent, and the comparison is of like with like.
    "openvino": """
sys.modules["openvino_telemetry"] = None
import openvino
with open(sys.argv[1], "rb") as file, open(sys.argv[1][:-4] + ".bin", "rb") as weights:
    model = openvino.Core().read_model(file.read(), weights.read())
settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1}
compiled = openvino.Core().compile_model(model, "CPU", settings)
""",
}

_OURS = """
import edgevision
predictor = edgevision.load(sys.argv[2], artifact=sys.argv[4])
predictor(sys.argv[3])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--image", type=Path, help="what to predict first; default: a golden input as PNG")
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    bundle = Bundle.open(options.bundle)
    with tempfile.TemporaryDirectory() as folder:
        image = options.image or golden_image(bundle, Path(folder) / "image.png")
        for artifact in bundle.manifest.artifacts:
            if artifact.precision == "int8" and is_installed(artifact.format):
                print(row(artifact.name, measure(bundle, artifact.name, image, options.runs, folder)), flush=True)


def golden_image(bundle: Bundle, path: Path) -> Path:
    from PIL import Image

    pixels = bundle.golden().inputs[0]
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(path)
    return path


def measure(bundle: Bundle, name: str, image: Path, runs: int, folder: str) -> dict[str, list[tuple[float, ...]]]:
    """Raw figures of both sides: (seconds, bytes now, bytes at the peak) per process."""
    arguments = [str(bundle.path / name), str(bundle.path), str(image), name]
    codes = {"bare": _BARE[bundle.artifact(name).format], "ours": _OURS}
    figures: dict[str, list[tuple[float, ...]]] = {side: [] for side in codes}
    for turn in range(runs + 1):
        for side, code in codes.items():
            result = child(_BEGIN + code + _END, arguments, folder)
            if turn:  # the first turn compiles byte code and warms the page cache
                figures[side].append(result)
    return figures


def child(code: str, arguments: list[str], folder: str) -> tuple[float, ...]:
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run([sys.executable, "-c", code, *arguments], env=environment, stdout=-1, stderr=-1, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    line = next(line for line in done.stdout.splitlines() if line.startswith("figures"))
    return tuple(map(float, line.split()[1:]))


def row(name: str, figures: dict[str, list[tuple[float, ...]]]) -> str:
    medians = {side: [statistics.median(column) for column in zip(*raw)] for side, raw in figures.items()}
    bare, ours = medians["bare"], medians["ours"]
    values = {
        "artifact": name,
        "bare_ms": round(bare[0] * 1e3, 1),
        "ours_ms": round(ours[0] * 1e3, 1),
        "extra_ms": round((ours[0] - bare[0]) * 1e3, 1),
        "extra_rss_mb": round((ours[1] - bare[1]) / 1e6, 1),
        "extra_peak_mb": round((ours[2] - bare[2]) / 1e6, 1),
    }
    return json.dumps(values)


if __name__ == "__main__":
    main()
