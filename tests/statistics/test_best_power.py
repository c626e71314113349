"""Plans by simulation of "which is best": what they must agree with, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rothamsted.statistics import compare_with_best
from rothamsted.statistics.best_power import detectable_loss, power_of_best, seeds_to_decide, seeds_to_show
from rothamsted.statistics.power import power_of


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _staircase(n: int = 4, *, seed: int = 1) -> np.ndarray:
    means = np.array([0.0, 0.5, 1.0, 2.0, 4.0, 8.0])
    return means[:, None] + 0.7 * _rng(seed).normal(size=(6, n)) + 2 * _rng(seed + 1).normal(size=n)


def _decide(values: np.ndarray, **more) -> tuple[int | None, ...]:
    return seeds_to_decide(values, **({"direction": "minimize", "is_paired": True, "rng": _rng()} | more))


def test_two_conditions_have_the_power_of_a_paired_t_test() -> None:
    # Authority: noncentral t. Differences of two values of variance 1 have variance 2; one-sided at 0.05 / 2, which is
    # the upper side of a two-sided test at 0.05.
    found = np.mean([power_of_best(np.ones(2), 5, 2.0, rng=_rng(seed)) for seed in range(5)])
    expected = power_of(5, math.sqrt(2), 2.0)
    assert found == pytest.approx(expected, abs=3.5 * math.sqrt(0.25 / 2000))


def test_the_detectable_loss_is_called_worse_with_the_power_asked_for() -> None:
    variances = np.linspace(0.5, 2.0, 12)
    loss = detectable_loss(variances, 4, rng=_rng(1), power=0.8)
    again = np.mean([power_of_best(variances, 4, loss, rng=_rng(seed)) for seed in range(2, 7)])
    assert again == pytest.approx(0.8, abs=3.5 * math.sqrt(0.16 / 400 + 0.16 / 2000))


def test_more_seeds_show_smaller_losses_and_the_unit_is_the_metrics() -> None:
    losses = [detectable_loss(np.full(8, 4.0), n, rng=_rng()) for n in (3, 6, 12)]
    assert losses[0] > losses[1] > losses[2] > 0
    tiny = detectable_loss(np.full(8, 4e-60), 3, rng=_rng())
    assert tiny == pytest.approx(1e-30 * losses[0])


def test_the_seeds_that_show_a_loss_are_enough_and_one_fewer_is_not() -> None:
    n = seeds_to_show(np.ones(10), 2.0, rng=_rng())
    assert n is not None
    enough, fewer = (np.mean([power_of_best(np.ones(10), m, 2.0, rng=_rng(s)) for s in range(5)]) for m in (n, n - 2))
    assert enough >= 0.8 - 0.07 > fewer - 0.02
    assert fewer < enough


def test_a_loss_that_no_number_of_seeds_shows_has_no_plan() -> None:
    assert seeds_to_show(np.ones(6), 0.01, rng=_rng(), most=20) is None


def test_decided_conditions_have_the_seeds_they_need_and_open_ones_need_more() -> None:
    found = _decide(_staircase())
    assert found[5] == 4  # 8 behind: worse today
    open_ones = [n for n in found[2:5] if n != 4]
    assert open_ones
    assert all(n is not None and n > 4 for n in open_ones)
    # The closer to the best, the more seeds.
    assert list(found[2:5]) == sorted(found[2:5], reverse=True)  # type: ignore[type-var]


def test_equally_good_conditions_are_decided_only_with_a_smallest_difference() -> None:
    values = _rng(5).normal(size=(6, 4)) * 0.1
    values += 3.0 - values.mean(axis=1, keepdims=True)  # all means equal
    assert _decide(values, most=40) == (None,) * 6
    within = _decide(values, smallest_difference=0.2, most=40)
    assert all(n is not None and 4 < n < 40 for n in within)


def test_with_the_seeds_it_names_a_new_sweep_decides() -> None:
    # Means and variances as estimated: draw sweeps from them and ask the procedure itself.
    values = _staircase()
    n = _decide(values)[3]
    assert n is not None
    rng, decided = _rng(9), 0
    sd = 0.7
    for _ in range(100):
        fresh = values.mean(axis=1, keepdims=True) + sd * rng.normal(size=(6, n))
        result = compare_with_best(fresh, direction="minimize", is_paired=True)
        assert result is not None
        decided += result.rows[3].verdict != "open"
    assert decided >= 60  # 80 are planned for; the variance is estimated cautiously or not from 18 residuals


@pytest.mark.parametrize("is_paired", [True, False])
def test_two_conditions_have_a_plan_too_in_either_direction(is_paired: bool) -> None:
    values = np.array([[0.0, 1.0, 2.0], [1.0, 0.8, 2.6]])
    lower = _decide(values, is_paired=is_paired)
    upper = _decide(-values, is_paired=is_paired, direction="maximize")
    assert lower == upper
    assert lower[0] == lower[1]
    assert lower[0] is None or lower[0] > 3


def test_equal_generators_give_equal_plans() -> None:
    assert _decide(_staircase(), rng=_rng(3)) == _decide(_staircase(), rng=_rng(3))
    losses = [detectable_loss(np.ones(5), 3, rng=_rng(4)) for _ in range(2)]
    assert losses[0] == losses[1]


def test_without_a_spread_or_a_rival_there_is_no_plan() -> None:
    assert _decide(np.arange(5.0)[:, None]) == (None,) * 5
    assert _decide(np.array([[1.0, 2.0]])) == (None,)
    assert _decide(np.full((3, 2), math.nan)) == (None,) * 3
    gap = _staircase()
    gap[2] = math.nan
    assert _decide(gap)[2] is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: power_of_best(np.ones(1), 3, 1.0, rng=_rng()), "two conditions or more"),
        (lambda: power_of_best(np.array([1.0, 0.0]), 3, 1.0, rng=_rng()), "a positive number for each"),
        (lambda: power_of_best(np.ones(3), 1, 1.0, rng=_rng()), "give 2 or more"),
        (lambda: power_of_best(np.ones(3), 3, 0.0, rng=_rng()), "difference: 0.0"),
        (lambda: detectable_loss(np.ones(3), 3, rng=_rng(), power=1.0), "power: 1.0"),
        (lambda: detectable_loss(np.ones(3), 3, rng=_rng(), level=1.0), "between 0 and 1"),
        (lambda: _decide(np.ones((3, 3)), power=0.0), "power: 0.0"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
