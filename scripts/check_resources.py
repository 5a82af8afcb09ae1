"""Time and memory of two conversions: MobileNetV2 at 224 pixels, and the 44-million-weight CNN of common tutorials.

    python scripts/check_resources.py [mobilenet] [tutorial]

Both are converted from a .keras file as the command line does it, in a child process, to all formats and precisions,
with parity, golden outputs and the accuracy gate on 500 images. Seconds are wall time from the call to the bundle;
"without TensorFlow's import" takes off what importing TensorFlow and Keras takes (measured in a process of its own, the
second of two). Memory is the most that this process and its children had resident at one time, looked at five times a
second. Weights are random, images real; so no search for layers to leave in float (--budget) is counted, which answers
of random weights would set off. Exit code 1 when a limit is missed: 90 s and 3 GiB for MobileNetV2, 120 s for
the CNN.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
SHARED = Path(os.environ.get("EDGEVISION_SHARED", Path(__file__).resolve().parents[2] / "shared"))
GIB = 2**30
SIZE = 224
#: name -> (seconds, GiB or None, images that calibrate, images that the gate judges)
LIMITS: dict[str, tuple[float, float | None, int, int]] = {
    "mobilenet": (90.0, 3.0, 200, 500),
    "tutorial": (120.0, None, 200, 500),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(LIMITS), help="mobilenet, tutorial; none: both")
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "cifar10_png.zip")
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        make(options.make[0], Path(options.make[1]), options.data)
        return
    importing = [seconds_of([sys.executable, "-c", "import tensorflow, keras"]) for _ in range(2)][1]
    missed = []
    for name in options.names:
        for label, value, limit in measured(name, options.data, importing):
            is_held = limit is None or value <= limit
            said = "" if limit is None else f"limit {limit:6.1f}   {'ok' if is_held else 'MISSED'}"
            print(f"{name:10s} {label:36s} {value:8.1f}   {said}", flush=True)
            missed += [] if is_held else [f"{name}: {label}"]
    print("missed: " + ("; ".join(missed) or "none"))
    sys.exit(bool(missed))


def measured(name: str, data: Path, importing: float) -> list[tuple[str, float, float | None]]:
    """(what, value, limit) of one conversion."""
    import edgevision

    seconds_limit, memory_limit, *_ = LIMITS[name]
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        # In a process of its own: this one is to hold no more than the command line would.
        subprocess.run([sys.executable, __file__, "--data", str(data), "--make", name, text], check=True)
        stages: list[tuple[str, float]] = []
        start, cpu = time.perf_counter(), children_cpu()
        with Peak() as peak:
            bundle = edgevision.convert(
                folder / "model.keras",
                folder / "calibration.npz",
                folder / "it.edge",
                evaluate=folder / "evaluation.npz",
                labels=[f"class {number}" for number in range(1000 if name == "mobilenet" else 10)],
                preprocess="tf" if name == "mobilenet" else None,
                budget=0,
                progress=lambda stage, done, total: stages.append((stage, time.perf_counter())),
            )
        seconds, cpu = time.perf_counter() - start, children_cpu() - cpu
        artifacts = bundle.manifest.artifacts
        assert len(artifacts) == 6 and all(item.parity is not None for item in artifacts), "six, each checked"
        assert (bundle.path / "golden.npz").is_file(), "golden outputs"
    ends = [when for _, when in stages[1:]] + [start + seconds]
    parts: list[tuple[str, float, float | None]] = [
        (f"  {stage}, s", end - begun, None) for (stage, begun), end in zip(stages, ends)
    ]
    return [
        *parts,
        ("convert, six artifacts, s", seconds, seconds_limit),
        ("  without TensorFlow's import, s", seconds - importing, None),
        ("  processor time, s", cpu, None),
        ("peak memory, GiB", peak.most / GIB, memory_limit),
    ]


def make(name: str, folder: Path, data: Path) -> None:
    """Write model.keras, calibration.npz and evaluation.npz."""
    import keras
    from application_networks import make_realistic, network

    from edgevision.datasets import open_images
    from edgevision.runtime.preprocess import resize
    from edgevision.runtime.spec import named_preprocessing

    _, _, calibrating, judging = LIMITS[name]
    preprocessing, dataset = named_preprocessing("raw", SIZE, SIZE, 3), open_images(data)
    order = np.random.default_rng(0).permutation(len(dataset))[: calibrating + judging]
    pixels = np.stack([resize(dataset[int(index)].decode(), preprocessing) for index in order])
    if name == "mobilenet":
        model = network("MobileNetV2", SIZE, pixels[:16])
    else:
        keras.utils.set_random_seed(0)
        model = tutorial()
        make_realistic(model, pixels[:16].astype(np.float32), np.random.default_rng(0))
    model.save(folder / "model.keras")
    np.savez(folder / "calibration.npz", images=pixels[:calibrating])
    classes = 1000 if name == "mobilenet" else 10
    labels = np.arange(judging) % classes  # the float model answers at random; the gate compares it with int8
    np.savez(folder / "evaluation.npz", images=pixels[calibrating:], labels=labels)


def tutorial() -> Any:
    """The CNN of common tutorials: 44 million weights, nearly all of them between Flatten and Dense."""
    from keras import Sequential, layers

    return Sequential(
        [
            layers.Input((SIZE, SIZE, 3)),
            layers.Rescaling(1 / 255),
            *(
                layer
                for filters in (32, 64, 128)
                for layer in (layers.Conv2D(filters, 3, activation="relu"), layers.MaxPooling2D())
            ),
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def seconds_of(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def children_cpu() -> float:
    """Processor seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Peak:
    """Watches how much memory this process and everything it started have resident at one time.

    Attributes:
        most: Bytes.
    """

    def __init__(self) -> None:
        self.most = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.2):
            self.most = max(self.most, resident_of_tree(os.getpid()))


def resident_of_tree(number: int) -> int:
    """Resident bytes of a process and its descendants; Linux only."""
    folder, size, children = Path("/proc") / str(number), 0, list[str]()
    with contextlib.suppress(OSError):  # it may have just ended
        size = int((folder / "statm").read_text().split()[1]) * resource.getpagesize()
        for task in (folder / "task").iterdir():
            with contextlib.suppress(OSError):
                children += (task / "children").read_text().split()
    return size + sum(resident_of_tree(int(child)) for child in children)


if __name__ == "__main__":
    main()
