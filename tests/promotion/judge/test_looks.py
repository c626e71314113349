"""Asking again: what each look may spend, what looks say together, and how often they are wrong in the end."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import norm, skew, t, ttest_1samp

from rothamsted.promotion.judge.looks import EarlierPairs, Look, p_together, plan_look
from rothamsted.promotion.judge.policy import Policy
from rothamsted.promotion.judge.verdict import decide
from rothamsted.promotion.types import Verdict
from rothamsted.statistics.guarded import GUARD
from tests.promotion.contestants import evidence, policy

OPEN = policy(replicates=10, looks=None)
N_ASKS, N_PAIRS = 10, 10


def _verdict(improvements: Sequence[np.ndarray], rule: Policy = OPEN) -> Verdict:
    """The verdict at the last of these looks, each given by its improvements over a champion of zero."""
    earlier = [EarlierPairs(challenger=-one, champion=np.zeros(len(one))) for one in improvements[:-1]]
    look = plan_look(rule, [rule.share_of(k + 1) for k in range(len(earlier))], earlier)
    champion = evidence("old", np.zeros(len(improvements[-1])), version="3")
    return decide([evidence("new", -improvements[-1])], champion, rule, is_paired=True, looks=[look])[0]


def _z(values: np.ndarray, null: float = 0.0) -> float:
    """Student's one-sided p-value by scipy, as a normal score."""
    return float(norm.isf(ttest_1samp(values, null, alternative="greater").pvalue))  # type: ignore[attr-defined]


# ---- what a look may spend ----


def test_open_looks_spend_the_error_rate_and_no_more_however_many_there_are() -> None:
    # By hand: 0.8 + 0.2 (1/2 + 1/6 + 1/12 + ...) with 1/(k (k - 1)) = 1/(k - 1) - 1/k, up to K: 0.8 + 0.2 (1 - 1/K).
    assert [round(OPEN.share_of(k), 6) for k in (1, 2, 3, 4)] == [0.8, 0.1, 0.033333, 0.016667]
    assert math.fsum(OPEN.share_of(k) for k in range(1, 1_001)) == pytest.approx(0.8 + 0.2 * (1 - 1 / 1_000))


def test_a_stated_number_of_looks_shares_equally_and_ends() -> None:
    assert [policy(looks=4).share_of(k) for k in (1, 4, 5)] == [0.25, 0.25, 0.0]


def test_what_was_spent_under_another_policy_is_spent() -> None:
    # One look under looks: 1 took everything; five under looks: 5 would be 0.2 each, of which 0.1 is left after 0.9.
    assert plan_look(policy(looks=None), [1.0]).share == 0
    assert plan_look(policy(looks=5), [0.9]).share == pytest.approx(0.1)


def test_a_look_recorded_before_looks_had_shares_counts_as_one() -> None:
    assert plan_look(OPEN, [None, None]) == Look(number=3, share=OPEN.share_of(3), next_share=OPEN.share_of(4))


# ---- what looks say together ----


def test_p_values_of_looks_are_put_together_by_the_inverse_normal() -> None:
    # By hand: z(0.025) = 1.959964 twice, over sqrt(2): 2.771808, of which the upper tail is 0.0027873.
    assert p_together([0.025, 0.025]) == pytest.approx(0.0027873, abs=1e-7)
    assert p_together([0.3]) == 0.3


def test_p_and_interval_of_a_second_look_are_those_paid_for_and_agree() -> None:
    rng = np.random.default_rng(5)
    first, second = rng.normal(0.7, 1, 10), rng.normal(0.7, 1, 25)
    verdict = _verdict([first, second])
    z = [_z(one) for one in (first, second)]
    assert verdict.p_value == pytest.approx(norm.sf(sum(z) / math.sqrt(2)) / 0.1)
    assert verdict.difference is not None
    assert (verdict.n, verdict.difference.n) == (35, 35)
    limit = -verdict.difference.high  # of the improvement, below: a null there has just the p that look 2 may spend
    z = [_z(one, limit) for one in (first, second)]
    assert norm.sf(sum(z) / math.sqrt(2)) == pytest.approx(0.05 * 0.1, rel=1e-6)


def test_a_verdict_says_which_look_it_is_and_what_that_cost() -> None:
    values = np.random.default_rng(1).normal(0, 1, (2, 10))
    said = " ".join(_verdict(list(values)).reasons).replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert "Look 2 at this challenger against this champion: tested at 0.005, 10 % of the error rate of 5 %" in said
    assert "10 and 10 pairs" in said


def test_an_undecided_last_look_says_that_it_was_the_last_and_what_now() -> None:
    values = np.random.default_rng(1).normal(0, 1, (2, 10))
    verdict = _verdict(list(values), policy(replicates=10, looks=2))
    assert (verdict.decision, verdict.more_replicates) == ("undecided", None)
    assert verdict.reasons[1].startswith("No look is left (the policy allows 2 (looks: 2))")


# ---- warnings ----


def test_a_promotion_by_a_plain_t_test_with_a_long_bad_tail_is_warned_of() -> None:
    values = np.array([1.0, 1.1, 0.9, 1.0, 1.2, 0.8, 1.1, 1.0, 0.9, -0.8])
    plain = _verdict([values], policy(replicates=10))
    assert plain.decision == "promoted"
    assert "about 13 % would be promoted by this test" in plain.reasons[-1].replace("\N{NARROW NO-BREAK SPACE}", " ")
    guarded = _verdict([values], policy(replicates=10, test="guarded_t"))
    assert guarded.p_value is not None
    assert plain.p_value is not None
    assert guarded.p_value > 5 * plain.p_value
    assert "would be promoted by this test" not in " ".join(guarded.reasons)


