"""edgevision: trained image-recognition models on small computers, quantised once and proven."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgevision.benchmarks.benchmark import benchmark as benchmark
    from edgevision.benchmarks.compare import compare as compare
    from edgevision.benchmarks.evaluate import evaluate as evaluate
    from edgevision.benchmarks.grid.run import benchmark_grid as benchmark_grid
    from edgevision.converters.convert import convert as convert
    from edgevision.runtime.predictor import load as load
    from edgevision.trainers.train import train as train

__version__ = "0.1.0"

# Resolved on first use, so that a device which only predicts never imports the rest.
_FACE = {
    "load": "edgevision.runtime.predictor",
    "convert": "edgevision.converters.convert",
    "train": "edgevision.trainers.train",
    "evaluate": "edgevision.benchmarks.evaluate",
    "benchmark": "edgevision.benchmarks.benchmark",
    "benchmark_grid": "edgevision.benchmarks.grid.run",
    "compare": "edgevision.benchmarks.compare",
}

__all__ = ["__version__", "benchmark", "benchmark_grid", "compare", "convert", "evaluate", "load", "train"]


def __getattr__(name: str) -> Any:
    if name in _FACE:
        return getattr(importlib.import_module(_FACE[name]), name)
    raise AttributeError(f"module 'edgevision' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
