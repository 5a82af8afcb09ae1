"""Where a bundle came from: enough to make it again."""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import platform
from collections.abc import Sequence
from typing import Any

from edgevision.converters.calibration_report import CalibrationReport
from edgevision.converters.quantize.convergence import Convergence
from edgevision.converters.quantize.quantize import Quantized
from edgevision.converters.samples import Samples
from edgevision.converters.source import SourceModel
from edgevision.converters.tensor_set import TensorReport
from edgevision.runtime.manifest import to_plain

_TOOLS = (
    "edgevision",
    "tensorflow",
    "keras",
    "tf2onnx",
    "onnx",
    "onnxruntime",
    "openvino",
    "ai-edge-litert",
    "ai-edge-quantizer",
    "nncf",
    "numpy",
    "pillow",
)


def provenance(
    source: SourceModel,
    recipe: dict[str, Any],
    data: Samples,
    golden: str,
    convergence: Convergence | None = None,
    left_out: Sequence[dict[str, str]] = (),
) -> dict[str, Any]:
    """Plain values for the manifest: hashes, recipe, what calibrated, tool versions, time (UTC).

    Args:
        source: The model.
        recipe: How it was quantised.
        data: What calibrated and what judged.
        golden: "real" or "synthetic".
        convergence: How far the ranges settled, if that was measured.
        left_out: What was asked for and is not made, and why.
    """
    images = data.calibration
    return {
        "source": {"name": source.name, "sha256": source.sha256},
        "calibration": {
            "images": images.count,
            "ranges": len(images.ranges),
            "choice": len(images.choice),
            "judgement": len(images.judgement),
            "sha256": images.sha256,
            "used": _calibration(images.report(data.labels, convergence)),
        },
        "evaluation": data.evaluation,
        "golden": golden,
        "recipe": recipe,
        "left_out": list(left_out),
        "versions": {"python": platform.python_version(), **tool_versions()},
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }


def recipe(source: SourceModel, quantized: Quantized, finetuning: dict[str, Any] | None) -> dict[str, Any]:
    """How the one quantised model was made, and fine-tuned."""
    error = "noise_share" if source.scores is None else "divergence_nats"
    return {
        "name": "static_wi8_ai8",
        "weights": "int8, symmetric, per output channel"
        + (", in pairs that saturate nowhere" if quantized.is_pair_safe else ""),
        "activations": "uint8 grid, asymmetric, per tensor",
        "ranges": quantized.ranges_by,
        "rounding": quantized.rounding,
        "equalized": quantized.equalized,
        error: quantized.errors,
        "finetuning": finetuning,
    }


def _calibration(found: CalibrationReport | TensorReport) -> dict[str, Any]:
    plain: dict[str, Any] = to_plain(found)
    del plain["sha256"]  # stands beside it
    return {"summary": found.words, "convergence_summary": found.convergence and found.convergence.words, **plain}


def tool_versions() -> dict[str, str]:
    """Package -> version, of those that are installed."""
    found = {}
    for name in _TOOLS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
