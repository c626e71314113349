"""Compute how often a t test shows a difference."""

from __future__ import annotations

import numpy as np

from rothamsted.statistics.intervals import DEFAULT_LEVEL, check_level
from rothamsted.statistics.special import ncfdtr, stdtrit

DEFAULT_POWER = 0.8
FAR_OUT = 20.0  # noncentrality at which the lower tail holds less than 1e-88


def power_of(n: int, sd: float, difference: float, *, level: float = DEFAULT_LEVEL, is_paired: bool = True) -> float:
    """Return the chance that n replicates of each condition show a difference, by a two-sided t test.

    It uses the noncentral t distribution and counts both tails: Cohen (1988), Statistical Power Analysis for the
    Behavioral Sciences, 2nd ed., chapter 2. Unpaired conditions have the same n and the same variance (Student's t;
    Welch's needs at most one or two replicates more).

    Args:
        n: Number of replicates of each condition, or of pairs.
        sd: Standard deviation of a replicate within a condition; if paired, of the differences.
        difference: Difference between the means of two conditions, in the units of sd; its sign does not matter.
        level: 1 - level is the error rate.
        is_paired: Whether replicates share seeds.

    Raises:
        ValueError: Fewer than two replicates, a deviation, difference or level out of range.
    """
    check_level(level)
    if n < 2:
        raise ValueError(f"n: {n} is too few to show a spread; give 2 or more")
    if not (np.isfinite(sd) and sd > 0):
        raise ValueError(f"sd: {sd} is no spread to plan with; give a positive number")
    if not np.isfinite(difference):
        raise ValueError(f"difference: {difference} is not a number to compute with")
    effect = abs(difference) / sd
    df, noncentrality = (n - 1, effect * n**0.5) if is_paired else (2 * n - 2, effect * (n / 2) ** 0.5)
    critical = float(stdtrit(df, 1 - (1 - level) / 2))
    if noncentrality > FAR_OUT:  # where a noncentral F fails, the upper tail of t is all there is
        from scipy.stats import nct  # slow to import, and hardly ever needed

        return float(nct.sf(critical, df, noncentrality))
    return float(1 - ncfdtr(1, df, noncentrality**2, critical**2))  # t squared: both tails in one
