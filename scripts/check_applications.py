"""Fourteen networks of keras.applications through convert: every format, in int8, as the quantised Keras model answers.

    python scripts/check_applications.py [NAME ...] [--size 224] [--out docs/applications.md]

The networks have random weights that behave like trained ones (application_networks.py says how and why). Each is
converted in a process of its own with real images, two fifths of which set nothing and judge: the SQNR is that of the
logits less their mean over those images, against the quantised Keras model, as the bundle's manifest has it. Shares of
multiply-accumulates are counted in the files. All networks take --size pixels, also those that usually take 299.

Exit code 1 when a network does not convert to every format, agrees less than 25 dB, or has less than 90 % of its
multiply-accumulates in int8.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from application_networks import NETWORKS, network

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
SHARED = Path(os.environ.get("EDGEVISION_SHARED", Path(__file__).resolve().parents[2] / "shared"))
FORMATS = ("tflite", "onnx", "openvino")
LEAST_DB, LEAST_MACS = 25.0, 0.9
#: Images that batch-norm statistics are taken from; other images calibrate and judge.
_STATISTICS = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="networks; none: all")
    parser.add_argument("--size", type=int, default=224, help="height and width of the input, pixels")
    parser.add_argument("--images", type=int, default=80, help="images to calibrate and judge with")
    parser.add_argument("--formats", nargs="+", default=list(FORMATS), choices=FORMATS)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "cifar10_png.zip")
    parser.add_argument("--out", type=Path, help="write the table as Markdown")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(NETWORKS))
    if unknown:
        parser.error(f"unknown networks {', '.join(unknown)}; known are {', '.join(NETWORKS)}")
    if options.child is not None:
        options.child.write_text(json.dumps(converted(options.names[0], options)))
        return
    rows, names = [], options.names or list(NETWORKS)
    print(HEADER, flush=True)
    for name in names:
        rows.append(row(name, in_child(name), options.formats))
        print(rows[-1][0], flush=True)
    held = sum(is_held for _, is_held in rows)
    print(f"\n{held} of {len(rows)} hold")
    if options.out is not None:
        options.out.write_text(page([text for text, _ in rows], held, options))
    sys.exit(held < len(rows))


def in_child(name: str) -> dict[str, Any]:
    """What ``converted`` says in a process of its own, so that no network sees another's memory."""
    with tempfile.TemporaryDirectory() as folder:
        answer, log = Path(folder) / "answer.json", Path(folder) / "log"
        arguments = [item for item in sys.argv[1:] if item not in NETWORKS]
        with log.open("w") as file:
            command = [sys.executable, __file__, name, *arguments, "--child", str(answer)]
            subprocess.run(command, stdout=file, stderr=file, check=False)
        if answer.is_file():
            result: dict[str, Any] = json.loads(answer.read_text())
            return result
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
        return {"failure": lines[-1][:300] if lines else "the process ended without a word"}


def converted(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Convert one network; figures by format."""
    from edgevision.datasets import open_images

    dataset = open_images(options.data)
    order = np.random.default_rng(0).permutation(len(dataset))[: _STATISTICS + options.images]
    images = [dataset[int(index)].decode() for index in order]
    with tempfile.TemporaryDirectory() as folder:
        from edgevision.runtime.preprocess import resize
        from edgevision.runtime.spec import named_preprocessing

        preprocessing = named_preprocessing("raw", options.size, options.size, 3)
        pixels = np.stack([resize(image, preprocessing) for image in images])
        model = network(name, options.size, pixels[:_STATISTICS])
        np.savez(Path(folder) / "images.npz", images=pixels[_STATISTICS:])
        return _converted(model, NETWORKS[name], Path(folder), options.formats)


def _converted(model: Any, preprocess: str | None, folder: Path, wanted: list[str]) -> dict[str, Any]:
    import edgevision
    from edgevision.converters import formats

    start, cpu = time.perf_counter(), time.process_time()
    bundle = edgevision.convert(
        model,
        folder / "images.npz",
        folder / "it.edge",
        labels=[f"class {number}" for number in range(1000)],
        preprocess=preprocess,
        formats=wanted,
        precisions=["int8"],
        budget=0,  # what int8 does is to be seen, not what a search would spare it
    )
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    found = {}
    for artifact in bundle.manifest.artifacts:
        assert artifact.parity is not None, "convert measures it"
        executed = [is_int8 for _, is_int8 in formats.of(artifact.format).executed(bundle.path / artifact.name)]
        found[artifact.format] = {
            "sqnr": artifact.parity.sqnr_db,
            "images": artifact.parity.images,
            "macs": artifact.int8_macs,
            "executed": sum(executed) / len(executed),
            "float": [(op.kind, op.name) for op in artifact.float_ops],
        }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"formats": found, "seconds": seconds, "cpu": cpu, "peak": peak}


HEADER = (
    "| network | formats | multiply-accumulates in int8 | SQNR, dB: "
    + " / ".join(FORMATS)
    + " | left in float | convert, s (processor) | peak, GiB | |\n|---|---|---|---|---|---|---|---|"
)


def row(name: str, result: dict[str, Any], wanted: list[str]) -> tuple[str, bool]:
    """A line of the table, and whether the network holds."""
    if "failure" in result:
        return f"| {name} | 0 of {len(wanted)} | - | - | - | - | - | FAILED: {result['failure']} |", False
    found = result["formats"]
    ratios, macs = [found[key]["sqnr"] for key in wanted], [found[key]["macs"] for key in wanted]
    rest = sorted({(kind, name) for key in wanted for kind, name in found[key]["float"]})
    is_held = len(found) == len(wanted) and min(ratios) >= LEAST_DB and min(macs) >= LEAST_MACS
    cells = (
        name,
        f"{len(found)} of {len(wanted)}",
        f"{min(macs):.2%} (executed {min(found[key]['executed'] for key in wanted):.2%})",
        " / ".join(f"{ratio:.1f}" for ratio in ratios),
        ", ".join(f"{kind} x {count}" for kind, count in Counter(kind for kind, _ in rest).items()) or "nothing",
        f"{result['seconds']:.0f} ({result['cpu']:.0f})",
        f"{result['peak']:.1f}",
        "ok" if is_held else "MISSED",
    )
    return f"| {' | '.join(cells)} |", is_held


def page(rows: list[str], held: int, options: argparse.Namespace) -> str:
    """The table with what it shows."""
    judged = options.images - options.images * 2 // 5 - options.images // 5
    return "\n".join(
        [
            "# keras.applications, converted",
            "",
            f"{held} of {len(rows)} hold: all formats convert and run, SQNR >= {LEAST_DB:g} dB against the quantised",
            f"Keras model (logits less their mean over {judged} images), >= {LEAST_MACS:.0%} of its work in",
            f"int8. Input {options.size}x{options.size}, real images, random weights that round like trained ones",
            "(`scripts/application_networks.py`). Made by `python scripts/check_applications.py`.",
            "",
            HEADER,
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    main()
