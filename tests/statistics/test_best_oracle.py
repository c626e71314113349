"""The fast procedure against the same formulas in plain loops (plain_leaders.py), number by number."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rothamsted.statistics import BestResult, compare_with_best
from rothamsted.statistics.best_leaders import by_leaders
from tests.statistics.plain_leaders import plain_leaders

N_SWEEPS = 40


def _sweep(rng: np.random.Generator, *, missing: float, tail: bool) -> np.ndarray:
    """Conditions of unequal level and spread, seed effects in proportion to spread, perhaps with gaps."""
    n_conditions, n_seeds = int(rng.choice([4, 5, 7, 12, 20, 40])), int(rng.integers(2, 9))
    level = rng.exponential(3, size=n_conditions) * rng.choice([0, 1, 10, 1e4])
    spread = np.exp(rng.choice([0.2, 1]) * rng.normal(size=n_conditions)) * (1 + rng.choice([0, 0.3]) * level)
    spread[: n_conditions // 4] *= rng.choice([1, 1, 1e-7])  # floors of variances and weights come into play
    noise = rng.standard_t(3, (n_conditions, n_seeds)) if tail else rng.normal(size=(n_conditions, n_seeds))
    x = level[:, None] + spread[:, None] * (noise + 2 * rng.normal(size=n_seeds) * rng.integers(0, 2))
    x[rng.random(x.shape) < missing] = math.nan
    x = x[np.isfinite(x).any(axis=1)]
    return x[:, np.isfinite(x).any(axis=0)]


def _sweeps(missing: float) -> list[np.ndarray]:
    rng = np.random.default_rng([2024, int(100 * missing)])
    made = [_sweep(rng, missing=missing, tail=bool(index % 2)) for index in range(N_SWEEPS)]
    return [x for x in made if len(x) >= 4 and (np.isfinite(x).sum(axis=1) >= 2).sum() >= 3]


def _rows(found: BestResult | None, name: str) -> np.ndarray:
    assert found is not None
    assert found.method == "leaders"
    return np.array([getattr(row, name) for row in found.rows])


@pytest.mark.parametrize("missing", [0.0, 0.05, 0.3])
def test_every_number_and_verdict_is_that_of_the_plain_loops(missing: float) -> None:
    sweeps = _sweeps(missing)
    assert len(sweeps) > N_SWEEPS / 2
    seen: set[str] = set()
    for index, x in enumerate(sweeps):
        smallest = float(np.nanstd(x)) * (3 if index % 3 == 0 else 0)
        expected = plain_leaders(x, smallest_difference=smallest)
        found = compare_with_best(x, direction="minimize", is_paired=True, smallest_difference=smallest)
        for name in ("p", "low", "high", "mean", "difference"):
            size = np.abs(expected.high).max() if name != "p" else 0.0
            np.testing.assert_allclose(_rows(found, name), getattr(expected, name), rtol=1e-9, atol=1e-12 * size)
        assert list(_rows(found, "is_in_set")) == list(expected.is_in_set)
        assert list(_rows(found, "verdict")) == expected.verdict
        assert found is not None
        assert found.winner == expected.winner
        seen |= set(expected.verdict)
    assert seen == {"worse", "as good", "open"}


@pytest.mark.parametrize("level", [0.8, 0.99])
def test_the_level_enters_set_verdicts_and_limits_as_in_the_plain_loops(level: float) -> None:
    for x in _sweeps(0.0)[:8]:
        expected = plain_leaders(x, alpha=1 - level)
        found = compare_with_best(x, direction="minimize", is_paired=True, level=level)
        for name in ("low", "high"):
            np.testing.assert_allclose(_rows(found, name), getattr(expected, name), rtol=1e-9, atol=1e-12)
        assert list(_rows(found, "is_in_set")) == list(expected.is_in_set)
        assert list(_rows(found, "verdict")) == expected.verdict


def test_a_condition_with_one_value_takes_its_spread_from_the_others() -> None:
    # n = 1: left out of the fits, variance and degrees of freedom are those of the trend.
    x = np.random.default_rng(3).normal(size=(6, 4)) + 9 * np.arange(6.0)[:, None]
    x[5, 1:] = math.nan
    expected = plain_leaders(x)
    found = compare_with_best(x, direction="minimize", is_paired=True)
    np.testing.assert_allclose(_rows(found, "p"), expected.p, rtol=1e-9)
    assert expected.p[5] < 0.05


def test_a_condition_that_met_nobody_cannot_be_ruled_out() -> None:
    # Its only seed is one at which no other condition has a value: nothing speaks against it.
    x = np.random.default_rng(4).normal(size=(6, 4))
    x[5] = [math.nan, math.nan, math.nan, 50.0]
    x[:5, 3] = math.nan
    found = compare_with_best(x, direction="minimize", is_paired=True)
    assert found is not None
    row = found.rows[5]
    assert (math.isnan(row.p), row.is_in_set, row.verdict, row.low) == (True, True, "open", -math.inf)
    assert "1 has too few replicates to be compared" in found.note


def test_limits_of_many_conditions_are_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(3).normal(size=(23, 4))
    whole = by_leaders(values, 0.05, np.full(23, 1e-14))
    monkeypatch.setattr("rothamsted.statistics.leaders.MOST_AT_ONCE", 60)  # two rows at once
    for name, found in vars(by_leaders(values, 0.05, np.full(23, 1e-14))).items():
        np.testing.assert_allclose(found, getattr(whole, name), rtol=1e-12)  # matrix products differ in the last bit
