"""Effect sizes: published examples, scipy's noncentral t, and the coverage of their intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rothamsted.statistics.effects import cohens_d, probability_better

# Student (1908), Biometrika 6(1): hours of sleep gained by ten patients with each of two drugs (R's data set `sleep`).
SLEEP_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
SLEEP_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])

SAMPLES = st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=8).map(np.array)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("z", -1.284558),  # the published paired t, -4.062128, over sqrt(10)
        ("pooled", -0.832181),  # the published two-sample t, -1.860813, over sqrt(5)
        ("av", -0.832181),  # samples of one size: the pooled sd is the root mean square of the two
    ],
)
def test_cohens_d_of_the_sleep_data_follows_from_its_published_t(kind: str, expected: float) -> None:
    assert cohens_d(SLEEP_1, SLEEP_2, kind=kind).estimate == pytest.approx(expected, abs=2e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "df", "root_n"), [("z", 9, math.sqrt(10)), ("pooled", 18, math.sqrt(5))])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_the_limits_put_the_observed_t_at_the_tails_of_scipys_noncentral_t(
    kind: str, df: int, root_n: float, level: float
) -> None:
    # Definition of the interval (Steiger & Fouladi 1997); scipy.stats.nct is the authority for the distribution.
    effect = cohens_d(SLEEP_1, SLEEP_2, kind=kind, level=level)  # type: ignore[arg-type]
    tails = stats.nct.cdf(effect.estimate * root_n, df, np.array([effect.low, effect.high]) * root_n)
    assert tails == pytest.approx([(1 + level) / 2, (1 - level) / 2], abs=1e-9)


def test_the_limits_join_where_the_approximation_for_huge_effects_takes_over() -> None:
    # Limits over estimate hardly move near t = 1000; the approximation is off by 2e-5 there, and less above.
    ratios = []
    for t in (999.0, 1001.0):
        differences = np.array([-1.0, 0.0, 1.0]) + t / math.sqrt(3)
        effect = cohens_d(differences, np.zeros(3), kind="z")
        ratios.append((effect.low / effect.estimate, effect.high / effect.estimate))
    assert ratios[0] == pytest.approx(ratios[1], rel=5e-5)


def test_hedges_correction_is_the_gamma_ratio() -> None:
    # Hedges (1981), by hand for 2 degrees of freedom: gamma(1) / (sqrt(1) gamma(1/2)) = 1 / sqrt(pi).
    a, b = np.array([1.0, 2.0, 4.0]), np.array([0.0, 0.5, 0.0])
    plain, corrected = (cohens_d(a, b, kind="z", is_corrected=flag) for flag in (False, True))
    assert (corrected.estimate, corrected.low) == pytest.approx(
        (plain.estimate / math.sqrt(math.pi), plain.low / math.sqrt(math.pi))
    )


def test_hedges_correction_of_two_pairs_does_not_exist_and_says_so() -> None:
    effect = cohens_d(np.array([1.0, 2.0]), np.array([0.0, 0.5]), kind="z", is_corrected=True)
    assert math.isnan(effect.estimate)
    assert "degrees of freedom" in effect.note


@pytest.mark.parametrize("kind", ["pooled", "z", "av"])
@given(a=SAMPLES, b=SAMPLES)
def test_exchanging_the_samples_turns_the_effect_around(kind: str, a: np.ndarray, b: np.ndarray) -> None:
    n = min(len(a), len(b))
    one, other = cohens_d(a[:n], b[:n], kind=kind), cohens_d(b[:n], a[:n], kind=kind)  # type: ignore[arg-type]
    got = (-other.estimate, -other.high, -other.low)
    assert got == pytest.approx((one.estimate, one.low, one.high), rel=1e-6, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("kind", ["pooled", "z", "av"])
@pytest.mark.parametrize("scale", [1e-250, 7.0, 1e250])
def test_the_unit_of_the_values_does_not_matter(kind: str, scale: float) -> None:
    plain = cohens_d(SLEEP_1, SLEEP_2, kind=kind)  # type: ignore[arg-type]
    scaled = cohens_d(SLEEP_1 * scale, SLEEP_2 * scale, kind=kind)  # type: ignore[arg-type]
    assert (scaled.estimate, scaled.low, scaled.high) == pytest.approx((plain.estimate, plain.low, plain.high))


@pytest.mark.parametrize("kind", ["pooled", "z", "av"])
def test_missing_values_leave_with_their_partner(kind: str) -> None:
    a, b = np.append(SLEEP_1, [math.nan, 3.0]), np.append(SLEEP_2, [math.inf, math.nan])
    if kind == "pooled":
        a[-1] = math.nan
    assert cohens_d(a, b, kind=kind) == cohens_d(SLEEP_1, SLEEP_2, kind=kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["pooled", "z", "av"])
def test_without_spread_there_is_no_effect_and_the_note_says_so(kind: str) -> None:
    effect = cohens_d(np.array([0.3, 0.3, 0.3]), np.array([0.2, 0.2, 0.2]), kind=kind)  # type: ignore[arg-type]
    assert np.isnan([effect.estimate, effect.low, effect.high]).all()
    assert "no spread" in effect.note


def test_differences_that_rounding_alone_tells_apart_have_no_spread() -> None:
    effect = cohens_d(np.array([0.3, 0.2, 0.8]), np.array([0.2, 0.1, 0.7]), kind="z")
    assert "all 3 differences are equal" in effect.note


@pytest.mark.parametrize("kind", ["pooled", "z", "av"])
def test_one_value_has_no_effect_size(kind: str) -> None:
    effect = cohens_d(np.array([1.0]), np.array([2.0]), kind=kind)  # type: ignore[arg-type]
    assert math.isnan(effect.estimate)
    assert "fewer than two" in effect.note


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="pooled, z or av"):
        cohens_d(SLEEP_1, SLEEP_2, kind="glass")  # type: ignore[arg-type]


def test_samples_of_unequal_length_are_no_pairs() -> None:
    with pytest.raises(ValueError, match="align both by seed"):
        cohens_d(SLEEP_1, SLEEP_2[:5], kind="z")


def _coverage(kind: str, n: int, delta: float, n_sweeps: int) -> float:
    """Share of simulated samples whose interval holds the true effect; pairs correlate by 0.5."""
    rng = np.random.default_rng(1908)
    hits = 0
    for _ in range(n_sweeps):
        a, b = rng.normal(size=(2, n)) / math.sqrt(2)
        shared = rng.normal(size=n) / math.sqrt(2) if kind != "pooled" else 0.0
        scale = 1.0 if kind != "pooled" else math.sqrt(2)
        effect = cohens_d(a * scale + shared + delta, b * scale + shared, kind=kind)  # type: ignore[arg-type]
        hits += effect.low <= delta <= effect.high  # sd of a value and of a difference is 1 throughout
    return hits / n_sweeps


@pytest.mark.parametrize("kind", ["pooled", "z"])
@pytest.mark.parametrize("n", [3, 10])
def test_exact_effect_intervals_cover_at_their_level(kind: str, n: int) -> None:
    # Theory: 0.95 exactly; within 3.5 Monte-Carlo standard errors of 400 samples.
    assert abs(_coverage(kind, n, 1.0, 400) - 0.95) <= 3.5 * math.sqrt(0.95 * 0.05 / 400)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pooled", "z"])
@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("delta", [0.0, 1.0, 3.0])
def test_exact_effect_intervals_cover_at_their_level_in_full(kind: str, n: int, delta: float) -> None:
    assert abs(_coverage(kind, n, delta, 10_000) - 0.95) <= 3.5 * math.sqrt(0.95 * 0.05 / 10_000)


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("delta", [0.0, 1.0, 3.0])
def test_the_approximate_interval_of_d_av_covers_nearly_at_its_level(n: int, delta: float) -> None:
    # Algina & Keselman (2003) call it approximate; seen here: 0.93 (3 pairs) to 0.98 (large effects).
    assert 0.92 <= _coverage("av", n, delta, 4_000) <= 0.985


def test_probability_of_improvement_matches_an_independent_implementation_of_newcombes_method_5() -> None:
    # R package SingleCaseES, vignette "Basic effect sizes calculations": NAP of these values is 0.9166667, and its 95 %
    # interval by Newcombe's method 0.5973406 to 0.9860176 (root search to 1e-4; to more digits 0.5973194, 0.9859977).
    before = np.array([20.0, 20, 26, 25, 22, 23])
    after = np.array([28.0, 25, 24, 27, 30, 30, 29])
    interval = probability_better(after, before, direction="maximize")
    assert interval is not None
    assert interval.estimate == pytest.approx(0.9166667, abs=1e-7)
    assert (interval.low, interval.high) == pytest.approx((0.5973194, 0.9859977), abs=1e-6)


def test_paired_probability_has_scipys_wilson_interval() -> None:
    # Second opinion: scipy.stats.binomtest(...).proportion_ci(method="wilson"); 7 of 9 pairs won.
    a = np.array([1.0, 1, 1, 1, 1, 1, 1, 0, 0])
    expected = stats.binomtest(7, 9).proportion_ci(method="wilson")
    interval = probability_better(a, np.full(9, 0.5), direction="maximize", is_paired=True)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("is_paired", "expected"), [(True, 0.75), (False, 0.625)])
def test_a_tie_counts_half(is_paired: bool, expected: float) -> None:
    # By hand: the pairs (1, 0) and (2, 2) are a win and a tie; of all four, 1 beats 0 and loses to 2, 2 beats 0 and
    # ties with 2: (1 + 0 + 1 + 0.5) / 4.
    interval = probability_better(np.array([1.0, 2.0]), np.array([0.0, 2.0]), direction="maximize", is_paired=is_paired)
    assert interval is not None
    assert interval.estimate == expected


@pytest.mark.parametrize("is_paired", [True, False])
@given(a=SAMPLES, b=SAMPLES)
def test_the_two_directions_are_complements(is_paired: bool, a: np.ndarray, b: np.ndarray) -> None:
    n = min(len(a), len(b))
    up = probability_better(a[:n], b[:n], direction="maximize", is_paired=is_paired)
    down = probability_better(a[:n], b[:n], direction="minimize", is_paired=is_paired)
    assert up is not None
    assert down is not None
    assert (1 - down.estimate, 1 - down.high) == pytest.approx((up.estimate, up.low), abs=1e-9)


def test_a_clean_sweep_of_few_replicates_is_not_certain() -> None:
    # By hand, Wilson with 3 of 3: low = 1 / (1 + z^2 / 3) = 0.4385.
    interval = probability_better(np.ones(3), np.zeros(3), direction="maximize", is_paired=True)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.438494, 1.0), abs=1e-5)


def test_without_values_there_is_no_probability() -> None:
    assert probability_better(np.array([math.nan]), np.array([1.0]), direction="minimize") is None


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("delta", [0.0, 1.0, 2.0])
def test_newcombes_interval_covers_nearly_at_its_level(n: int, delta: float) -> None:
    # Newcombe (2006) reports coverage near the nominal level; with 3 against 3 only ten outcomes exist, and ranks that
    # tell nothing (delta 0) are covered in 0.9 of cases, by exact enumeration of the 20 orders: 18 / 20.
    rng = np.random.default_rng(25)
    truth = float(stats.norm.cdf(delta / math.sqrt(2)))
    hits = 0
    for _ in range(4_000):
        a, b = rng.normal(size=(2, n))
        interval = probability_better(a + delta, b, direction="maximize")
        hits += interval is not None and interval.low <= truth <= interval.high
    assert (0.88 if n == 3 else 0.93) <= hits / 4_000 <= 0.985
