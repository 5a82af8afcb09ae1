"""The range of a tensor on its 8-bit grid."""

from __future__ import annotations

from dataclasses import dataclass

#: Steps of an unsigned 8-bit tensor.
STEPS = 255


@dataclass(frozen=True)
class Range:
    """Real values ``low``..``high`` of a tensor stored as uint8: both ends and 0.0 lie on the grid.

    Attributes:
        scale: Real value of one step.
        zero_point: Stored value of 0.0, 0..255.
    """

    scale: float
    zero_point: int

    @property
    def low(self) -> float:
        """Real value of stored 0."""
        return -self.zero_point * self.scale

    @property
    def high(self) -> float:
        """Real value of stored 255."""
        return (STEPS - self.zero_point) * self.scale

    @classmethod
    def covering(cls, low: float, high: float) -> Range:
        """The grid for values seen between ``low`` and ``high``, widened to hold 0.0 and moved so that 0.0 is exact."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = (high - low) / STEPS
        # A tensor that is always (almost) zero: any grid holds it; an absurdly fine one would overflow int32 biases.
        scale = max(scale, 1e-6)
        return cls(scale, min(max(round(-low / scale), 0), STEPS))


#: Raw pixels: stored value = grey level.
PIXELS = Range(1.0, 0)

#: Grids that integer kernels demand for the outputs of these functions (TFLite's quantisation specification). One is
#: demanded for softmax too, 1/256: attention over 64 places has four steps left there, so softmax is done in float.
FIXED_RANGES = {"sigmoid": Range(1 / 256, 0), "tanh": Range(1 / 128, 128)}
