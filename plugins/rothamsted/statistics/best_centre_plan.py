"""Plan how many seeds would decide open verdicts about medians, interquartile means or quantiles, by resampling.

Seeds are drawn with replacement, for all conditions at once if seeds are common, and judged as `compare_with_best`
judges. `best_power` draws normal values instead, which have no rare bad seeds. The answer is a plan and no promise:
seeds that have not been seen cannot be drawn.
"""

from __future__ import annotations

import math

import numpy as np

from rothamsted.statistics.best import compare_with_best
from rothamsted.statistics.best_centres import by_centres, fewest_seeds, turned
from rothamsted.statistics.best_scale import LEAST_RESOLUTION, scale
from rothamsted.statistics.centres import parse_over
from rothamsted.statistics.intervals import DEFAULT_LEVEL
from rothamsted.statistics.power import DEFAULT_POWER
from rothamsted.statistics.reduce import Direction

MOST_SEEDS = 100  # a plan beyond this is said to be none
MOST_CONDITIONS = 20  # for more a plan takes seconds
N_SWEEPS = 100
GROWTH = 1.5


def seeds_to_decide_by(
    values: np.ndarray,
    *,
    over: str,
    direction: Direction,
    is_paired: bool,
    rng: np.random.Generator,
    level: float = DEFAULT_LEVEL,
    smallest_difference: float | None = None,
    power: float = DEFAULT_POWER,
    most: int = MOST_SEEDS,
) -> tuple[int | None, ...]:
    """Return for each condition how many seeds, in all, would decide its open verdict; see `best_power`.

    Args:
        values: (condition, seed), as `compare_with_best` takes them.
        over: See `centres.centre_of`; not the mean.
        direction: As `compare_with_best`; so are is_paired, level and smallest_difference.
        is_paired: Whether columns are seeds.
        rng: Where the resampled sweeps come from; equal generators give equal answers.
        level: Confidence level of the verdicts.
        smallest_difference: The smallest difference that matters, in the metric's units.
        power: Share of resampled sweeps in which a condition is decided, in (0, 1).
        most: Greatest number of seeds that is tried.

    Returns:
        (condition,) the present number if the verdict is not open; None if more than `most` would be needed.
    """
    found = compare_with_best(
        values,
        direction=direction,
        is_paired=is_paired,
        level=level,
        smallest_difference=smallest_difference,
        over=over,
    )
    if found is None:
        return (None,) * len(values)
    answers = [row.n if row.verdict in ("worse", "as good") else None for row in found.rows]
    rows = [index for index, row in enumerate(found.rows) if row.n > 0]
    lower = np.asarray(values, dtype=np.float64)[rows] * (1.0 if direction == "minimize" else -1.0)
    lower = np.where(np.isfinite(lower), lower, np.nan)
    is_open = np.array([found.rows[index].verdict == "open" for index in rows])
    if not is_open.any() or len(rows) > MOST_CONDITIONS:
        return tuple(answers)
    scaled = scale(lower)
    centre, alpha = turned(parse_over(over), direction), round(1 - level, 12)
    within = 0.0 if not smallest_difference else float(np.ldexp(smallest_difference, -scaled.exponent))
    run = by_centres(centre)
    n = max(int(np.isfinite(lower).sum(axis=1).max()) + 1, 2)
    n = max(n, fewest_seeds(centre, len(rows), level=level, is_paired=is_paired))
    while is_open.any() and n <= most:
        drawn = _drawn(scaled.values, n, is_paired, rng)
        judged = run(drawn, is_paired, alpha, np.full(len(rows), LEAST_RESOLUTION))
        is_decided = (judged.is_worse | (judged.high <= within)).mean(axis=0) >= power
        for at in np.flatnonzero(is_open & is_decided):
            answers[rows[at]] = n
        is_open &= ~is_decided
        n = max(n + 1, math.ceil(GROWTH * n))
    return tuple(answers)


def _drawn(x: np.ndarray, n: int, is_paired: bool, rng: np.random.Generator) -> np.ndarray:
    """Return sweeps of n seeds drawn with replacement, (sweep, condition, seed); a missing value stays missing."""
    if is_paired:
        return np.moveaxis(x[:, rng.integers(x.shape[1], size=(N_SWEEPS, n))], 0, 1)
    found = np.empty((N_SWEEPS, len(x), n))
    for index, row in enumerate(x):
        found[:, index] = rng.choice(row[np.isfinite(row)], size=(N_SWEEPS, n))
    return found
