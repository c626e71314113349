"""Decide when a condition has enough replicates: when the interval for its mean is narrow enough.

Student's interval covers too rarely if its width decides when to stop: a sample stops early if its spread looks small
by luck. The interval that is reported here is widened for that. The decision is replayed from the values each time, so
a resumed sweep decides as the first one did.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rothamsted.metric import UNKNOWN, Metric
from rothamsted.statistics.intervals import Interval, check_level, mean_interval, t_quantile
from rothamsted.statistics.resolution import least_sd
from rothamsted.statistics.sequential import schedule_looks, stopping_level


@dataclass(frozen=True, kw_only=True)
class StopDecision:
    """Says whether one condition has enough replicates."""

    is_narrow: bool  # the interval is at most as wide as asked for
    is_finished: bool  # it is narrow, or n_max is reached
    interval: Interval | None  # for the mean, at the look that decided or the latest; covers at `level`
    n_run: int  # replicates that were run or failed by then
    n_excluded: int  # of those, without a finite value
    next_n: int | None  # replicates to have before the next look; None when finished
    reason: str  # one line


def is_narrow_enough(
    values: Sequence[float] | np.ndarray,
    *,
    width: float,
    level: float,
    n_min: int,
    n_max: int,
    step: int = 1,
    metric: Metric = UNKNOWN,
) -> StopDecision:
    """Replay the looks at one condition until its interval is at most `width` wide.

    For independent normal values the reported interval covers the mean with probability `level` or more,
    whatever the standard deviation. Values after the look that decided are not used.

    Args:
        values: (replicate,) one number each, in the order of runs. NaN = failed, infinite = diverged: both are left out
            and counted.
        width: Full width of the interval, above 0.
        level: Coverage of the reported interval, in (0, 1).
        n_min: Number of values before the first look, 2 or more.
        n_max: Number of replicates at which it always ends; there are no more values.
        step: Number of replicates between looks.
        metric: What is known of the metric. Equal shares of a known number of rows have an interval with a width.

    Raises:
        ValueError: A shape, width, count or level that cannot be.
    """
    replicates = _checked(values, width, level, n_max)
    looks = schedule_looks(n_min=n_min, n_max=n_max, step=step)
    interval, taken = None, 0
    for look in looks:
        if look > len(replicates):
            break
        taken = look
        interval = _paid_interval(replicates[:look], looks, level, metric)
        if interval is not None and interval.n >= n_min and interval.high - interval.low <= width:
            return _decision(replicates[:look], interval, width, is_narrow=True, next_n=None)
    next_n = next((look for look in looks if look > taken), None)
    return _decision(replicates[:taken], interval, width, is_narrow=False, next_n=next_n)


def _checked(values: Sequence[float] | np.ndarray, width: float, level: float, n_max: int) -> np.ndarray:
    """Return the values as (replicate,) numbers, or raise ValueError."""
    check_level(level)
    replicates = np.asarray(values, dtype=np.float64)
    if replicates.ndim != 1:
        raise ValueError(f"values: shape {replicates.shape}, must be one number a replicate")
    if len(replicates) > n_max:
        raise ValueError(
            f"values: {len(replicates)} replicates, but n_max is {n_max}; give the first {n_max} or raise it"
        )
    if not (math.isfinite(width) and width > 0):
        raise ValueError(f"width: {width} is not a width; give a number above 0")
    return replicates


def _paid_interval(values: np.ndarray, looks: tuple[int, ...], level: float, metric: Metric) -> Interval | None:
    """Return Student's interval at the level that pays for the looks, named by the level at which it covers."""
    finite, paid = values[np.isfinite(values)], stopping_level(looks, level=level)
    interval = mean_interval(finite, level=paid)
    if interval is None:
        return None
    least = t_quantile(paid, interval.n - 1) * float(least_sd(finite[:, None], metric)[0]) / math.sqrt(interval.n)
    return Interval(
        estimate=interval.estimate,
        low=min(interval.low, interval.estimate - least),
        high=max(interval.high, interval.estimate + least),
        level=level,
        n=interval.n,
        method="sequential t",
    )


def _decision(
    values: np.ndarray, interval: Interval | None, width: float, *, is_narrow: bool, next_n: int | None
) -> StopDecision:
    """Put a decision and its reason together, `values` being those that it rests on."""
    n_excluded = int((~np.isfinite(values)).sum())
    if interval is None:
        seen = "no interval yet: fewer than two values" if next_n else "no interval: fewer than two values"
    else:
        relation = "at most" if is_narrow else "not within"
        seen = f"interval {interval.high - interval.low:.4g} wide with {interval.n} values, {relation} {width:g}"
    ending = "" if is_narrow else f"; go on to {next_n}" if next_n else "; n_max is reached"
    return StopDecision(
        is_narrow=is_narrow,
        is_finished=is_narrow or next_n is None,
        interval=interval,
        n_run=len(values),
        n_excluded=n_excluded,
        next_n=next_n,
        reason=seen + ending,
    )
