"""Fine-tuning as a stage of ``convert``: its options, its run, what the manifest says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgevision.converters.quantize.finetune import Finetuning, finetune
from edgevision.converters.quantize.observe import batch_size
from edgevision.converters.quantize.quantize import Quantized
from edgevision.converters.samples import Samples
from edgevision.converters.source import SourceModel
from edgevision.converters.training_samples import TrainingSamples
from edgevision.runtime.errors import InputError
from edgevision.runtime.manifest import to_plain

#: Bytes of one pass's activations; training keeps two to three times as much.
_BUDGET = 2**30


def check_finetuning(passes: int, data: str | Path | None, precisions: Sequence[str]) -> None:
    """Refuse options that cannot be meant.

    Raises:
        InputError: The number of passes is negative or no whole number, nothing is to be fine-tuned, or data is given
            for no fine-tuning.
    """
    if isinstance(passes, bool) or not isinstance(passes, int) or passes < 0:
        raise InputError("finetune is not usable", expected="a whole number of passes, 0 or more", got=repr(passes))
    if passes and "int8" not in precisions:
        raise InputError(
            "there is nothing to fine-tune: it trains the int8 model",
            expected="int8 among the precisions",
            got=", ".join(precisions),
            cure="leave --finetune out, or add int8 to --precision",
        )
    if data is not None and not passes:
        raise InputError(
            "images to fine-tune on are given, but no fine-tuning", got=str(data), cure="give --finetune 3 (finetune=3)"
        )


def fine_tuned(
    source: SourceModel,
    quantized: Quantized,
    data: Samples,
    training: TrainingSamples,
    passes: int,
    tell: Callable[[str], None],
) -> tuple[Quantized, dict[str, Any]]:
    """The quantised model after fine-tuning, or as it was, and what the manifest's provenance says of it.

    Args:
        source: The float model.
        quantized: What calibration made of it.
        data: Its choosing samples decide which pass is kept, if any.
        training: What to train on.
        passes: At most so many.
        tell: Called with a line before each pass.
    """
    size = batch_size(source.graph)
    unit = "of the signal is noise" if source.scores is None else "nats from float"
    quantized, found = finetune(
        source.graph,
        quantized,
        source.scores,
        training,
        lambda: data.calibration.choice.batches(size),
        passes,
        batch_size=batch_size(source.graph, _BUDGET),
        tell=lambda number, best: tell(f"fine-tuning, pass {number} of {passes} ({best:.2g} {unit})"),
    )
    return quantized, _record(training, found, passes)


def _record(training: TrainingSamples, found: Finetuning, passes: int) -> dict[str, Any]:
    taught = f"{training.labelled} with labels" if training.labelled else "distilled from the float model"
    plain: dict[str, Any] = to_plain(found)
    return {
        "summary": f"{len(training)} samples, {taught}; {found.words}",
        "images": len(training),
        "labelled": training.labelled,
        "sha256": training.sha256,
        "notes": list(training.notes),
        "asked": passes,
        **plain,
    }
