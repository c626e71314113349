"""Shares of variance by source: against a published example, known shares, and coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from rothamsted.statistics.sources import SourceShares, shares_by_source

# Shrout & Fleiss (1979), Psychological Bulletin 86(2), table 2: 6 targets rated by 4 judges.
RATINGS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float)
SPLIT, SEED = 0.62, 0.04  # of the variance, as in an audit of a benchmark; the rest 0.34


def drawn(rng: np.random.Generator, n_conditions: int, n_seeds: int, n_splits: int, common: float) -> np.ndarray:
    """(condition, combination) with these shares within each condition, each of its own level and scale.

    Args:
        rng: Of the values.
        n_conditions: Conditions.
        n_seeds: Numbers of the first source.
        n_splits: Numbers of the second one, which changes first.
        common: Share of a source's effects that all conditions have in common.
    """

    def effects(*shape: int) -> np.ndarray:
        own = rng.standard_normal((n_conditions, *shape))
        return np.sqrt(common) * rng.standard_normal((1, *shape)) + np.sqrt(1 - common) * own

    rest = np.sqrt(1 - SPLIT - SEED) * rng.standard_normal((n_conditions, n_seeds, n_splits))
    values = np.sqrt(SEED) * effects(n_seeds, 1) + np.sqrt(SPLIT) * effects(1, n_splits) + rest
    scale = np.exp(rng.standard_normal((n_conditions, 1, 1)))
    return (scale * values + rng.standard_normal((n_conditions, 1, 1))).reshape(n_conditions, -1)


def shares(found: SourceShares | None) -> dict[str, float]:
    assert found is not None
    return {one.source: one.share for one in found.shares}


def test_a_published_example_has_its_shares() -> None:
    # Their ICC(2,1), 0.29, is the targets' share; by hand from their mean squares 11.24, 32.49 and 1.02:
    # (11.24 - 1.02) / 4 = 2.556, (32.49 - 1.02) / 6 = 5.244 and 1.02, in sum 8.819.
    found = shares(shares_by_source(RATINGS.reshape(1, -1), {"target": 6, "judge": 4}))
    assert found["target"] == pytest.approx(0.29, abs=0.005)
    assert found["judge"] == pytest.approx(5.244 / 8.819, abs=0.001)
    assert sum(found.values()) == pytest.approx(1)


def test_a_published_examples_intervals_are_weerahandis() -> None:
    # By hand from the same mean squares, of 5, 3 and 15 degrees of freedom: each over a drawn chi-square over its
    # degrees of freedom, and the shares of the components of these. Another seed, ten times the draws.
    df = np.array([5, 3, 15])
    drawn_squares = np.array([11.24, 32.49, 1.02]) * df / np.random.default_rng(9).chisquare(df, (200_000, 3))
    targets, judges, rest = drawn_squares.T
    parts = np.maximum([targets - rest, judges - rest], 0) / [[4], [6]]
    expected = np.quantile(parts / (parts.sum(axis=0) + rest), [0.025, 0.975], axis=1)
    found = shares_by_source(RATINGS.reshape(1, -1), {"target": 6, "judge": 4})
    assert found is not None
    ends = np.array([(one.low, one.high) for one in found.shares[:2]]).T
    assert ends == pytest.approx(expected, abs=0.01)


def test_units_and_levels_of_conditions_do_not_matter() -> None:
    values = drawn(np.random.default_rng(0), 5, 3, 4, common=0.5)
    turned = values * np.array([[1e-3], [1.0], [7.0], [1e6], [2.0]]) + np.arange(5)[:, None]
    plain, other = (shares(shares_by_source(x, {"seed": 3, "split": 4})) for x in (values, turned))
    assert plain == pytest.approx(other)


def test_large_designs_find_the_shares_that_values_were_made_with() -> None:
    # 200 seeds by 200 splits: a standard error of about 0.03 for the split's share.
    found = shares(
        shares_by_source(drawn(np.random.default_rng(0), 4, 200, 200, common=0.5), {"seed": 200, "split": 200})
    )
    assert found == pytest.approx({"seed": SEED, "split": SPLIT, "rest": 1 - SPLIT - SEED}, abs=0.06)


def test_what_all_conditions_share_is_no_part_of_a_difference() -> None:
    # Effects of seed and split alike in all conditions leave the rest alone: each condition's spread is that of a rest.
    rng = np.random.default_rng(0)
    common = rng.normal(0, 3, (1, 5, 1)) + rng.normal(0, 3, (1, 1, 6))
    values = (common + rng.normal(0, 1, (20, 5, 6))).reshape(20, -1)
    alone = shares(shares_by_source(values, {"seed": 5, "split": 6}))
    apart = shares(shares_by_source(values, {"seed": 5, "split": 6}, of_differences=True))
    assert alone["rest"] < 0.2
    assert apart["rest"] > 0.9


def test_conditions_without_a_value_or_a_spread_are_left_out() -> None:
    values = drawn(np.random.default_rng(0), 3, 3, 3, common=0.5)
    found = shares_by_source(
        np.vstack([values, np.full((1, 9), 0.3), np.full((1, 9), np.nan)]), {"seed": 3, "split": 3}
    )
    assert found is not None
    assert found.n_conditions == 3
    assert shares_by_source(np.full((2, 9), 0.3), {"seed": 3, "split": 3}) is None


def coverage_of(sizes: tuple[int, int], n_conditions: int, common: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each interval holds its share, and the mean of each estimate: seed, split, rest."""
    truth = np.array([SEED, SPLIT, 1 - SPLIT - SEED])
    rng, held, mean = np.random.default_rng(1), np.zeros(3), np.zeros(3)
    for _ in range(n):
        found = shares_by_source(drawn(rng, n_conditions, *sizes, common), {"seed": sizes[0], "split": sizes[1]})
        assert found is not None
        held += [one.low <= share <= one.high for one, share in zip(found.shares, truth, strict=True)]
        mean += [one.share for one in found.shares]
    return held / n, mean / n


@pytest.mark.parametrize("common", [0.0, 1.0])
def test_the_intervals_hold_the_shares(common: float) -> None:
    # 100 sweeps, Monte-Carlo error 0.022 at 0.95; of one condition, where the intervals are nearest to nominal.
    held, _ = coverage_of((4, 4), 1, common, 100)
    assert held.min() >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(3, 3), (3, 4), (5, 5), (10, 10)])
@pytest.mark.parametrize(("n_conditions", "common"), [(1, 1.0), (8, 0.0), (8, 0.5), (8, 1.0)])
def test_the_intervals_hold_the_shares_in_every_setting(
    sizes: tuple[int, int], n_conditions: int, common: float
) -> None:
    held, mean = coverage_of(sizes, n_conditions, common, 1_000)
    print(f"{sizes}, {n_conditions} conditions, {common} common: held {held.round(3)}, mean share {mean.round(3)}")
    assert held.min() >= 0.93
