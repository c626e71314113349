"""Intervals for a share: how many replicates finished, of those that were tried.

Apart from the intervals for means: a share of few has no normal error, and none at all at 0 or 1.
"""

from __future__ import annotations

import numpy as np

from rothamsted.statistics.intervals import DEFAULT_LEVEL, Interval, check_level
from rothamsted.statistics.shares import wilson_ends


def proportion_interval(n_successes: int, n: int, *, level: float = DEFAULT_LEVEL) -> Interval:
    """Wilson's score interval for a proportion.

    Its coverage is the nominal one on average over all proportions, not at each. Wilson (1927), Journal of the
    American Statistical Association 22(158); Brown, Cai & DasGupta (2001), Statistical Science 16(2).

    Args:
        n_successes: How many of n, 0 to n.
        n: How many were tried, 1 or more; they succeed independently, with one probability.
        level: Nominal coverage, in (0, 1).

    Returns:
        The interval, within 0 to 1; the estimate is n_successes / n.

    Raises:
        ValueError: No trial, more successes than trials, or a level outside (0, 1).
    """
    check_level(level)
    if n < 1:
        raise ValueError(f"n: a proportion of {n} is not defined; give at least one trial")
    if not 0 <= n_successes <= n:
        raise ValueError(f"n_successes: {n_successes} of {n}; give a number from 0 to {n}")
    low, high = wilson_ends(np.array(n_successes / n), n, level)
    return Interval(
        estimate=n_successes / n,
        low=float(low),
        high=float(high),
        level=level,
        n=n,
        method="wilson",
    )
