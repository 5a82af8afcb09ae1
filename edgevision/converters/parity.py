"""Whether the exported files compute what the Keras models they came from compute."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.sqnr import sqnr_db
from edgevision.runtime.manifest import Artifact, Parity, Precision

Scored = NDArray[np.float32]

#: Least signal-to-noise ratio of an artifact against the Keras model it came from, decibel. Engines round 8-bit values
#: at slightly different places, float engines only add in another order. float16 is compared with the float model;
#: dynamic-int8 and int16x8 with the one whose weights alone are rounded, so what the engine does to activations is
#: part of their noise. On two trained CIFAR networks they came to 57-59, 45-55 and 36-46 dB; the limits lie 11 dB and
#: more below.
LIMITS_DB: dict[Precision, float] = {
    "int8": 25.0,
    "dynamic-int8": 25.0,
    "float32": 60.0,
    "float16": 40.0,
    "int16x8": 25.0,
}
#: An int8 file that stands further from its Keras model passes too if it is nearer that than that is to the float
#: model, as far from the float model, to within so many decibel, and right in every layer (``layers.faults``). Engines
#: decide one rounding in 100,000 differently, and a deep network trained briefly enlarges that from layer to layer up
#: to what 8 bits cost it anyway: files of EfficientNets stood at 13 to 25 dB beside a quantised model that stands at
#: 3 to 7 beside float, as they did to within 0.4.
SAME_NOISE_DB = 1.0


def compare(
    source: Scored, reference: Scored, outputs: Scored, precision: Precision, same: float, *, in_full: bool = False
) -> Parity:
    """How closely ``outputs`` follow ``reference``, both (samples, ...), with the ``same`` best class in that share.

    Args:
        source: Of the float model, (samples, ...).
        reference: Of the Keras model that was exported; of the float one ``source`` itself.
        outputs: Of the file.
        precision: Decides how much is asked.
        same: Share of samples with the same best class.
        in_full: See ``sqnr.sqnr_db``.
    """
    pairs = (reference, outputs), (source, reference), (source, outputs)
    ratio, model, file = (sqnr_db(exact, found, in_full=in_full) for exact, found in pairs)
    error = float(np.abs(reference - outputs).max())
    further = None if reference is source else model - file
    return Parity(len(outputs), ratio, error, same, holds(ratio, model, file, precision), further)


def holds(ratio_db: float, model_db: float, file_db: float, precision: Precision) -> bool:
    """Whether a file follows its Keras model: it answers like it, or differs within that model's own noise.

    Args:
        ratio_db: SQNR of the file against its Keras model.
        model_db: Of its Keras model against the float one.
        file_db: Of the file against the float model.
        precision: Of the file. Others than int8 have to answer alike.
    """
    is_within = 0 < model_db <= ratio_db and abs(model_db - file_db) <= SAME_NOISE_DB
    return ratio_db >= LIMITS_DB[precision] or (precision == "int8" and is_within)


def unsteady(artifacts: Iterable[Artifact]) -> list[str]:
    """A sentence for each that does not answer as its Keras model does though it has no more noise."""
    found = []
    for item in artifacts:
        parity = item.parity
        if parity is not None and parity.fault is not None:
            found.append(f"{item.name} is not the Keras model it was made from: it differs at {parity.fault}")
        elif parity is not None and parity.passed and parity.sqnr_db < LIMITS_DB[item.precision]:
            same = "" if parity.same_top1 is None else f" and gives {parity.same_top1:.1%} of its answers"
            found.append(
                f"{item.name} stands at {parity.sqnr_db:.0f} dB beside the Keras model it was made from{same}:"
                " the network enlarges every rounding; it is as far from float as that model is"
            )
    return found
