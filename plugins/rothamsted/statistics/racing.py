"""Race conditions: run replicates in rounds, and after each round drop the conditions that are clearly not the best.

It is a decision rule with a proven error rate. It keeps no state: a race is replayed from its results each time, so a
resumed sweep decides as the first one did.

The rule. Replicate r has the same seed in every condition. In replicate r each condition is compared with the
conditions that led *before* r: its difference to their mean is one number. If a condition is the best, that number has
a mean of zero or below, whoever leads, because the leaders were chosen without replicate r. So a one-sided t test of
each condition, on its series of differences, asks whether it can be the best. Only the test of the truly best condition
can cause an error, so its error rate is that of the race. No correction for the number of conditions is needed,
whatever the noise of each condition and however they correlate within a seed. `one_sided_levels` corrects for repeated
looks.

It assumes independent replicates with differences that are about normal, or have the long tail on the bad side.
tests/statistics/test_racing_simulation.py checks the error rate under unequal, heavy-tailed and coarse noise. The rate
does not hold if means depend on rare events. Against nine conditions with an equal mean that are better in nine seeds
of ten and fail in the tenth, the best was dropped in 45 % of races, before they had failed. If its own noise is
log-normal with the long tail on the good side, it was dropped in 24 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rothamsted.statistics.intervals import check_level, moments
from rothamsted.statistics.reduce import Direction
from rothamsted.statistics.resolution import smallest_step
from rothamsted.statistics.sequential import one_sided_levels, schedule_looks
from rothamsted.statistics.special import stdtr

N_LEADERS = 3  # one leader doubles the noise of a difference, many are worse than the best; 3 to 5 cost least


@dataclass(frozen=True, kw_only=True)
class Race:
    """Holds the state of a race after the rounds that were run."""

    alive: np.ndarray  # (condition,) bool: still in the race
    dropped_after: np.ndarray  # (condition,) int: replicates after which it was dropped; 0 = alive
    n_rounds: int  # looks taken
    is_finished: bool  # at most one condition is left, or n_max is reached
    next_n: int | None  # replicates that each condition alive should have next; None when finished
    reasons: Mapping[int, str]  # dropped condition -> one line
    error_rate_bound: float  # probability that the truly best condition is dropped at any look


def race(
    values: np.ndarray,
    *,
    direction: Direction,
    level: float,
    n_min: int,
    n_max: int,
    step: int = 1,
    diverged: np.ndarray | None = None,
    n_run: int | None = None,
) -> Race:
    """Replay a race: look after n_min, n_min + step, ..., n_max replicates and drop conditions that cannot be the best.

    A missing value counts neither for nor against its condition. A condition that diverged has no finite mean and is
    dropped at the next look. Values of a condition after the look that dropped it are not used. A condition without any
    value stays in the race.

    Args:
        values: (condition, replicate), in the order of seeds, replicate r of all conditions with the same seed.
            NaN = failed or not run; infinite (either sign) = diverged.
        direction: "minimize" or "maximize".
        level: 1 - level bounds the probability that the truly best condition is ever dropped; in (0, 1).
        n_min: Number of replicates before the first look, 2 or more.
        n_max: Number of replicates at which the race ends; `values` has no more columns.
        step: Number of replicates in each round after the first.
        diverged: (condition, replicate) bool, for replicates that diverged although their value is finite or missing.
        n_run: Number of replicates that every condition in the race has run or failed; later columns are ignored. The
            default is all columns up to the last with a value.

    Returns:
        The state of the race. No condition is left only if every condition diverged.

    Raises:
        ValueError: A shape, count, level or direction that cannot be.
    """
    check_level(level)
    looks = schedule_looks(n_min=n_min, n_max=n_max, step=step)
    scores, is_diverged, n_run = _checked(values, direction, diverged, n_run, n_max)
    n_rounds, drops = _replay(scores, is_diverged, looks, n_run, alpha=round(1 - level, 12))
    return _replayed(len(scores), looks, n_rounds, drops, error_rate_bound=round(1 - level, 12))


def _replayed(
    n_conditions: int,
    looks: tuple[int, ...],
    n_rounds: int,
    drops: Mapping[int, tuple[int, str]],
    *,
    error_rate_bound: float,
) -> Race:
    """Put the outcome of a replay together."""
    dropped_after = np.zeros(n_conditions, dtype=np.int64)
    for condition, (look, _) in drops.items():
        dropped_after[condition] = look
    is_finished = n_rounds == len(looks) or (n_rounds > 0 and n_conditions - len(drops) <= 1)
    return Race(
        alive=dropped_after == 0,
        dropped_after=dropped_after,
        n_rounds=n_rounds,
        is_finished=is_finished,
        next_n=None if is_finished else looks[n_rounds],
        reasons={condition: reason for condition, (_, reason) in drops.items()},
        error_rate_bound=error_rate_bound,
    )


def _replay(
    scores: np.ndarray, is_diverged: np.ndarray, looks: tuple[int, ...], n_run: int, *, alpha: float
) -> tuple[int, dict[int, tuple[int, str]]]:
    """Take the looks that can be taken; return their number and condition -> (look that dropped it, reason)."""
    n_unused = 0 if len(scores) <= N_LEADERS + 1 else 1  # without a past nobody leads, unless all others do
    alive = np.ones(len(scores), dtype=bool)
    behind = np.full(scores.shape, np.nan)  # (condition, replicate) how far behind the leaders
    dropped: dict[int, tuple[int, str]] = {}
    seen = n_rounds = 0
    for look, allowed in zip(looks, one_sided_levels(looks, alpha=alpha, n_unused=n_unused)):
        if look > n_run or (n_rounds and alive.sum() <= 1):
            break
        for replicate in range(max(seen, n_unused), look):
            behind[:, replicate] = _behind_leaders(scores, is_diverged, alive, replicate)
        drops = _drops(behind[:, :look], scores[:, :look], is_diverged[:, :look], alive, allowed)
        for condition, reason in drops.items():
            alive[condition], dropped[condition] = False, (look, reason)
        seen, n_rounds = look, n_rounds + 1
    return n_rounds, dropped


def _checked(
    values: np.ndarray, direction: Direction, diverged: np.ndarray | None, n_run: int | None, n_max: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return scores (low is good, NaN where there is none) and who diverged, both (condition, replicate), and n_run."""
    scores = np.array(values, dtype=np.float64)
    if scores.ndim != 2:
        raise ValueError(f"values: shape {scores.shape}, must be (condition, replicate)")
    if scores.shape[1] > n_max:
        raise ValueError(
            f"values: {scores.shape[1]} replicates, but n_max is {n_max}; give the first {n_max} or raise it"
        )
    if direction not in ("minimize", "maximize"):
        raise ValueError(f"direction: {direction!r} is not known; use minimize or maximize")
    is_diverged = np.isinf(scores)
    if diverged is not None:
        if np.shape(diverged) != scores.shape:
            raise ValueError(f"diverged: shape {np.shape(diverged)}, must be that of values, {scores.shape}")
        is_diverged |= np.asarray(diverged, dtype=bool)
    with_news = np.flatnonzero((np.isfinite(scores) | is_diverged).any(axis=0))
    if n_run is None:
        n_run = int(with_news[-1]) + 1 if len(with_news) else 0
    if not 0 <= n_run <= scores.shape[1]:
        raise ValueError(f"n_run: {n_run} replicates, but values has {scores.shape[1]} columns; give 0 to that")
    scores = np.where(is_diverged, np.nan, scores if direction == "minimize" else -scores)
    return scores, is_diverged, n_run


