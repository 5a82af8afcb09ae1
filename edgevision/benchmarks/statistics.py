"""Intervals and percentiles with known properties; nothing here assumes a normal distribution.

All intervals are two-sided. Accuracy: Wilson's score interval for one artifact, Tango's score interval and McNemar's
test for two artifacts on the same images. Latency: what a sample supports, and its change over time; intervals of
medians by order statistics, where values are independent (else ``resampling``). Whether two samples look alike:
Smirnov's distance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgevision.runtime.errors import InputError

#: 97.5 % quantile of the normal distribution: what makes a score interval a 95 % one.
Z95 = 1.959963984540054

#: Observations that must lie beyond a percentile before it is printed.
SUPPORT = 10

#: Nobody gathers more images to settle one question.
MOST_IMAGES = 1_000_000


class Estimate(NamedTuple):
    """A value with its interval, all three in the same unit."""

    value: float
    low: float
    high: float


def wilson_interval(k: int, n: int) -> tuple[float, float]:
    """95 % interval of a proportion, 0..1, for ``k`` hits in ``n`` independent trials.

    Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference,
    J. Am. Stat. Assoc. 22, 209-212. Stays inside 0..1 and is not empty for k = 0 or k = n.

    Raises:
        InputError: ``n`` is not positive or ``k`` is not in 0..n.
    """
    if n < 1 or not 0 <= k <= n:
        raise InputError("a proportion needs hits out of trials", expected="0 <= k <= n, n >= 1", got=f"k={k}, n={n}")
    share, z2 = k / n, Z95 * Z95
    center = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return (0.0 if k == 0 else max(0.0, center - half), 1.0 if k == n else min(1.0, center + half))


def paired_interval(a_correct: ArrayLike, b_correct: ArrayLike, confidence: float = 0.95) -> Estimate:
    """How much more often ``b`` is right than ``a`` on the same images: points (percent), with its interval.

    The score interval of Tango, T. (1998), Equivalence test and confidence interval for the difference in
    proportions for the paired-sample design, Stat. Med. 17, 891-908. Only images that exactly one of the two
    gets right move the value. Without any such image the interval is still not empty: n images that agree do
    not prove that all would; its half-width is then z²/(n + z²), near the exact 1 - 0.025^(1/n). (Newcombe's
    square-and-add interval of the same year shrinks to about half of that there, so a gate built on it would
    promise too much for just the models that agree best.)

    Args:
        a_correct: bool (n,), whether ``a`` (the reference) is right, per image.
        b_correct: bool (n,), whether ``b`` is right, for the same images in the same order.
        confidence: Of the interval, 0..1.

    Returns:
        (difference, low, high) in points, -100..100; negative when ``b`` is worse.

    Raises:
        InputError: The arrays are not one-dimensional, of the same length and at least one image long.
    """
    gains, losses, n = discordant(a_correct, b_correct)
    z = Z95 if confidence == 0.95 else NormalDist().inv_cdf((1 + confidence) / 2)
    low, high = -_tango_upper(losses, gains, n, z), _tango_upper(gains, losses, n, z)
    return Estimate(100 * (gains - losses) / n, 100 * low, 100 * high)


def discordant(a_correct: ArrayLike, b_correct: ArrayLike) -> tuple[int, int, int]:
    """(images only ``b`` gets right, images only ``a`` gets right, images).

    Raises:
        InputError: The arrays are not one-dimensional, of the same length and at least one image long.
    """
    a, b = np.asarray(a_correct, dtype=bool), np.asarray(b_correct, dtype=bool)
    if a.ndim != 1 or a.shape != b.shape or not a.size:
        shapes = f"{a.shape} and {b.shape}"
        raise InputError("paired results do not match", expected="two arrays (n,), n >= 1", got=shapes)
    return int((b & ~a).sum()), int((a & ~b).sum()), a.size


def _tango_upper(gains: float, losses: float, n: float, z: float = Z95) -> float:
    """The largest difference, -1..1, that the score test does not reject (5 %, two-sided); counts may be broken."""
    low, high = (gains - losses) / n, 1.0
    # The standardised distance grows with the difference, so halving finds the limit to the last bit.
    for _ in range(60):
        middle = (low + high) / 2
        if n * middle - (gains - losses) < z * math.sqrt(n * _tango_variance(middle, gains, losses, n)):
            low = middle
        else:
            high = middle
    return high


def _tango_variance(difference: float, gains: float, losses: float, n: float) -> float:
    """Variance of one pair's difference when ``difference`` is true, other rates at maximum likelihood."""
    b = (2 * n - gains + losses) * difference - gains - losses
    c = -losses * difference * (1 - difference)
    loss_rate = (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
    return max(0.0, 2 * loss_rate + difference * (1 - difference))


def images_to_tell(gains: int, losses: int, n: int, margin: float) -> int | None:
    """How many images the paired interval needs to lie above ``-margin``, if gains and losses stay as frequent.

    The counts are scaled up until Tango's lower limit clears the margin, so the answer belongs to the very interval
    that will judge. It is a plan, not a promise: rates vary, and with just so many images the verdict falls about as
    often one way as the other when the true difference is the one seen. Rounded up to two digits.

    Args:
        gains: Images that only the judged one gets right.
        losses: Images that only the reference gets right.
        n: Images seen.
        margin: Allowed loss in points (percent).

    Returns:
        None when the loss seen is not within the margin, or when more than ``MOST_IMAGES`` would be needed.
    """

    def is_enough(images: float) -> bool:
        factor = images / n
        return -100 * _tango_upper(losses * factor, gains * factor, images) > -margin

    if 100 * (gains - losses) / n <= -margin or not is_enough(MOST_IMAGES):
        return None
    low, high = 1.0, float(MOST_IMAGES)
    while high - low > 0.5:
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    unit: int = 10 ** max(0, math.floor(math.log10(high)) - 1)
    return math.ceil(high / unit) * unit


def mcnemar(a_correct: ArrayLike, b_correct: ArrayLike) -> float:
    """McNemar's test, mid-p: how surprising the images that only one gets right are if both are equally good.

    Under equality each such image is a fair coin, so their split is binomial, exactly; the mid-p value counts the
    observed split half. Fagerland, M. W., Lydersen, S., Laake, P. (2013), The McNemar test for binary matched-pairs
    data: mid-p and asymptotic are better than exact conditional, BMC Med. Res. Methodol. 13, 91. Without mid-p the
    exact test rejects far less often than its level says. An even split gives 1, as does the exact test (the paper
    takes half the probability of the split off there); no such image gives 1 too.

    Args:
        a_correct: bool (n,), whether ``a`` is right, per image.
        b_correct: bool (n,), whether ``b`` is right, for the same images in the same order.

    Returns:
        Two-sided p-value, 0..1.

    Raises:
        InputError: As ``paired_interval``.
    """
    gains, losses, _ = discordant(a_correct, b_correct)
    n, fewer = gains + losses, min(gains, losses)
    if gains == losses:
        return 1.0
    logs = [_log_fair(k, n) for k in range(fewer + 1)]
    return min(1.0, 2 * sum(map(math.exp, logs)) - math.exp(logs[-1]))


def _log_fair(k: int, n: int) -> float:
    """Logarithm of the probability of k heads in n throws of a fair coin."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)


def smirnov_distance(a: ArrayLike, b: ArrayLike) -> float:
    """The largest gap between the distribution functions of two samples, 0..1.

    Only the order of the values counts, so outliers weigh no more than others and units do not matter.

    Args:
        a: (n,) numbers.
        b: (m,) numbers of the same unit.
    """
    first, second = (np.sort(np.asarray(values, dtype=np.float64)) for values in (a, b))
    places = np.concatenate([first, second])
    below = [np.searchsorted(values, places, side="right") / values.size for values in (first, second)]
    return float(np.abs(below[0] - below[1]).max())


def smirnov_limit(n: int, m: int, level: float) -> float:
    """What ``smirnov_distance`` of two samples of one population exceeds in at most ``level`` of all cases.

    Smirnov, N. (1948), Table for estimating the goodness of fit of empirical distributions, Ann. Math. Stat. 19,
    279-281, by the first term of the series: it errs on the safe side, ties do too.
    """
    return math.sqrt(-math.log(level / 2) / 2 * (n + m) / (n * m))


def is_supported(p: float, n: int) -> bool:
    """Whether ``n`` values support the percentile ``p`` (0..1): at least ten of them lie beyond it on either side."""
    return n * min(p, 1 - p) >= SUPPORT - 1e-9


def percentiles(values: ArrayLike, ps: Sequence[float] = (0.5, 0.9, 0.99)) -> dict[str, float]:
    """The percentiles that the sample supports, e.g. {"p50": ..., "p90": ...}; the others are left out.

    Args:
        values: (n,) numbers of any unit.
        ps: Quantiles, 0..1 exclusive.
    """
    data = np.asarray(values, dtype=np.float64)
    return {f"p{100 * p:g}": float(np.quantile(data, p)) for p in ps if is_supported(p, data.size)}


@dataclass(frozen=True)
class Description:
    """A sample in numbers, all of its unit; None for what it does not support (``is_supported``).

    Attributes:
        n: How many values.
        iqr: Between the first and the third quartile.
        p90_bound: MLPerf's early-stopping estimate, see ``early_stopping``.
    """

    n: int
    min: float
    mean: float
    max: float
    iqr: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    p90_bound: float | None


def described(values: ArrayLike) -> Description:
    """What a sample supports; every value counts, whatever it is.

    Args:
        values: (n,) numbers of any unit, n >= 1.
    """
    data = np.asarray(values, dtype=np.float64)
    known = percentiles(data, (0.25, 0.5, 0.75, 0.9, 0.95, 0.99))
    iqr = known["p75"] - known["p25"] if {"p25", "p75"} <= set(known) else None
    return Description(
        n=data.size,
        min=float(data.min()),
        mean=float(data.mean()),
        max=float(data.max()),
        iqr=iqr,
        p50=known.get("p50"),
        p90=known.get("p90"),
        p95=known.get("p95"),
        p99=known.get("p99"),
        p90_bound=early_stopping(data),
    )


def early_stopping(values: ArrayLike, p: float = 0.9, confidence: float = 0.99) -> float | None:
    """A value that the percentile ``p`` does not exceed with ``confidence``, as MLPerf estimates it in few queries.

    MLPerf Inference Rules, appendix "Early Stopping Criterion" (https://github.com/mlcommons/inference_policies): of n
    queries the t slowest may be over, t the largest number for which n queries of a system whose percentile is worse
    would have so few with probability 1 - ``confidence`` at most; the t-th slowest is the estimate. The bound is
    binomial and takes runs as independent.

    Returns:
        None when there are too few values (fewer than 64 for p90).
    """
    data = np.sort(np.asarray(values, dtype=np.float64))
    n, over = data.size, 1 - p
    k = np.arange(math.floor(n * over) + 1)  # the bound lies below the expected number
    steps = np.log((n - k) / (k + 1)) + math.log(over / p)
    logs = n * math.log(p) + np.concatenate([[0.0], np.cumsum(steps[:-1])])
    allowed = int(np.count_nonzero(np.cumsum(np.exp(logs)) <= 1 - confidence)) - 1
    return float(data[n - allowed]) if allowed >= 1 else None


def student_quantile(p: float, freedom: int) -> float:
    """Quantile of Student's t distribution: the finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4, inverted.

    Args:
        p: 0.5 to 1, exclusive.
        freedom: Degrees of freedom, at least 1.
    """
    low, high = 0.0, math.pi / 2  # of the angle atan(t / sqrt(freedom))
    for _ in range(60):
        angle = (low + high) / 2
        low, high = (angle, high) if _student(angle, freedom) < 2 * p - 1 else (low, angle)
    return math.sqrt(freedom) * math.tan((low + high) / 2)


def _student(angle: float, freedom: int) -> float:
    """Probability that t lies within plus or minus sqrt(freedom) * tan(angle)."""
    sine, square, odd = math.sin(angle), math.cos(angle) ** 2, freedom % 2
    term, total = (math.cos(angle), 0.0) if odd else (1.0, 0.0)
    for step in range(freedom // 2):
        total += term
        term *= square * (2 * step + 1 + odd) / (2 * step + 2 + odd)
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


class Trend(NamedTuple):
    """How values changed over time.

    Attributes:
        change: From the first to the last, as a share: 0.1 is 10 % more.
        z: Kendall's statistic in standard deviations: how far from what a random order gives.
    """

    change: float
    z: float


def trend(values: ArrayLike, times: ArrayLike, groups: Sequence[int] | None = None) -> Trend:
    """The change over time by Theil and Sen (Sen, J. Am. Stat. Assoc. 63, 1968), which outliers do not move.

    Args:
        values: (n,) positive numbers, n >= 2.
        times: (n,) when each was taken, ascending.
        groups: (n,) numbers; only pairs within a group are compared, and the change is that of one group's time.
    """
    logs, when = np.log(np.asarray(values, np.float64)), np.asarray(times, np.float64)
    names = np.zeros(logs.size, int) if groups is None else np.asarray(groups)
    first, second = np.triu_indices(logs.size, 1)
    together = (names[first] == names[second]) & (when[second] > when[first])
    first, second = first[together], second[together]
    if not first.size:
        return Trend(0.0, 0.0)
    slope = float(np.median((logs[second] - logs[first]) / (when[second] - when[first])))
    sizes = np.unique(names, return_counts=True)[1]
    variance = float(np.sum(sizes * (sizes - 1) * (2 * sizes + 5))) / 18
    length = float(np.median([np.ptp(when[names == name]) for name in np.unique(names)]))
    z = float(np.sum(np.sign(logs[second] - logs[first]))) / math.sqrt(variance)
    return Trend(math.expm1(min(slope * length, 50.0)), z)


def median_interval(values: ArrayLike, confidence: float = 0.95) -> Estimate | None:
    """The median with a distribution-free interval: two order statistics (the sign test inverted).

    The interval holds at least ``confidence`` for independent values of any continuous distribution
    (David and Nagaraja, Order Statistics, 3rd ed., section 7.1).

    Returns:
        None when even the smallest and largest value do not enclose the median so often
        (fewer than 6 values at 95 %).
    """
    data = np.sort(np.asarray(values, dtype=np.float64))
    rank = _sign_test_rank(data.size, (1 - confidence) / 2)
    if rank == 0:
        return None
    return Estimate(float(np.median(data)), float(data[rank - 1]), float(data[data.size - rank]))


def _sign_test_rank(n: int, tail: float) -> int:
    """Largest r with P(Binomial(n, 1/2) < r) <= ``tail``; 0 when there is none."""
    rank, below = 0, 0.0
    while 2 * rank < n:
        below += math.exp(_log_fair(rank, n))
        if below > tail:
            break
        rank += 1
    return rank


def ratio_interval(numerator: ArrayLike, denominator: ArrayLike, confidence: float = 0.95) -> Estimate | None:
    """How many times larger ``numerator`` is than ``denominator``, from values taken in pairs.

    Pairs are rounds: both artifacts measured one right after the other, each value the median latency of its
    block. A machine that slows down for a while slows both, and the ratio stays. The value is the median of the
    per-round ratios, the interval that of ``median_interval``.

    Args:
        numerator: (rounds,) positive numbers.
        denominator: (rounds,) positive numbers of the same unit, in the same order.

    Returns:
        None when there are too few rounds for the confidence asked.

    Raises:
        InputError: The lengths differ.
    """
    top, bottom = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    if top.shape != bottom.shape:
        raise InputError("a ratio needs values in pairs", expected=f"{top.size} values", got=str(bottom.size))
    ratios: NDArray[np.float64] = top / bottom
    return median_interval(ratios, confidence)
