"""The sensitivity sweep: how much nearer to the float model each unit brings the quantised one when it is in float.

"Only this one in float" measures the gain itself, in the company it will have. The other way round, only this one in
int8, would miss that most errors are not made by a layer but at the grid between two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgevision.converters.quantize.macs import mac_shares
from edgevision.converters.quantize.mixed import effective, groups, units
from edgevision.converters.quantize.quantize import Quantized
from edgevision.converters.quantize.trials import Trials

#: Images that the sweep takes at most and, unless there are fewer, at least.
_MOST, _LEAST = 100, 16
#: What taking anything to float costs beside its multiply-accumulates, as a share of all: conversions to and fro.
_OVERHEAD = 0.01


@dataclass(frozen=True)
class Sensitivity:
    """What it brings to take some units to float, all else in int8.

    Attributes:
        units: Their names.
        gain: By how much the divergence from the float model falls, nats per image.
        macs: Their share of the multiply-accumulates, 0..1.
    """

    units: frozenset[str]
    gain: float
    macs: float

    @property
    def worth(self) -> float:
        """Gain for what it costs."""
        return self.gain / (self.macs + _OVERHEAD)


def candidates(quantized: Quantized) -> list[frozenset[str]]:
    """What there is to take to float: for every grid what meets at it, and every unit alone; what has an effect."""
    alone = [frozenset({head}) for head in units(quantized.graph)]
    found = (effective(quantized, each) for each in [*groups(quantized.graph), *alone])
    return [each for each in dict.fromkeys(found) if each]


def mac_share(quantized: Quantized, heads: frozenset[str]) -> float:
    """Share of the multiply-accumulates that some units do, 0..1."""
    parts, shares = units(quantized.graph), mac_shares(quantized.graph)
    return sum(shares[name] for head in heads for name in parts[head])


def sweep(
    trials: Trials, seconds: float, is_over: Callable[[], bool], tell: Callable[[int, int], None]
) -> list[Sensitivity]:
    """Measure every candidate; those that are worth most come first.

    Args:
        trials: To try with.
        seconds: About how long it may take; from this follows the number of images.
        is_over: Asked before each; when it says yes, what was measured so far has to do.
        tell: Called with (how many are done, of how many).
    """
    asked = candidates(trials.quantized)
    if not asked or is_over():
        return []
    images = _images(trials, seconds / (len(asked) + 2))
    base = trials.quick((), images).divergence
    found = []
    for number, heads in enumerate(asked):
        if is_over():
            break
        tell(number, len(asked))
        gain = base - trials.quick(heads, images).divergence
        found.append(Sensitivity(heads, gain, mac_share(trials.quantized, heads)))
    return sorted(found, key=lambda each: -each.worth)


def _images(trials: Trials, seconds: float) -> int:
    """Images for one trial of so many seconds. Powers of two, so that the next search finds what this one stored."""
    wanted = max(_LEAST, min(_MOST, seconds / trials.seconds_an_image()))
    rounded = next(number for number in (64, 32, _LEAST) if number <= wanted) if wanted < _MOST else _MOST
    return min(trials.images, rounded)