def test_few_pairs_are_warned_of_whatever_they_show() -> None:
    verdict = _verdict([np.array([1.0, 1.1, 0.9, 1.0, 1.05])], policy(replicates=5, test="guarded_t"))
    assert verdict.decision == "promoted"
    assert "too few to show a long tail" in verdict.reasons[-1]


# ---- how often it is wrong ----


def _promoted(shares: Sequence[float], effect: float, n_series: int, *, seed: int, grows: bool = False) -> np.ndarray:
    """Share of series promoted by each ask, asked again while undecided (1 - level = 0.05).

    Args:
        shares: of the error rate, by look.
        effect: true improvement in standard deviations.
        n_series: simulated.
        seed: of the simulation.
        grows: whether whoever asks takes 40 pairs next where the looks so far are promising, else 10.
    """
    rng = np.random.default_rng(seed)
    z_sum, is_open = np.zeros(n_series), np.ones(n_series, dtype=bool)
    is_promoted = np.zeros(n_series, dtype=bool)
    rates = []
    for k, share in enumerate(shares, 1):
        n = np.where(grows & (z_sum > 0.5), 40, N_PAIRS)
        mean = rng.normal(effect, 1 / np.sqrt(n))
        sd = np.sqrt(rng.chisquare(n - 1) / (n - 1))
        z_sum += norm.isf(t.sf(mean / sd * np.sqrt(n), n - 1))
        z, bound = z_sum / np.sqrt(k), norm.isf(0.05 * share) if share else np.inf
        is_promoted |= is_open & (z >= bound)
        is_open &= np.abs(z) < bound  # excluded: kept
        rates.append(is_promoted.mean())
    return np.array(rates)


def _skewed(n_series: int, *, seed: int, guard: float) -> float:
    """Share promoted over ten asks of ten pairs, where improvements are exponential losses of mean zero.

    Args:
        n_series: simulated.
        seed: of the simulation.
        guard: of the guarded t; 0 is Student's t.
    """
    rng = np.random.default_rng(seed)
    z_sum, is_open, is_promoted = np.zeros((2, n_series)), np.ones(n_series, bool), np.zeros(n_series, bool)
    for k, share in enumerate(_shares(OPEN), 1):
        values = 1 - rng.exponential(size=(n_series, N_PAIRS))
        for side, sign in enumerate((1, -1)):
            s = sign * values.mean(axis=1) / values.std(axis=1, ddof=1)
            g = guard * np.minimum(sign * skew(values, axis=1, bias=False), 0)
            bent = np.minimum(s, s + g * s**2 / 3 + g**2 * s**3 / 27 + g / (6 * N_PAIRS))
            z_sum[side] += norm.isf(t.sf(np.sqrt(N_PAIRS) * bent, N_PAIRS - 1))
        bound = norm.isf(0.05 * share) * np.sqrt(k)
        is_promoted |= is_open & (z_sum[0] >= bound)
        is_open &= (z_sum < bound).all(axis=0)
    return float(is_promoted.mean())


@pytest.mark.parametrize(
    "n_series", [pytest.param(10_000, id="fast"), pytest.param(400_000, id="full", marks=pytest.mark.slow)]
)
def test_ten_asks_with_exponential_losses_promote_as_rarely_by_the_guarded_test_and_by_no_other(n_series: int) -> None:
    assert _skewed(n_series, seed=18, guard=GUARD) <= 0.05 + 3.5 * math.sqrt(0.05 * 0.95 / n_series)
    assert _skewed(n_series, seed=18, guard=0.0) >= 0.14


def _shares(rule: Policy) -> list[float]:
    return [rule.share_of(k) for k in range(1, N_ASKS + 1)]


@pytest.mark.parametrize(
    "n_series", [pytest.param(20_000, id="fast"), pytest.param(1_000_000, id="full", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("grows", [False, True])
@pytest.mark.parametrize("looks", [None, 10])
def test_ten_asks_promote_a_challenger_that_is_no_better_in_at_most_one_of_twenty(
    looks: int | None, grows: bool, n_series: int
) -> None:
    rate = _promoted(_shares(policy(looks=looks)), 0.0, n_series, seed=15, grows=grows)[-1]
    assert rate <= 0.05 + 3.5 * math.sqrt(0.05 * 0.95 / n_series)


@pytest.mark.parametrize(
    "n_series", [pytest.param(20_000, id="fast"), pytest.param(1_000_000, id="full", marks=pytest.mark.slow)]
)
def test_a_first_look_loses_little_power_and_later_looks_gain_it_back(n_series: int) -> None:
    # One fixed look of 10 pairs at 0.05 sees 0.9 standard deviations in 0.836 of contests (noncentral t).
    by_look = _promoted(_shares(OPEN), 0.9, n_series, seed=16)
    assert by_look[0] >= 0.79
    assert by_look[1] >= 0.89


def test_the_simulation_decides_as_the_program_does() -> None:
    rng = np.random.default_rng(17)
    for _ in range(8):
        looks = [rng.normal(0.4, 1, N_PAIRS) for _ in range(3)]
        z = [_z(one) for one in looks]
        for k in (1, 2, 3):
            bound = norm.isf(0.05 * OPEN.share_of(k))
            together = sum(z[:k]) / math.sqrt(k)
            expected = "promoted" if together >= bound else "kept" if together <= -bound else "undecided"
            assert _verdict(looks[:k]).decision == expected
