"""Whether the exported files compute what the Keras models they came from compute."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from edgevision.converters.sqnr import Scored, sqnr_db
from edgevision.runtime.manifest import Artifact, Parity, Precision

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
    return Parity(len(outputs), ratio, error, same, ratio >= LIMITS_DB[precision], further)


def unsteady(artifacts: Iterable[Artifact]) -> list[str]:
    """A sentence for each int8 file below its limit: which layer is wrong, or that none is."""
    found = []
    for item in artifacts:
        parity = item.parity
        if parity is None or parity.passed or item.precision != "int8":
            continue
        if parity.fault is not None:
            found.append(f"{item.name} is not the Keras model it was made from: it differs at {parity.fault}")
        else:
            found.append(
                f"{item.name} stands at {parity.sqnr_db:.0f} dB beside the Keras model it was made from, though each"
                " of its layers alone computes what that model's does: the network enlarges every rounding"
            )
    return found