def _behind_leaders(scores: np.ndarray, is_diverged: np.ndarray, alive: np.ndarray, replicate: int) -> np.ndarray:
    """Return each condition's score in one replicate less the mean of those that led before it.

    The leaders of a condition are the N_LEADERS others with the best mean over earlier replicates, of those in
    the race that have a value now. NaN for a condition that is out, has no value, or has nobody to be set against.
    """
    past, now = scores[:, :replicate], scores[:, replicate]
    is_in = alive & np.isfinite(now) & ~is_diverged[:, :replicate].any(axis=1)
    n = np.isfinite(past).sum(axis=1)
    with np.errstate(over="ignore"):
        mean = np.where(n > 0, np.nansum(past, axis=1) / np.maximum(n, 1), np.inf)  # without a past: the last
    runners = np.flatnonzero(is_in)
    ranked = runners[np.argsort(mean[runners], kind="stable")]
    n_leaders = min(N_LEADERS, len(ranked) - 1)
    behind = np.full(len(scores), np.nan)
    if n_leaders < 1:
        return behind
    with np.errstate(over="ignore", invalid="ignore"):
        behind[runners] = now[runners] - now[ranked[:n_leaders]].mean()
        front = ranked[: n_leaders + 1]
        for leader in front[:-1]:  # nobody is set against itself: the next one takes its place
            behind[leader] = now[leader] - now[front[front != leader]].mean()
    return behind


def _drops(
    behind: np.ndarray, scores: np.ndarray, is_diverged: np.ndarray, alive: np.ndarray, allowed: float
) -> dict[int, str]:
    """Return who is dropped at a look, with the reason.

    Args:
        behind: (condition, replicate) differences to the leaders so far.
        scores: (condition, replicate) so far.
        is_diverged: (condition, replicate) so far.
        alive: (condition,) who is in the race before the look.
        allowed: Level of each test at this look.
    """
    drops: dict[int, str] = {}
    for condition in np.flatnonzero(alive & is_diverged.any(axis=1)):
        first = int(np.flatnonzero(is_diverged[condition])[0])
        drops[int(condition)] = f"diverged in replicate {first}"
    rivals = np.array([c for c in np.flatnonzero(alive) if c not in drops], dtype=np.int64)
    mean, sd, n = moments(behind[rivals].T)
    floor = smallest_step(scores[rivals]) / 6**0.5
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        t = mean * np.sqrt(n) / np.maximum(sd, floor)
        p_values = np.where(n > 1, stdtr(np.maximum(n - 1, 1), -t), np.nan)
    is_out = p_values <= allowed
    if is_out.all() and len(rivals):  # every one behind those that led before it: the least so stays
        is_out[int(np.nanargmin(mean))] = False
    for index in np.flatnonzero(is_out):
        drops[int(rivals[index])] = (
            f"behind the leaders by {mean[index]:.4g} on average over {n[index]} replicates: "
            f"p = {p_values[index]:.2g}, at most {allowed:.2g} at this look"
        )
    return drops
