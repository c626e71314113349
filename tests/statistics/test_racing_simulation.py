"""How often a race drops the best condition, and what it saves, by simulation with fixed seeds.

The authority is the claim itself: at level 0.95 the truly best condition is dropped in at most 5 % of races. The
worst case is a tie: condition 0 is the best, and no other is worse unless the scenario says so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.racing import N_MAX, compare_ways, figures, saving
from rothamsted.statistics.intervals import mean_interval
from rothamsted.statistics.racing import race

LEVEL = 0.95
Noise = Callable[[np.random.Generator, int], np.ndarray]  # (generator, n_conditions) -> values (condition, 20)
N_REPLICATES = 20


def _scaled(scale: Callable[[np.random.Generator, int], np.ndarray]) -> Noise:
    return lambda rng, k: scale(rng, k)[:, None] * rng.standard_normal((k, N_REPLICATES))


def _best_times(factor: float) -> Noise:
    return _scaled(lambda rng, k: np.where(np.arange(k) == 0, factor, 1.0))


def _seed_effects(rng: np.random.Generator, k: int) -> np.ndarray:
    return rng.standard_normal((k, N_REPLICATES)) + 5 * rng.standard_normal((1, N_REPLICATES))


def _correlated(rng: np.random.Generator, k: int) -> np.ndarray:
    """A seed's luck goes along three hidden directions, differently for each condition."""
    return rng.standard_normal((k, 3)) @ rng.standard_normal((3, N_REPLICATES)) + 0.3 * rng.standard_normal(
        (k, N_REPLICATES)
    )


def _coarse(step: float) -> Noise:
    return lambda rng, k: np.round(rng.standard_normal((k, N_REPLICATES)) / step) * step


def _missing(rng: np.random.Generator, k: int) -> np.ndarray:
    values = rng.standard_normal((k, N_REPLICATES))
    return np.where(rng.random((k, N_REPLICATES)) < 0.2, np.nan, values)


