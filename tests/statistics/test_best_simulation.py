"""How often "which is best" errs, by simulation, and what it finds. The whole table: tests/statistics/best_settings.py.

The authority is the claim itself, at level 0.95: a truly best condition is called worse in at most 5 % of sweeps, and
not in the set in at most 5.5 %, but for the settings that docs/statistics.md names.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from rothamsted.statistics.best_simple import by_pairs
from tests.statistics.best_settings import PATTERNS, QUICKSTART, RECORDED, SETTINGS, Setting, quickstart, rates

FAST = ("equal spread", "11-fold unequal spread", "one a million times away", "t3", "seed share 0.8", "accuracy")
NAMED = ("best three times the spread", "sd/mean 0.03 to 0.4, log-normal", "seed effects in proportion, 11-fold")


def _at_most(rate: float, n_sweeps: int) -> float:
    """A rate and 3.5 Monte-Carlo standard errors: exceeded by chance once in 4,000."""
    return rate + 3.5 * math.sqrt(rate * (1 - rate) / n_sweeps)


@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("pattern", ["all tied", "rest at 5 sd"])
@pytest.mark.parametrize("name", FAST)
def test_a_best_condition_is_rarely_lost_and_hardly_ever_called_worse(name: str, pattern: str, n: int) -> None:
    found = rates(SETTINGS[name], PATTERNS[pattern], n_conditions=16, n=n, n_sweeps=600)
    assert found.lost <= _at_most(0.055, 600)
    assert found.family <= _at_most(0.05, 600)
    assert found.limits <= _at_most(0.05, 600)


def test_missing_values_do_not_make_it_err() -> None:
    for pattern in PATTERNS.values():
        found = rates(SETTINGS["seed share 0.8"], pattern, n_conditions=8, n=5, n_sweeps=600, missing=0.1)
        assert found.lost <= _at_most(0.055, 600)
        assert max(found.family, found.limits) <= _at_most(0.05, 600)


def test_the_set_and_the_claims_find_what_is_there() -> None:
    # BEST's own simulation, over all its settings: at 5 sd 74 % called worse and 97 % excluded with 3 seeds, 97 % worse
    # with 5. Ours for equal spread: 84, 99.8 and 99.9; three standard errors of 400 sweeps below.
    three, five = (rates(SETTINGS["equal spread"], 5.0, n_conditions=16, n=n, n_sweeps=400) for n in (3, 5))
    assert three.worse >= 0.80
    assert min(three.excluded, five.worse) >= 0.98


def test_a_loss_of_6_4_is_told_from_0_08_with_three_seeds() -> None:
    # To reach: 97 % (issue and docs/log.md). 2,000 sweeps: Monte-Carlo error 0.4.
    is_worse, is_in_set = quickstart(3, n_sweeps=2000)
    assert QUICKSTART[-1] == 6.4
    assert is_worse[:, -1].mean() >= 0.97 - 3 * 0.004
    assert is_in_set[:, 0].mean() >= 0.95


def test_where_rivals_fail_rarely_the_best_is_lost_too_often() -> None:
    # The limit that docs/statistics.md names: rivals of equal mean that are better in nine seeds of ten. 2,000 sweeps:
    # lost in 27 %, and called worse in 2 % with three seeds, 23 % with ten.
    def draw(rng: np.random.Generator, means: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
        failed = (rng.random(shape) < 0.1) & (np.arange(shape[1])[:, None] > 0)
        level = np.where(np.arange(shape[1]) == 0, 0.0, -1.0)[:, None]
        return means[:, None] + level + 10.0 * failed + 0.2 * rng.standard_normal(shape)

    found = rates(Setting(draw=draw), 0.0, n_conditions=16, n=3, n_sweeps=600)
    assert found.lost > 0.2


def _pairs(n_conditions: int, n: int, behind: float, *, is_paired: bool, n_sweeps: int) -> tuple[float, float, float]:
    """Return how often "simple" loses the first condition, calls a tied best worse, and has a wrong limit."""
    rng = np.random.default_rng([n_conditions, n])
    means = np.where(np.arange(n_conditions) == n_conditions - 1, behind, 0.0)
    values = means[:, None] + rng.standard_normal((n_sweeps, n_conditions, n))
    found = by_pairs(values, is_paired, 0.05, np.full(n_conditions, 1e-14))
    is_best = means == 0
    least = np.sort(means)[:2]
    truth = means - np.where(is_best & (is_best.sum() == 1), least[1], least[0])
    wrong = ((found.low > truth) | (found.high < truth)).any(axis=-1)
    family = found.is_worse[:, is_best].any(axis=-1)
    return float((~found.is_in_set[:, 0]).mean()), float(family.mean()), float(wrong.mean())


@pytest.mark.parametrize("is_paired", [True, False])
@pytest.mark.parametrize("behind", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("n_conditions", [2, 3])
def test_the_simple_method_keeps_its_promises(n_conditions: int, n: int, behind: float, is_paired: bool) -> None:
    lost, family, limits = _pairs(n_conditions, n, behind, is_paired=is_paired, n_sweeps=6000)
    assert max(lost, family, limits) <= _at_most(0.05, 6000)


def test_the_simple_method_uses_its_whole_error_for_two_tied_conditions() -> None:
    # Theory: exact. Each is lost in 5 % of sweeps, one of both is called worse in 5 %, and a limit is wrong in 5 %.
    found = _pairs(2, 4, 0.0, is_paired=True, n_sweeps=20_000)
    assert found == pytest.approx((0.05, 0.05, 0.05), abs=3.5 * math.sqrt(0.05 * 0.95 / 20_000))


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("n_conditions", [4, 16, 50])
@pytest.mark.parametrize("pattern", sorted(PATTERNS))
@pytest.mark.parametrize("name", sorted({**SETTINGS, **RECORDED}))
def test_a_best_condition_is_rarely_lost_in_full(name: str, pattern: str, n_conditions: int, n: int) -> None:
    n_sweeps = 8000 if n_conditions < 50 else 1500
    setting = {**SETTINGS, **RECORDED}[name]
    found = rates(setting, PATTERNS[pattern], n_conditions=n_conditions, n=n, n_sweeps=n_sweeps)
    assert found.family <= _at_most(0.05, n_sweeps)
    assert found.lost <= _at_most(0.075 if name in NAMED else 0.055, n_sweeps)
