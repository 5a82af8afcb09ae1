"""Reports as large as they get, made without a model: six artifacts, 1,000 images, drifts, outliers and flips."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from edgevision.benchmarks.report import AccuracyRecord, Flip, Measured, Report
from edgevision.runtime.manifest import Gate

#: Artifact -> median of its inference in milliseconds, share of images it answers otherwise than float32.tflite.
ARTIFACTS = {
    "int8.tflite": (0.21, 0.031),
    "float32.tflite": (0.62, 0.0),
    "int8.onnx": (0.26, 0.033),
    "float32.onnx": (0.55, 0.0),
    "int8.xml": (0.24, 0.028),
    "float32.xml": (0.49, 0.0),
}
_FORMATS = {"tflite": "tflite", "onnx": "onnx", "xml": "openvino"}
IMAGES = 1000


def large_report(classes: int = 10, runs: int = 2000) -> Report:
    """Six artifacts with ``runs`` runs each and their answers to ``IMAGES`` images of ``classes`` classes."""
    rng = np.random.default_rng(classes)
    return Report(
        bundle="birds.edge",
        created="2026-01-02T03:04:05+00:00",
        command="edgevision.benchmark('birds.edge', data='birds')",
        gate=Gate(True, 1.0, "accuracy", IMAGES),
        artifacts=tuple(_measured(name, runs, rng) for name in ARTIFACTS),
        overhead=_measured("float32.tflite", runs, rng, infer_ms=0.004),
        images={"kind": "data", "name": "birds", "split": "test", "distinct": 200},
        accuracy=_answers(classes, rng),
        host={"cpu": "Cortex-A76", "machine": "aarch64", "cpus": 4, "cpus_total": 4, "load_average": 0.1},
        versions={"edgevision": "0.1.0", "numpy": "2.3.1"},
        provenance={"model": {"name": "birds.keras", "sha256": "ab" * 32}, "calibration": {"images": 300}},
    )


def _measured(name: str, runs: int, rng: np.random.Generator, infer_ms: float | None = None) -> Measured:
    """The times drift upwards by a fifth in the second half, as on a board that grows hot."""
    precision, suffix = name.split(".")
    warm = 1 + 0.2 * np.clip(np.arange(runs) / runs - 0.5, 0, 1)
    infer = (infer_ms or ARTIFACTS[name][0]) * warm * rng.lognormal(0, 0.05, runs)
    infer[rng.integers(0, runs, runs // 100)] *= 3
    times: dict[str, Any] = {"decode": 0.11 * rng.lognormal(0, 0.04, runs), "preprocess": np.full(runs, 0.02)}
    times |= {"infer": infer, "postprocess": np.full(runs, 0.01)}
    return Measured(
        artifact=name,
        format=_FORMATS[suffix],
        precision=precision,
        size_bytes=1_340_000 if precision == "int8" else 4_960_000,
        sha256="0f" * 32,
        int8_macs=float(precision == "int8"),
        passed=True,
        engine={"engine": _FORMATS[suffix], "version": "1.0", "provider": "CPU", "threads": 1},
        import_ns=80_000_000,
        load_ns=20_000_000,
        first_ns=1_000_000,
        warmup_runs=100,
        settled=True,
        block=10,
        stages_ns={stage: (1e6 * values).astype(int).tolist() for stage, values in times.items()},
        base_bytes=9_000_000,
        peak_bytes={"tflite": 58_000_000, "onnx": 76_000_000, "xml": 131_000_000}[suffix],
    )


def _answers(classes: int, rng: np.random.Generator) -> AccuracyRecord:
    truth = rng.integers(0, classes, IMAGES)
    base = np.where(rng.random(IMAGES) < 0.12, (truth + rng.integers(1, 4, IMAGES)) % classes, truth)
    predictions = {}
    for name, (_, changed) in ARTIFACTS.items():
        flipped = rng.random(IMAGES) < changed
        predictions[name] = np.where(flipped, (base + 1) % classes, base).tolist()
    differ = np.flatnonzero(np.array(predictions["int8.tflite"]) != base)[:24]
    flips = tuple(
        Flip("int8.tflite", "float32.tflite", int(i), 0.97 - 0.02 * n, 0.95 - 0.02 * n, _photo(rng))
        for n, i in enumerate(differ)
    )
    labels = tuple(f"{'spotted long-tailed ' * (i % 7 == 3)}bird {i}" for i in range(classes))
    return AccuracyRecord("birds", "test", "cd" * 32, tuple(truth.tolist()), predictions, labels, flips)


def _photo(rng: np.random.Generator) -> str:
    """Noise over a gradient, 96x64: about as many bytes as a photo that is full of detail."""
    light = np.linspace(60, 200, 96)[None, :, None] + rng.normal(0, 25, (64, 96, 3))
    out = io.BytesIO()
    Image.fromarray(light.clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=80)
    return base64.b64encode(out.getvalue()).decode("ascii")
