"""Do a board and this machine give the same answers?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Agreement:
    """One model's answers on a board beside those here.

    Attributes:
        steps: Largest difference in steps of 8 bits over the range of the answers here; 0 when every bit is the same.
        others: Inputs with another best class.
        identical: Whether every bit is the same.
    """

    steps: float
    others: int
    identical: bool

    @property
    def holds(self) -> bool:
        """What is asked of int8 models: bit-identical, or within one step and the same best classes."""
        return self.identical or (self.steps <= 1 and self.others == 0)

    @property
    def words(self) -> str:
        """For a table, e.g. "identical" or "0.031 steps"."""
        return "identical" if self.identical else f"{self.steps:.2g} steps"


def compare(here: NDArray[Any], there: NDArray[Any]) -> Agreement:
    """Answers (n, values) of the same inputs; what is not finite or of another shape never agrees."""
    if here.shape != there.shape or here.dtype != there.dtype or not np.isfinite(there).all():
        return Agreement(np.inf, len(here), False)
    difference = float(np.abs(there.astype(np.float64) - here).max())
    step = float(np.ptp(here)) / 255 or np.finfo(np.float32).tiny
    others = int((here.argmax(axis=1) != there.argmax(axis=1)).sum())
    return Agreement(difference / step, others, here.tobytes() == there.tobytes())
