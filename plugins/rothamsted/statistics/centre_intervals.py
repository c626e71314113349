"""Compute intervals for the median, the interquartile mean and a quantile of a condition over its replicates.

`intervals` has those for means. A median or quantile lies between two ordered values with a probability that the
binomial distribution gives, whatever the values' distribution: Thompson (1936), Annals of Mathematical Statistics 7(3).
The interquartile mean has Student's t with winsorized variance, Tukey & McLaughlin (1963), Sankhya A 25(3), at a level
that is raised for few values. Too few replicates have no interval at the level; the reason says how many would.
"""

from __future__ import annotations

import math

import numpy as np

from rothamsted.metric import UNKNOWN, Metric
from rothamsted.statistics.centres import LEAST_N_IQM, Centre, centre_of, n_trimmed, parse_over
from rothamsted.statistics.intervals import (
    DEFAULT_LEVEL,
    Interval,
    check_level,
    t_quantile,
    why_no_spread,
    within_range,
)
from rothamsted.statistics.ranges import scale_of
from rothamsted.statistics.resolution import least_sd
from rothamsted.statistics.special import bdtr

ORDER, TRIMMED = "order statistics", "trimmed t"
TAILS = 1.4  # a trimmed t of few values errs so much more often than it says: simulated, see docs/statistics.md
MOST_NEEDED = 10_000  # replicates that are counted up to


def kind_of(over: str) -> str:
    """Return the name of the interval for `over`, whatever the metric's range."""
    return TRIMMED if parse_over(over).kind == "iqm" else ORDER


def centre_interval(
    values: np.ndarray, over: str, *, level: float = DEFAULT_LEVEL, metric: Metric = UNKNOWN
) -> Interval | None:
    """Return a confidence interval for the median, interquartile mean or quantile of the population of replicates.

    Args:
        values: (replicate,) NaN and infinity are left out and not counted.
        over: "median", "iqm" or "quantile:Q", see `centres`.
        level: Nominal coverage, in (0, 1).
        metric: What is known of the metric: the interval stays in its range, unless a value lies outside.

    Returns:
        The interval; None if `why_no_centre_interval` has a reason. No other method is used instead.

    Raises:
        SpecError: `over` is unknown. ValueError: the level is outside (0, 1).
    """
    check_level(level)
    finite = np.sort(np.asarray(values, dtype=np.float64)[np.isfinite(values)])
    if why_no_centre_interval(finite, over, level=level, metric=metric):
        return None
    centre, estimate, n = parse_over(over), centre_of(finite, over), len(finite)
    if centre.kind == "iqm":
        half = t_quantile(1 - (1 - level) / TAILS, n - 2 * n_trimmed(n) - 1) * trimmed_error(finite, metric)
        low, high = within_range(finite[:, None], np.array([estimate]), np.array([half]), metric)
        scale = scale_of(finite, metric)
        method = TRIMMED if scale == "t" else f"trimmed {scale}"
        return Interval(estimate=estimate, low=float(low[0]), high=float(high[0]), level=level, n=n, method=method)
    first, last = order_ranks(n, centre.q, level) or (1, n)
    return Interval(
        estimate=estimate, low=float(finite[first - 1]), high=float(finite[last - 1]), level=level, n=n, method=ORDER
    )


def why_no_centre_interval(values: np.ndarray, over: str, *, level: float, metric: Metric = UNKNOWN) -> str:
    """Say why the finite values (replicate,) have no such interval, and how many would; empty if they have one."""
    centre, n = parse_over(over), len(values)
    if n == 0:
        return "no finite value: no interval"
    if n == 1:
        return "one replicate: no interval"
    if centre.kind == "iqm":
        few = f"{n} replicates: nothing is left out, their interquartile mean is the mean; no interval below "
        return f"{few}{LEAST_N_IQM}" if n < LEAST_N_IQM else why_no_spread(values, metric)
    if order_ranks(n, centre.q, level) is not None:
        return ""
    reached = 1 - centre.q**n - (1 - centre.q) ** n
    return (
        f"{n} replicates: no interval of the {centre.words} at level {level:g}: it lies between the least and the "
        f"greatest value at {math.floor(1000 * reached) / 10:g} %, and {n_needed(centre, level)} replicates reach it"
    )


def odd_centre(values: np.ndarray, over: str, metric: Metric) -> str:
    """Say that an interval of finite values (replicate,) has no width although they differ; empty if it has."""
    if parse_over(over).kind != "iqm" or len(values) < LEAST_N_IQM or values.min() == values.max():
        return ""
    if trimmed_error(np.sort(values), metric) > 0:
        return ""
    return "the values in the middle are all equal: an interval of no width says nothing about the spread"


def n_needed(centre: Centre, level: float) -> int:
    """Return the fewest replicates that have such an interval at this level."""
    if centre.kind == "iqm":
        return LEAST_N_IQM
    alpha, n = round(1 - level, 12), 2
    while centre.q**n + (1 - centre.q) ** n > alpha and n < MOST_NEEDED:
        n += 1
    return n


def order_ranks(n: int, q: float, level: float) -> tuple[int, int] | None:
    """Return the ranks, 1 to n, of the values at the ends of a quantile's interval; None if n is too small.

    Each end errs with probability at most (1 - level) / 2 if n allows that. Otherwise one end is the outermost value,
    and the other gets the rest of the error. The ranks depend on n, q and level alone, not on values.
    """
    alpha = round(1 - level, 12)
    if q**n + (1 - q) ** n > alpha:
        return None
    below, above = (1 - q) ** n, q**n  # chance that the quantile lies below, or above, all values
    if below > alpha / 2:
        of_low, of_high = below, alpha - below
    elif above > alpha / 2:
        of_low, of_high = alpha - above, above
    else:
        of_low = of_high = alpha / 2
    ranks = np.arange(1, n + 1)
    first = int(ranks[bdtr(ranks - 1, n, q) <= of_low * (1 + 1e-12)].max())
    last = int(ranks[1 - bdtr(ranks - 1, n, q) <= of_high * (1 + 1e-12)].min())
    return first, last


def trimmed_error(ordered: np.ndarray, metric: Metric = UNKNOWN) -> float:
    """Return the standard error of the interquartile mean of values (replicate,) in rising order, four or more.

    It is sqrt(SSW / (h (h - 1))) with the winsorized sum of squares SSW and the h values in the middle (Yuen 1974,
    Biometrika 61(1)). For a share of a known number of rows it is at least that of half a step, see
    `resolution.least_sd`.
    """
    n = len(ordered)
    cut = n_trimmed(n)
    h = n - 2 * cut
    winsorized = np.clip(ordered, ordered[cut], ordered[n - cut - 1])
    squares = float(((winsorized - winsorized.mean()) ** 2).sum())
    return max(math.sqrt(squares / (h * (h - 1))), float(least_sd(ordered[:, None], metric)[0]) / math.sqrt(n))
