"""From a trained file to a bundle that was checked and measured: what ``train(..., to=...)`` and the demo go on to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgevision.runtime.errors import ConversionError
from edgevision.trainers.examples import Examples, Progress

if TYPE_CHECKING:
    from edgevision.benchmarks.report import Report
    from edgevision.runtime.bundle import Bundle

#: Examples and bytes of pixels that are handed on to the conversion, at most.
_MOST, _MOST_BYTES = 5_000, 256 << 20


def deploy(
    model: Path,
    calibration: str,
    judging: str | None,
    to: Path,
    force: bool,
    progress: Progress,
    measured: str | None = None,
) -> tuple[Bundle, Report]:
    """Convert, verify and take a quick measurement.

    Args:
        model: The .keras file.
        calibration: Data as ``convert`` takes it.
        judging: Labelled data for the gate; None leaves it to calibration data that nothing else used.
        to: The bundle to write.
        force: Replace a bundle there.
        progress: Called with (stage, done, total).
        measured: Data whose images the measurement is taken on; None takes the bundle's golden inputs.

    Raises:
        ConversionError: The fresh bundle does not repeat its own golden outputs.
        EdgevisionError: What ``convert``, ``verify`` and ``benchmark`` raise.
    """
    from edgevision.benchmarks.benchmark import benchmark
    from edgevision.benchmarks.verify import verify
    from edgevision.converters.convert import convert

    bundle = convert(model, calibration, to, evaluate=judging, force=force, progress=progress)
    found = verify(bundle.path, progress=progress)
    if not found.passed:
        failed = ", ".join(check.artifact for check in found.checks if not check.passed)
        raise ConversionError(f"{to} does not repeat its golden outputs", got=failed, cure="run edgevision doctor")
    return bundle, benchmark(bundle.path, measured, progress=progress, quick=True)


def write_npz(path: Path, examples: Examples) -> str:
    """Images with a class each as ``open_dataset`` reads them, spread evenly over the examples if they are too many.

    The pixels have the input's size, so that the device's resize leaves them as they are.

    Returns:
        ``path``.
    """
    first = examples[0]
    count = max(1, min(len(examples), _MOST, _MOST_BYTES // first.pixels.nbytes))
    found = [examples[int(index)] for index in np.linspace(0, len(examples) - 1, count).round()]
    labels = [int(example.label.argmax()) for example in found if example.label is not None]
    images = np.stack([example.pixels for example in found])
    np.savez(path, images=images, labels=np.array(labels, np.int64), label_names=np.array(examples.labels))
    return str(path)
