"""Crossed replicates as independent ones: the formula, what is kept, and coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from rothamsted.statistics import compare_with_best
from rothamsted.statistics.crossed import Crossing, crossing_of, independent_values
from rothamsted.statistics.summary import summarize

SIZES = [(3, 3), (4, 4), (3, 4), (4, 3), (3, 8), (2, 3, 3)]
# Standard deviations of the two sources and of the rest: none, one large, both large, no rest.
SOURCES = [(0.0, 0.0, 1.0), (1.0, 1.0, 1.0), (5.0, 0.0, 1.0), (0.0, 5.0, 1.0), (5.0, 5.0, 1.0), (1.0, 1.0, 0.0)]


def drawn(rng: np.random.Generator, sizes: tuple[int, ...], sd: tuple[float, float, float], n: int) -> np.ndarray:
    """(combination, point) of one normal effect a number of the first two sources, and the rest."""
    effects = rng.normal(0, sd[0], (n, sizes[0], 1)) + rng.normal(0, sd[1], (n, 1, sizes[1]))
    return (effects + rng.normal(0, sd[2], (n, *sizes))).reshape(n, -1).T


def made(values: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    return independent_values(values, Crossing(cells=tuple(range(len(values))), sizes=sizes))


def test_of_a_square_they_are_row_mean_plus_column_mean_less_the_mean() -> None:
    # By hand: rows 2 and 6, columns 3 and 5, mean 4; 2 + 3 - 4 and 6 + 5 - 4.
    values = np.array([[1.0], [3.0], [5.0], [7.0]])
    np.testing.assert_allclose(made(values, (2, 2))[:, 0], [1.0, 7.0])


@pytest.mark.parametrize("sizes", SIZES)
def test_they_have_the_mean_of_all_and_as_many_as_the_shortest_source(sizes: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).normal(size=(int(np.prod(sizes)), 5))
    found = made(values, sizes)
    assert found.shape == (min(sizes), 5)
    np.testing.assert_allclose(found.mean(axis=0), values.mean(axis=0))


def test_a_missing_combination_is_what_the_others_add_up_to() -> None:
    # By hand: rows 0 and 10, columns 0, 1 and 2, without any rest: the missing one is 11.
    whole = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]])
    without = np.delete(whole, 4, axis=0)
    found = independent_values(without, Crossing(cells=(0, 1, 2, 3, 5), sizes=(2, 3)))
    np.testing.assert_allclose(found, made(whole, (2, 3)))


def test_nothing_is_said_where_a_number_of_a_source_is_missing_altogether() -> None:
    found = independent_values(np.zeros((4, 1)), Crossing(cells=(0, 1, 3, 4), sizes=(2, 3)))
    assert np.isnan(found).all()


@pytest.mark.parametrize("sizes", [(3, 3), (3, 4)])
@pytest.mark.parametrize("sd", SOURCES)
def test_the_t_interval_covers_the_mean(sizes: tuple[int, int], sd: tuple[float, float, float]) -> None:
    # Monte-Carlo error 0.002 at 0.95; what is above is the price of the rest being counted with both sources.
    values = drawn(np.random.default_rng(1), sizes, sd, 10_000)
    found = made(values, sizes)
    half = t.ppf(0.975, len(found) - 1) * found.std(axis=0, ddof=1) / np.sqrt(len(found))
    coverage = float((np.abs(found.mean(axis=0)) <= half).mean())
    assert 0.944 <= coverage <= 0.985


def test_replicates_taken_as_independent_would_cover_far_less() -> None:
    # What is guarded against: two large sources, 4 x 4 trainings as 16 independent values.
    values = drawn(np.random.default_rng(1), (4, 4), (1.0, 1.0, 0.5), 4_000)
    half = t.ppf(0.975, 15) * values.std(axis=0, ddof=1) / 4
    assert float((np.abs(values.mean(axis=0)) <= half).mean()) < 0.8


def test_a_summary_has_the_interval_of_the_independent_ones_and_the_mean_of_all() -> None:
    values = drawn(np.random.default_rng(2), (3, 4), (1.0, 1.0, 1.0), 7)
    crossing = crossing_of({"seed": 3, "data.seed": 4}, range(12))
    assert crossing is not None
    found, own = summarize(values, crossing=crossing), summarize(made(values, (3, 4)))
    for key in ("sem", "ci_low", "ci_high", "n"):
        np.testing.assert_allclose(found[key], own[key])
    np.testing.assert_allclose(found["sd"], values.std(axis=0, ddof=1))


def tied_best_called_worse_and_lost(
    sizes: tuple[int, int], common: tuple[float, float], own: tuple[float, float], n_sweeps: int
) -> tuple[float, float]:
    """Of 6 conditions, the first 3 tied best: how often one of them is called worse, how often the first is lost."""
    rng, n_worse, n_lost = np.random.default_rng(3), 0, 0
    level = np.array([0.0, 0.0, 0.0, 1.0, 2.0, 4.0])
    for _ in range(n_sweeps):
        shared = drawn(rng, sizes, (*common, 0.0), 1)
        each = drawn(rng, sizes, (*own, 1.0), 6)
        x = made(level[None, :] + shared + each, sizes).T
        found = compare_with_best(x, direction="minimize", is_paired=True)
        n_worse += any(one.verdict == "worse" for one in found.rows[:3])
        n_lost += not found.rows[0].is_in_set
    return n_worse / n_sweeps, n_lost / n_sweeps


@pytest.mark.parametrize("sd", [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0)])
def test_no_more_of_the_tied_best_are_called_worse_or_lost_than_stated(sd: tuple[float, float]) -> None:
    # 600 sweeps, Monte-Carlo error 0.009 at 0.05; the whole is in docs/log.md.
    n_worse, n_lost = tied_best_called_worse_and_lost((4, 4), (1.0, 1.0), sd, 600)
    assert n_worse <= 0.055
    assert n_lost <= 0.055


@pytest.mark.slow
@pytest.mark.parametrize("sizes", SIZES[:5])
@pytest.mark.parametrize("sd", SOURCES)
def test_coverage_and_errors_hold_in_every_setting(sizes: tuple[int, int], sd: tuple[float, float, float]) -> None:
    values = drawn(np.random.default_rng(1), sizes, sd, 100_000)
    found = made(values, sizes)
    half = t.ppf(0.975, len(found) - 1) * found.std(axis=0, ddof=1) / np.sqrt(len(found))
    coverage = float((np.abs(found.mean(axis=0)) <= half).mean())
    n_worse, n_lost = tied_best_called_worse_and_lost(sizes, (1.0, 1.0), sd[:2], 2_000)
    print(f"{sizes} {sd}: coverage {coverage:.4f}, called worse {n_worse:.4f}, lost {n_lost:.4f}")
    assert coverage >= 0.945
    assert max(n_worse, n_lost) <= 0.055 + 2 * 0.005  # Monte-Carlo error 0.005
