"""The statistics, against published tables, scipy and brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, stats  # type: ignore[import-untyped, unused-ignore]

from edgevision.benchmarks import statistics as st
from edgevision.runtime.errors import InputError


def pairs(both: int, only_a: int, only_b: int, none: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    a = [1] * both + [1] * only_a + [0] * only_b + [0] * none
    b = [1] * both + [0] * only_a + [1] * only_b + [0] * none
    return np.array(a, bool), np.array(b, bool)


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 30), (30, 30), (870, 1000), (3, 7), (1, 100_000)])
def test_wilson_is_scipys(k: int, n: int) -> None:
    expected = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert st.wilson_interval(k, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_proportion(k: int, n: int) -> None:
    with pytest.raises(InputError, match=f"k={k}, n={n}"):
        st.wilson_interval(k, n)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        # Fagerland, Lydersen, Laake (2014), Recommended tests and confidence intervals for paired binomial
        # proportions, Stat. Med. 33: airway hyper-responsiveness (1, 1, 7, 12) and complete response (59, 6, 16, 80).
        # Their difference is first minus second, ours second minus first.
        ((1, 1, 7, 12), (28.57, 2.6, 51.7)),
        ((59, 6, 16, 80), (6.21, 0.54, 12.40)),
    ],
)
def test_paired_interval_is_the_published_one(
    table: tuple[int, int, int, int], expected: tuple[float, float, float]
) -> None:
    assert st.paired_interval(*pairs(*table)) == pytest.approx(expected, abs=0.05)


def score_distance(difference: float, gains: int, losses: int, n: int) -> float:
    """The score statistic, its nuisance rate found by maximising the likelihood numerically."""
    same = n - gains - losses

    def loss(q: float) -> float:
        rates = np.array([q + difference, q, 1 - 2 * q - difference])
        counts = np.array([gains, losses, same])
        return float(-np.sum(counts[counts > 0] * np.log(np.maximum(rates[counts > 0], 1e-300))))

    bounds = (max(0.0, -difference), (1 - difference) / 2)
    q = float(optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x)
    return float(n * difference - (gains - losses)) / float(np.sqrt(n * (2 * q + difference - difference**2)))


@pytest.mark.parametrize(("gains", "losses", "n"), [(3, 9, 100), (0, 4, 50), (5, 0, 1000), (12, 12, 40)])
def test_paired_limits_are_where_the_score_test_turns(gains: int, losses: int, n: int) -> None:
    result = st.paired_interval(*pairs(n - gains - losses, losses, gains, 0))
    assert score_distance(result.high / 100, gains, losses, n) == pytest.approx(st.Z95, abs=2e-3)
    assert score_distance(result.low / 100, gains, losses, n) == pytest.approx(-st.Z95, abs=2e-3)


@pytest.mark.parametrize("n", [1, 2, 10, 1000, 10_000])
def test_no_discordant_pair_is_no_proof_of_equality(n: int) -> None:
    result = st.paired_interval(np.ones(n), np.ones(n))
    half = 100 * st.Z95**2 / (n + st.Z95**2)
    assert result == pytest.approx((0, -half, half), abs=1e-9)
    assert st.paired_interval(np.zeros(n), np.zeros(n)) == result


def test_paired_interval_at_the_ends() -> None:
    assert st.paired_interval([1, 1, 1], [0, 0, 0])[:2] == (-100, -100)
    assert st.paired_interval([0, 0, 0], [1, 1, 1])[::2] == (100, 100)
    assert st.paired_interval([True], [False]).high < 100


def test_paired_interval_holds_its_value_and_mirrors() -> None:
    for both, only_a, only_b, none in itertools.product((0, 3, 50), repeat=4):
        if both + only_a + only_b + none == 0:
            continue
        a, b = pairs(both, only_a, only_b, none)
        value, low, high = st.paired_interval(a, b)
        assert -100 <= low <= value <= high <= 100
        assert st.paired_interval(b, a) == pytest.approx((-value, -high, -low), abs=1e-9)


def test_paired_interval_covers_the_truth_95_times_in_100() -> None:
    # Exact coverage for n = 200 images by summing over every outcome near the truth.
    n, gain, loss = 200, 0.03, 0.05
    g, losses = np.meshgrid(np.arange(25), np.arange(30), indexing="ij")
    weights = stats.multinomial.pmf(np.stack([g, losses, n - g - losses], -1), n, [gain, loss, 1 - gain - loss])
    inside = 0.0
    for x, y in np.ndindex(g.shape):
        low, high = -st._tango_upper(y, x, n), st._tango_upper(x, y, n)
        inside += float(weights[x, y]) * (low <= gain - loss <= high)
    assert 0.94 < inside < 0.965


@pytest.mark.parametrize(("a", "b"), [([], []), ([1, 0], [1]), ([[1]], [[1]])])
def test_paired_interval_refuses_what_is_not_paired(a: list[int], b: list[int]) -> None:
    with pytest.raises(InputError, match="paired results"):
        st.paired_interval(a, b)


@pytest.mark.parametrize(
    ("table", "expected"),
    # The two tables of Fagerland, Lydersen and Laake again (2013, mid-p): 0.039 and 0.035 where the exact test
    # has 0.070 and 0.053.
    [((1, 1, 7, 12), 0.039), ((59, 6, 16, 80), 0.035)],
)
def test_mcnemar_is_the_published_one(table: tuple[int, int, int, int], expected: float) -> None:
    assert st.mcnemar(*pairs(*table)) == pytest.approx(expected, abs=0.0005)


@pytest.mark.parametrize(("gains", "losses"), [(0, 1), (0, 6), (3, 9), (40, 25), (500, 400), (4000, 4400)])
def test_mcnemar_is_the_exact_test_less_half_the_split_seen(gains: int, losses: int) -> None:
    n = gains + losses
    exact = stats.binomtest(gains, n, 0.5).pvalue
    half = stats.binom.pmf(gains, n, 0.5)
    assert st.mcnemar(*pairs(5, losses, gains, 5)) == pytest.approx(exact - half, rel=1e-6)
    assert st.mcnemar(*pairs(5, gains, losses, 5)) == st.mcnemar(*pairs(5, losses, gains, 5))


@pytest.mark.parametrize("each", [0, 1, 7, 300])
def test_mcnemar_finds_nothing_in_an_even_split(each: int) -> None:
    assert st.mcnemar(*pairs(2, each, each, 2)) == 1


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.1, 0.3])
def test_mcnemar_holds_its_level(rate: float) -> None:
    # Exact, over every outcome of 200 images: equally good, how often p <= 5 %? Not so for one number of unequal
    # images taken alone, where mid-p may pass its level by a half step.
    found = 0.0
    for unequal in range(1, 121):
        values = [st.mcnemar(*pairs(0, k, unequal - k, 0)) for k in range(unequal + 1)]
        rejected = sum(stats.binom.pmf(k, unequal, 0.5) for k, value in enumerate(values) if value <= 0.05)
        found += float(stats.binom.pmf(unequal, 200, rate) * rejected)
    assert found <= 0.0505


@pytest.mark.parametrize(
    ("gains", "losses", "n", "margin"), [(0, 0, 300, 1.0), (3, 4, 300, 1.0), (0, 0, 50, 2.0), (10, 12, 400, 2.0)]
)
def test_images_to_tell_are_just_enough(gains: int, losses: int, n: int, margin: float) -> None:
    needed = st.images_to_tell(gains, losses, n, margin)
    assert needed is not None

    def low(images: float) -> float:
        return -100 * st._tango_upper(losses * images / n, gains * images / n, images)

    assert low(needed) > -margin >= low(0.9 * needed)
    assert len(str(needed).rstrip("0")) <= 2


def test_images_to_tell_without_any_difference_follows_the_formula() -> None:
    # Half-width z^2 / (n + z^2) below one point: more than 99 z^2 = 380.3 images.
    assert st.images_to_tell(0, 0, 10, 1.0) == 390


@pytest.mark.parametrize(("gains", "losses", "n", "margin"), [(0, 3, 300, 1.0), (0, 9, 300, 1.0), (5, 5, 100, 0.0)])
def test_no_number_of_images_helps_what_is_not_within_the_margin(
    gains: int, losses: int, n: int, margin: float
) -> None:
    assert st.images_to_tell(gains, losses, n, margin) is None


def test_smirnov_distance_and_limit_are_scipys() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=120), random.normal(0.5, 2, 300)
    found = stats.ks_2samp(a, b, method="asymp")
    assert st.smirnov_distance(a, b) == pytest.approx(found.statistic)
    assert st.smirnov_distance(b, a) == st.smirnov_distance(a, b)
    assert st.smirnov_distance(np.zeros(4), np.zeros(9)) == 0 and st.smirnov_distance([0.0], [1.0]) == 1
    limit = st.smirnov_limit(120, 300, 0.01)
    assert stats.kstwobign.sf(limit * np.sqrt(120 * 300 / 420)) == pytest.approx(0.01, rel=1e-3)


def test_smirnov_limit_is_rarely_passed_by_chance() -> None:
    random = np.random.default_rng(1)
    limit = st.smirnov_limit(40, 90, 0.05)
    passed = [st.smirnov_distance(random.integers(0, 9, 40), random.integers(0, 9, 90)) > limit for _ in range(400)]
    assert np.mean(passed) <= 0.05


@pytest.mark.parametrize(
    ("n", "names"), [(19, []), (20, ["p50"]), (99, ["p50"]), (200, ["p50", "p90"]), (1000, ["p50", "p90", "p99"])]
)
def test_only_supported_percentiles_are_given(n: int, names: list[str]) -> None:
    values = np.arange(n, dtype=float)
    assert st.percentiles(values) == {name: pytest.approx(np.percentile(values, float(name[1:]))) for name in names}


def test_low_percentiles_need_support_too() -> None:
    assert not st.is_supported(0.01, 200)
    assert st.is_supported(0.1, 100)


@pytest.mark.parametrize("n", [40, 64, 100, 1000, 5000])
def test_early_stopping_is_the_binomial_bound(n: int) -> None:
    bound = st.early_stopping(np.random.default_rng(n).permutation(n).astype(float))
    allowed = int(stats.binom.ppf(0.01, n, 0.1))
    allowed -= stats.binom.cdf(allowed, n, 0.1) > 0.01
    assert bound == (n - allowed if allowed >= 1 else None)


def test_early_stopping_needs_as_many_queries_as_mlperf() -> None:
    for p, least in ((0.9, 64), (0.99, 662)):
        assert st.early_stopping(np.ones(least - 1), p) is None
        assert st.early_stopping(np.ones(least), p) == 1


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 19, 99])
def test_students_quantile_is_scipys(freedom: int) -> None:
    for p in (0.6, 0.975, 0.9995):
        assert st.student_quantile(p, freedom) == pytest.approx(stats.t.ppf(p, freedom), rel=1e-9)


def test_a_description_leaves_out_what_it_cannot_support() -> None:
    few, many = st.described(np.arange(50.0)), st.described(np.append(np.arange(999.0), 1e9))
    assert (few.n, few.min, few.mean, few.max, few.iqr, few.p50) == (50, 0, 24.5, 49, 24.5, 24.5)
    assert few.p90 is few.p95 is few.p99 is few.p90_bound is None
    assert many.max == 1e9 and many.mean > 1e6, "an outlier counts"
    assert many.p99 is not None and many.p95 == pytest.approx(949.05)
    assert st.described(np.arange(39.0)).iqr is None


def test_trend_is_scipys_slope_and_tau() -> None:
    random = np.random.default_rng(3)
    when = np.sort(random.uniform(0, 9, 40))
    values = np.exp(0.01 * when + random.normal(0, 0.02, 40))
    found = st.trend(values, when)
    slope = stats.theilslopes(np.log(values), when).slope
    assert found.change == pytest.approx(np.expm1(slope * np.ptp(when)))
    tau = stats.kendalltau(when, values, method="asymptotic")
    assert 2 * stats.norm.sf(abs(found.z)) == pytest.approx(tau.pvalue)


def test_trend_within_groups_sees_what_repeats_in_each() -> None:
    values, groups = np.tile(np.linspace(1, 1.1, 10), 5), [i for i in range(5) for _ in range(10)]
    assert st.trend(values, np.arange(50.0), groups).change == pytest.approx(0.1, abs=0.01)
    assert abs(st.trend(values, np.arange(50.0)).z) < 3
    assert st.trend([1.0, 2.0], [0.0, 1.0], [0, 1]) == (0, 0)


@pytest.mark.parametrize("n", [0, 1, 5, 6, 7, 20, 101, 2000])
def test_median_interval_is_the_exact_sign_interval(n: int) -> None:
    values = np.random.default_rng(n).permutation(n).astype(float)
    result = st.median_interval(values)
    rank = int(stats.binom.ppf(0.025, n, 0.5)) if n else 0
    rank += stats.binom.cdf(rank, n, 0.5) <= 0.025 if n else 0
    assert result == ((np.median(values), rank - 1, n - rank) if rank else None)
    assert (result is None) == (n < 6)
    assert rank == 0 or 1 - 2 * stats.binom.cdf(rank - 1, n, 0.5) >= 0.95


def test_a_ratio_needs_pairs_and_survives_a_slow_phase() -> None:
    slow_phase = np.repeat([1.0, 3.0], 10)
    assert st.ratio_interval(2 * slow_phase, slow_phase) == (2, 2, 2)
    assert st.ratio_interval([1, 2], [1, 2]) is None
    with pytest.raises(InputError, match="in pairs"):
        st.ratio_interval([1, 2], [1])