def _gamblers(rng: np.random.Generator, k: int) -> np.ndarray:
    """Half of the conditions are ten times as noisy: those that lead by luck are set against the quiet best."""
    return np.where(np.arange(k) < k // 2, 1.0, 10.0)[:, None] * rng.standard_normal((k, N_REPLICATES))


def _staircase(rng: np.random.Generator, k: int) -> np.ndarray:
    """Each condition is a little worse than the one before: some are dropped by luck, the lucky ones lead."""
    return 0.2 * np.arange(k)[:, None] + rng.standard_normal((k, N_REPLICATES))


SCENARIOS: dict[str, Noise] = {
    "equal noise": _best_times(1.0),
    "the best is three times as noisy": _best_times(3.0),
    "the best is three times as quiet": _best_times(1 / 3),
    "noise spread over two orders of magnitude": _scaled(lambda rng, k: np.exp(rng.standard_normal(k))),
    "gamblers": _gamblers,
    "t4 noise": lambda rng, k: rng.standard_t(4, (k, N_REPLICATES)),
    "log-normal noise": lambda rng, k: np.exp(rng.standard_normal((k, N_REPLICATES))),
    "seed effects": _seed_effects,
    "noise that correlates within a seed": _correlated,
    "values in steps of half a standard deviation": _coarse(0.5),
    "values in steps of two standard deviations": _coarse(2.0),
    "a fifth of the values missing": _missing,
    "staircase": _staircase,
}
FAST = (
    "the best is three times as noisy",
    "noise spread over two orders of magnitude",
    "t4 noise",
    "seed effects",
    "values in steps of two standard deviations",
    "a fifth of the values missing",
)


def share_dropped(noise: Noise, *, n_conditions: int, n_races: int, seed: int, step: int = 1) -> float:
    """Return the share of races in which condition 0 is dropped."""
    rng = np.random.default_rng(seed)
    n_dropped = 0
    for _ in range(n_races):
        values = noise(rng, n_conditions)
        result = race(values, direction="minimize", level=LEVEL, n_min=3, n_max=N_REPLICATES, step=step)
        n_dropped += not result.alive[0]
    return n_dropped / n_races


def highest_by_chance(n_races: int) -> float:
    """0.05 and three standard errors of a simulated share: exceeded by chance once in 700."""
    return 0.05 + 3 * (0.05 * 0.95 / n_races) ** 0.5


@pytest.mark.parametrize("name", FAST)
def test_a_race_of_10_keeps_its_error_rate(name: str) -> None:
    share = share_dropped(SCENARIOS[name], n_conditions=10, n_races=500, seed=1)
    assert share <= highest_by_chance(500)


@pytest.mark.parametrize("n_conditions", [2, 4, 50])
def test_a_race_keeps_its_error_rate_for_any_number_of_conditions(n_conditions: int) -> None:
    share = share_dropped(SCENARIOS["equal noise"], n_conditions=n_conditions, n_races=400, seed=2)
    assert share <= highest_by_chance(400)


def test_the_error_rate_of_a_tie_is_used_not_wasted() -> None:
    # Theory: with equal normal noise each test is exact, and its price is, so that a tie errs at 0.05: no less
    # than 0.05 - 3 standard errors. Bonferroni over nine conditions and eighteen looks errs at 0.01.
    share = share_dropped(SCENARIOS["equal noise"], n_conditions=10, n_races=1500, seed=3)
    assert 0.05 - 3 * (0.05 * 0.95 / 1500) ** 0.5 <= share <= highest_by_chance(1500)


def test_rounds_of_several_replicates_keep_the_error_rate() -> None:
    share = share_dropped(SCENARIOS["equal noise"], n_conditions=10, n_races=500, seed=4, step=4)
    assert share <= highest_by_chance(500)


@pytest.mark.parametrize("noise", [0.05, 0.1])
def test_racing_takes_half_the_replicates_at_the_same_probability_of_picking_right(noise: float) -> None:
    # The issue's own target: at least twice fewer than n_max for every condition.
    ways = {way.name: way for way in compare_ways(noise, n_sweeps=200, seed=5)}
    fixed, raced = ways[f"fixed, {N_MAX}"], ways["racing"]
    assert saving(list(ways.values())) >= 2
    # Same values, so that picks differ only where racing dropped what would have been picked: within 0.03.
    assert abs(fixed.picked_right - raced.picked_right) <= 0.03
    assert raced.lost_best <= 0.05


def _rare_failures(rng: np.random.Generator, k: int) -> np.ndarray:
    """All means are 0; all but condition 0 are at -1 and, in one seed of ten, at 9."""
    failed = rng.random((k, N_REPLICATES)) < 0.1
    failed[0] = False
    level = np.where(np.arange(k) == 0, 0.0, -1.0)[:, None]
    return level + 10.0 * failed + 0.2 * rng.standard_normal((k, N_REPLICATES))


def _lucky_best(rng: np.random.Generator, k: int) -> np.ndarray:
    """All means are 0; the best has now and then a replicate that is far better than its others."""
    values = rng.standard_normal((k, N_REPLICATES))
    values[0] = np.exp(0.5) - np.exp(rng.standard_normal(N_REPLICATES))
    return values


@pytest.mark.parametrize(("noise", "at_least"), [(_rare_failures, 0.3), (_lucky_best, 0.12)])
def test_where_means_hang_on_rare_events_the_error_rate_does_not_hold(noise: Noise, at_least: float) -> None:
    # The limit that the module names: 0.45 and 0.24 in 1,000 races; 200 here, three standard errors below.
    assert share_dropped(noise, n_conditions=10, n_races=200, seed=9) >= at_least


def _coverage(spread: float, n_races: int, seed: int) -> tuple[float, float]:
    """How often plain 95 % t intervals of dropped conditions and of survivors hold the mean.

    Args:
        spread: of ten true means, in standard deviations of the noise.
        n_races: simulated.
        seed: of the simulation.
    """
    rng = np.random.default_rng(seed)
    held: dict[bool, list[bool]] = {True: [], False: []}
    for _ in range(n_races):
        means = rng.uniform(0, spread, 10)
        values = means[:, None] + rng.standard_normal((10, N_MAX))
        seen = race(values, direction="minimize", level=0.95, n_min=3, n_max=N_MAX)
        for k in range(10):
            n = int(seen.dropped_after[k]) or N_MAX
            found = mean_interval(values[k, :n], level=0.95)
            assert found is not None
            held[bool(seen.alive[k])].append(found.low <= means[k] <= found.high)
    return float(np.mean(held[False])), float(np.mean(held[True]))


def test_the_interval_of_a_dropped_condition_covers_too_rarely_where_conditions_are_alike() -> None:
    # 0.84 and 0.96 in 300 races (438 dropped) where the means differ by no more than the noise.
    dropped, survived = _coverage(1.0, n_races=120, seed=10)
    assert dropped <= 0.92
    assert survived >= 0.93


def test_two_stage_gets_the_replicates_that_racing_took() -> None:
    ways = compare_ways(0.1, n_sweeps=20, seed=8)
    raced = next(way for way in ways if way.name == "racing")
    # Fresh seeds are whole numbers: rounding is at most half a seed for 20 finalists of 48 conditions.
    staged = [way.n_replicates for way in ways if way.name.startswith("two-stage")]
    assert staged == pytest.approx([raced.n_replicates] * 4, abs=0.5 * 20 / 48 + 1e-9)


def test_the_table_of_figures_shows_every_way_and_what_racing_saves() -> None:
    ways = compare_ways(0.1, n_sweeps=20, seed=8)
    table = figures(0.1, ways)
    assert len(table) == len(ways) + 1
    assert (table[-1].value, table[-1].at_least) == (saving(ways), 2.0)


@pytest.mark.slow
@pytest.mark.parametrize("n_conditions", [10, 50])
@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_a_race_keeps_its_error_rate_in_many_simulations(name: str, n_conditions: int) -> None:
    n_races = 10_000 if n_conditions == 10 else 3_000
    share = share_dropped(SCENARIOS[name], n_conditions=n_conditions, n_races=n_races, seed=6)
    print(f"{name}, {n_conditions} conditions: {share:.4f}")  # for docs/log.md: pytest -s
    assert share <= highest_by_chance(n_races)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.05, 0.1, 0.2])
def test_racing_saves_half_in_many_simulations(noise: float) -> None:
    ways = {way.name: way for way in compare_ways(noise, n_sweeps=2000, seed=7)}
    print(f"noise {noise}: saves {saving(list(ways.values())):.2f} times")
    assert saving(list(ways.values())) >= (2 if noise <= 0.1 else 1.9)
    assert abs(ways[f"fixed, {N_MAX}"].picked_right - ways["racing"].picked_right) <= 0.02
