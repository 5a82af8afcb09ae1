"""Whether calibration images look like the images that judge.

The rule: two sets look different in one of five ways (``image_facts.LOOKS``) when Smirnov's distance between their
distributions is at least 0.2, so that a fifth of the images would have to change, and is larger than chance alone
makes it once in 5,000 times, so that five comparisons cry wolf less than once in a thousand conversions. Only the
order of the values counts: a few odd images change nothing, and no unit has to be guessed.

Measured, 300 images of CIFAR-10 against 3,000 others of it, the largest of the five distances: 0.07 for a random
sample, 0.42 inverted, 0.42 with red and blue swapped, 0.99 without colour, 1.0 black, 0.99 handwritten digits, 0.42 at
0.8 of the brightness; one class alone gives 0.15 to 0.47. No warning in 2,240 draws of two random samples of 10 to
6,500 images. Black, colourless or other images are told from 10 images on, inverted ones from 60 (in 21 of 50 draws of
20).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgevision.benchmarks.statistics import smirnov_distance, smirnov_limit
from edgevision.converters.image_facts import LOOKS, ImageFacts

_LEAST = 0.2
_LEVEL = 0.001 / len(LOOKS)
#: An image whose grey levels spread less than this shows nothing.
_FLAT = 2.0


@dataclass(frozen=True)
class Difference:
    """One way in which two sets of images differ.

    Attributes:
        look: One of ``LOOKS``.
        distance: Smirnov's distance, 0..1.
        calibration: Median over calibration images, grey levels.
        evaluation: Median over the others.
    """

    look: str
    distance: float
    calibration: float
    evaluation: float


def differences(calibration: Sequence[ImageFacts], evaluation: Sequence[ImageFacts]) -> tuple[Difference, ...]:
    """Every way in which the two sets look different by the rule above; the largest first."""
    ours, theirs = (np.array([facts.looks for facts in each]) for each in (calibration, evaluation))
    least = max(_LEAST, smirnov_limit(len(ours), len(theirs), _LEVEL))
    found = []
    for look, a, b in zip(LOOKS, ours.T, theirs.T):
        distance = smirnov_distance(a, b)
        if distance > least:
            found.append(Difference(look, distance, float(np.median(a)), float(np.median(b))))
    return tuple(sorted(found, key=lambda each: -each.distance))


def resemblance_warnings(calibration: Sequence[ImageFacts], evaluation: Sequence[ImageFacts] | None) -> list[str]:
    """What is odd about the calibration images, in sentences without their full stop.

    Args:
        calibration: Facts of the images that set ranges and chose.
        evaluation: Facts of the images that judge; None when they were drawn from the same.
    """
    count, distinct = len(calibration), len({facts.digest for facts in calibration})
    flat = sum(facts.looks[LOOKS.index("contrast")] < _FLAT for facts in calibration)
    found = []
    if 2 * distinct < count:
        found.append(f"only {distinct} of {count} calibration images are different")
    if 2 * flat > count:
        found.append(f"{flat} of {count} calibration images are of one even colour")
    unlike = differences(calibration, evaluation) if evaluation else ()
    if unlike:
        how = ", ".join(f"{each.look} {each.calibration:.0f} against {each.evaluation:.0f}" for each in unlike)
        found.append(f"calibration images do not look like the evaluation images (medians: {how} grey levels)")
    return found
