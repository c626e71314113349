"""Measure what racing saves: simulated sweeps, raced and not, at the same probability of picking the right condition.

    python -m benchmarks.racing [--sweeps N] [--json FILE]

A sweep is a grid of learning rates by widths. The loss is quadratic in the logarithm of the learning rate up to
the loss of a net that learns nothing; the best learning rate moves with the width, and every sweep draws its own.
Each seed shifts all conditions alike, each replicate has noise of its own. Three ways to pick a condition:
as many replicates for each (fixed), racing, and, for as many replicates as racing took on average, one replicate
each and then fresh seeds for the top few (two-stage). Picked right: the condition with the lowest true mean.
Regret: how far the true mean of the picked condition is above that, in percent of the range of the losses.
Lost: share of sweeps in which the best condition was out before the end.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.report import Figure, publish
from rothamsted.statistics.racing import race

LEVEL, N_MIN, N_MAX = 0.95, 3, 20
N_RATES, N_WIDTHS = 12, 4
NOISES = (0.05, 0.1, 0.2)  # standard deviation of seed and of residual, in ranges of the loss
N_FINALISTS = (3, 5, 10, 20)
Draw = Callable[[int], np.ndarray]  # number of replicates -> values (condition, replicate)


@dataclass(frozen=True, kw_only=True)
class Way:
    """Says how one way of spending replicates did, over all simulated sweeps."""

    name: str
    n_replicates: float  # mean of a condition
    picked_right: float  # share of sweeps
    regret: float  # mean, in ranges of the loss
    lost_best: float  # share of sweeps in which the best condition was out before the end


def draw_surface(rng: np.random.Generator) -> np.ndarray:
    """Return the true mean losses (condition,) of one sweep, scaled to a range of 0 to 1."""
    rates = np.linspace(-3.0, 1.0, N_RATES)[:, None]  # log10 of the learning rate
    widths = np.linspace(0.0, 1.0, N_WIDTHS)[None, :]  # log of the width, scaled
    best_rate = rng.uniform(-1.8, -0.2) - rng.uniform(0.0, 1.0) * widths
    floor = 0.15 * (1 - widths) ** 2
    losses = np.minimum(floor + rng.uniform(0.15, 0.5) * (rates - best_rate) ** 2, 1.0).ravel()
    return (losses - losses.min()) / np.ptp(losses)


def draw_values(rng: np.random.Generator, losses: np.ndarray, noise: float) -> Draw:
    """Return what draws replicates: a shift for each seed, and noise for each replicate, both normal."""

    def draw(n: int) -> np.ndarray:
        seeds = rng.normal(0.0, noise, (1, n))
        return losses[:, None] + seeds + rng.normal(0.0, noise, (len(losses), n))

    return draw


def compare_ways(noise: float, *, n_sweeps: int, seed: int) -> list[Way]:
    """Simulate sweeps and return how fixed, racing and two-stage did. Two-stage gets what racing took."""
    rng = np.random.default_rng(seed)
    surfaces = [draw_surface(rng) for _ in range(n_sweeps)]
    draws = [draw_values(rng, losses, noise) for losses in surfaces]
    columns = [draw(N_MAX) for draw in draws]
    raced = _race_all(surfaces, columns)
    ways = [_fixed(surfaces, columns, n) for n in (N_MIN, 5, 10, N_MAX)] + [raced]
    return ways + [_two_stage(surfaces, draws, columns, n, raced.n_replicates) for n in N_FINALISTS]


def saving(ways: Sequence[Way]) -> float:
    """Return how many times fewer replicates racing took than the same number, N_MAX, for every condition."""
    return N_MAX / next(way for way in ways if way.name == "racing").n_replicates


def _race_all(surfaces: Sequence[np.ndarray], columns: Sequence[np.ndarray]) -> Way:
    picks, costs, lost = [], [], []
    for losses, values in zip(surfaces, columns):
        result = race(values, direction="minimize", level=LEVEL, n_min=N_MIN, n_max=N_MAX)
        last = N_MAX if result.alive.sum() > 1 else int(result.dropped_after.max())
        n_used = np.where(result.alive, last, result.dropped_after)
        costs.append(n_used.mean())
        lost.append(not result.alive[losses.argmin()])
        picks.append(int(np.where(result.alive, values[:, :last].mean(axis=1), np.inf).argmin()))
    return _way("racing", float(np.mean(costs)), surfaces, picks, float(np.mean(lost)))


def _fixed(surfaces: Sequence[np.ndarray], columns: Sequence[np.ndarray], n: int) -> Way:
    picks = [int(values[:, :n].mean(axis=1).argmin()) for values in columns]
    return _way(f"fixed, {n}", n, surfaces, picks, 0.0)


def _two_stage(
    surfaces: Sequence[np.ndarray],
    draws: Sequence[Draw],
    columns: Sequence[np.ndarray],
    n_finalists: int,
    n_replicates: float,
) -> Way:
    """One replicate each, then fresh seeds for the top few, whose mean decides; the same for every sweep."""
    n_conditions = len(surfaces[0])
    n_fresh = max(1, round((n_replicates - 1) * n_conditions / n_finalists))
    picks, lost = [], []
    for losses, draw, values in zip(surfaces, draws, columns):
        top = np.argsort(values[:, 0], kind="stable")[:n_finalists]
        lost.append(losses.argmin() not in top)
        picks.append(int(top[draw(n_fresh)[top].mean(axis=1).argmin()]))
    used = 1 + n_fresh * n_finalists / n_conditions
    return _way(f"two-stage, top {n_finalists} x {n_fresh}", used, surfaces, picks, float(np.mean(lost)))


def _way(name: str, used: float, surfaces: Sequence[np.ndarray], picks: Sequence[int], lost: float) -> Way:
    regret = np.array([losses[pick] - losses.min() for losses, pick in zip(surfaces, picks)])
    return Way(
        name=name,
        n_replicates=used,
        picked_right=float((regret == 0).mean()),
        regret=float(regret.mean()),
        lost_best=lost,
    )


def figures(noise: float, ways: Sequence[Way]) -> list[Figure]:
    """Return the table of one noise level; the target is for racing, at the same probability of picking right."""
    percent = f"noise {noise:.0%}"
    rows = [
        Figure(
            name=f"{percent}: {way.name}",
            value=way.n_replicates,
            unit="replicates a condition",
            note=f"picked right {way.picked_right:.3f}, regret {way.regret:.2%} of range, lost {way.lost_best:.3f}",
        )
        for way in ways
    ]
    note = f"fixed, {N_MAX}, against racing at level {LEVEL:g}"
    return [
        *rows,
        Figure(name=f"{percent}: racing saves", value=saving(ways), unit="times", at_least=2.0, note=note),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sweeps", type=int, default=2000, help="simulated sweeps a noise level (2000)")
    parser.add_argument("--json", type=Path, default=None, help="write the figures here too")
    arguments = parser.parse_args()
    rows: list[Figure] = []
    for number, noise in enumerate(NOISES):
        rows += figures(noise, compare_ways(noise, n_sweeps=arguments.sweeps, seed=number))
    title = (
        f"Racing, {N_RATES * N_WIDTHS} conditions, {N_MIN} to {N_MAX} replicates, {arguments.sweeps} simulated sweeps"
    )
    publish(title, rows, arguments.json)


if __name__ == "__main__":
    main()
