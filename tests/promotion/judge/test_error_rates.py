"""How often a verdict is wrong, and how often it sees what is there: by simulation, through `decide` itself.

Objectives are normal with sd 1 over seeds, lower is better; contestants on common seeds correlate by 0.5, so that
their differences have sd 1 too. A promotion is wrong where the challenger is not better by more than the smallest
improvement that matters. The suite runs few contests, `pytest -m slow` many.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rothamsted.promotion.judge.policy import Policy
from rothamsted.promotion.judge.verdict import decide
from rothamsted.promotion.types import Decision
from rothamsted.statistics import power_of
from tests.promotion.contestants import evidence, policy

N_FAST = 300
N_FULL = 10_000
N_REPLICATES = 10
SHARED = math.sqrt(0.5)  # sd of what a seed does to every model, and of what it does to each

FAST = pytest.param(N_FAST, id="fast")
FULL = pytest.param(N_FULL, id="full", marks=pytest.mark.slow)

Shares = dict[Decision, float]


def _beyond(rate: float, n: int) -> float:
    """3.5 Monte-Carlo standard errors of a rate: a right program fails once in some 4,000 runs."""
    return 3.5 * math.sqrt(rate * (1 - rate) / n)


def _runs(rng: np.random.Generator, means: np.ndarray, n: int) -> np.ndarray:
    """Objectives (model, seed) of models with these true means, on common seeds."""
    return means[:, None] + SHARED * (rng.normal(size=n) + rng.normal(size=(len(means), n)))


def _contests(
    rule: Policy,
    improvement: float,
    n_contests: int,
    *,
    n: int = N_REPLICATES,
    n_champion: int | None = None,
    seed: int = 1908,
    noise: Callable[[np.random.Generator, int], np.ndarray] | None = None,
) -> Shares:
    """Share of each decision over contests of one challenger, better by `improvement`, against a champion.

    Args:
        rule: the policy.
        improvement: true one.
        n_contests: simulated.
        n: replicates of the challenger.
        n_champion: of a champion with recorded replicates, unpaired; None: both on common seeds.
        seed: of the simulation.
        noise: of the paired differences, instead of normal.
    """
    rng = np.random.default_rng(seed)
    counts: Counter[Decision] = Counter()
    for _ in range(n_contests):
        challenger, champion = _runs(rng, np.array([-improvement, 0.0]), n)
        if n_champion is not None:
            champion = 2 * rng.normal(size=n_champion)
        if noise is not None:
            challenger = champion - improvement + noise(rng, n)
        found = decide([evidence("new", challenger)], evidence("old", champion), rule, is_paired=n_champion is None)
        counts[found[0].decision] += 1
    return {decision: counts[decision] / n_contests for decision in ("promoted", "kept", "undecided")}


def _rule(**changed: Any) -> Policy:
    return policy(**({"replicates": N_REPLICATES} | changed))


@pytest.mark.parametrize("n_contests", [FAST, FULL])
def test_a_challenger_that_is_no_better_is_promoted_as_often_as_the_level_allows(n_contests: int) -> None:
    # Theory: Student's t is exact for normal differences, so that the rate is 0.05, not only below it.
    rate = _contests(_rule(), 0.0, n_contests)["promoted"]
    assert abs(rate - 0.05) <= _beyond(0.05, n_contests)


@pytest.mark.parametrize("n_contests", [FAST, FULL])
def test_a_challenger_better_by_just_what_does_not_matter_is_promoted_as_rarely(n_contests: int) -> None:
    rate = _contests(_rule(smallest_improvement=0.5), 0.5, n_contests, seed=1987)["promoted"]
    assert abs(rate - 0.05) <= _beyond(0.05, n_contests)


@pytest.mark.parametrize("n_contests", [FAST, FULL])
def test_a_challenger_that_matters_is_excluded_as_rarely(n_contests: int) -> None:
    # The other limit: a true improvement at the threshold is called smaller in 0.05 of contests.
    rate = _contests(_rule(smallest_improvement=0.5), 0.5, n_contests, seed=1988)["kept"]
    assert abs(rate - 0.05) <= _beyond(0.05, n_contests)


@pytest.mark.parametrize("n_contests", [FAST, FULL])
def test_a_challenger_worse_by_the_margin_is_promoted_as_rarely(n_contests: int) -> None:
    rate = _contests(_rule(kind="non_inferiority", margin=0.5), -0.5, n_contests, seed=1989)["promoted"]
    assert abs(rate - 0.05) <= _beyond(0.05, n_contests)


@pytest.mark.parametrize("n_contests", [FAST, FULL])
def test_against_recorded_replicates_of_another_spread_the_rate_holds_about(n_contests: int) -> None:
    # Welch is approximate: 0.045 to 0.055 is what it gives at 10 against 20 of twice the spread.
    rate = _contests(_rule(), 0.0, n_contests, n_champion=20)["promoted"]
    assert abs(rate - 0.05) <= 0.005 + _beyond(0.05, n_contests)


@pytest.mark.parametrize("n_contests", [FAST, FULL])
def test_a_permutation_test_holds_the_rate_for_heavy_tails(n_contests: int) -> None:
    # Exact for differences symmetric about zero, here Student's t with two degrees of freedom.
    def heavy(rng: np.random.Generator, n: int) -> np.ndarray:
        return rng.standard_t(2, size=n)

    rate = _contests(_rule(test="permutation"), 0.0, n_contests, noise=heavy)["promoted"]
    assert rate <= 0.05 + _beyond(0.05, n_contests)


def _any_promoted(correction: str, n_contests: int, n_challengers: int = 4) -> float:
    rng = np.random.default_rng(1979)
    rule = _rule(correction=correction)
    wrong = 0
    for _ in range(n_contests):
        champion, *others = _runs(rng, np.zeros(n_challengers + 1), N_REPLICATES)
        models = [evidence(f"new{k}", values) for k, values in enumerate(others)]
        verdicts = decide(models, evidence("old", champion), rule, is_paired=True)
        wrong += any(one.decision == "promoted" for one in verdicts)
    return wrong / n_contests


@pytest.mark.parametrize("correction", ["holm", "bonferroni"])
@pytest.mark.parametrize("n_contests", [pytest.param(150, id="fast"), FULL])
def test_of_several_challengers_that_are_no_better_any_is_promoted_as_rarely(correction: str, n_contests: int) -> None:
    assert _any_promoted(correction, n_contests) <= 0.05 + _beyond(0.05, n_contests)


@pytest.mark.parametrize("n_contests", [FAST, FULL])
def test_the_planned_replicates_have_the_planned_power(n_contests: int) -> None:
    # Planned for an improvement of 0.6 beyond the smallest that matters; `ReplicationPlan.reached` is exact theory.
    n, reached = _plan(0.6)
    rule = _rule(smallest_improvement=0.2, replicates=n)
    rate = _contests(rule, 0.8, n_contests, n=n)["promoted"]
    assert abs(rate - reached) <= _beyond(reached, n_contests)


@pytest.mark.parametrize("n_contests", [FAST, FULL])
def test_a_plan_for_non_inferiority_has_its_power_too(n_contests: int) -> None:
    n, reached = _plan(0.5)  # equal models, a margin of 0.5
    rule = _rule(kind="non_inferiority", margin=0.5, replicates=n)
    rate = _contests(rule, 0.0, n_contests, n=n)["promoted"]
    assert abs(rate - reached) <= _beyond(reached, n_contests)


def _plan(distance: float) -> tuple[int, float]:
    """The fewest pairs of sd 1 with a power of 0.8, and the power.

    For a one-sided test at 0.95: one tail of a two-sided test at 0.9.
    """
    reached = ((n, power_of(n, 1.0, distance, level=0.9)) for n in range(2, 1000))
    return next((n, power) for n, power in reached if power >= 0.8)


N_CONDITIONS = 50
N_SEARCH = 3  # replicates of a condition in the search


def _after_a_search(n_searches: int) -> dict[str, float]:
    """Search 50 conditions that are all exactly as good as the champion, then promote the winner in four ways.

    Returns:
        Share of searches that end in a promotion, every one of them wrong.
    """
    rng = np.random.default_rng(1987)
    rule, hasty = _rule(), _rule(replicates=N_SEARCH)
    wrong: Counter[str] = Counter()
    for _ in range(n_searches):
        champion, *found = _runs(rng, np.zeros(N_CONDITIONS + 1), N_SEARCH)
        winner = min(found, key=np.mean)
        wrong["better mean"] += winner.mean() < champion.mean()
        searched = decide([evidence("new", winner)], evidence("old", champion), hasty, is_paired=True)[0]
        wrong["paired t on search values"] += searched.decision == "promoted"
        recorded = evidence("old", rng.normal(size=N_REPLICATES), version="1")
        unpaired = decide([evidence("new", winner)], recorded, hasty, is_paired=False)[0]
        wrong["Welch on search values"] += unpaired.decision == "promoted"
        fresh = _runs(rng, np.zeros(2), N_REPLICATES)
        ours = decide([evidence("new", fresh[0])], evidence("old", fresh[1]), rule, is_paired=True)[0]
        wrong["fresh seeds"] += ours.decision == "promoted"
    return {way: count / n_searches for way, count in wrong.items()}


@pytest.mark.parametrize("n_searches", [pytest.param(300, id="fast"), FULL])
def test_a_winner_by_luck_is_promoted_on_search_values_and_hardly_ever_on_fresh_seeds(n_searches: int) -> None:
    shares = _after_a_search(n_searches)
    assert shares["fresh seeds"] <= 0.05 + _beyond(0.05, n_searches)
    # Theory for the first: of 51 exchangeable means the champion's is the best in 1 of 51 searches.
    assert abs(shares["better mean"] - 50 / 51) <= _beyond(50 / 51, n_searches)
    assert shares["paired t on search values"] > 3 * 0.05
    assert shares["Welch on search values"] > 3 * 0.05


def _until_decided(n_contests: int, n_attempts: int) -> float:
    """Share of contests between equals that end in a promotion when undecided ones are held again."""
    rng = np.random.default_rng(1971)
    rule = _rule()
    wrong = 0
    for _ in range(n_contests):
        for _ in range(n_attempts):
            challenger, champion = _runs(rng, np.zeros(2), N_REPLICATES)
            found = decide([evidence("new", challenger)], evidence("old", champion), rule, is_paired=True)[0]
            if found.decision != "undecided":
                wrong += found.decision == "promoted"
                break
    return wrong / n_contests


@pytest.mark.slow
def test_contests_that_are_held_again_while_undecided_err_as_often_as_docs_say() -> None:
    # Theory: each attempt promotes and excludes with 0.05 each, so that three promote 0.05 (1 + 0.9 + 0.81) = 0.1355.
    assert abs(_until_decided(N_FULL, 3) - 0.1355) <= _beyond(0.1355, N_FULL)


def test_the_simulated_contestants_are_what_they_are_said_to_be() -> None:
    # Theory: sd 1 each, correlation 0.5, differences of sd sqrt(2 (1 - 0.5)) = 1.
    first, second = _runs(np.random.default_rng(1), np.zeros(2), 200_000)
    found = (first.std(), second.std(), (first - second).std())
    assert found == pytest.approx((1.0, 1.0, 1.0), abs=0.01)
