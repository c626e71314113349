"""How many replicates a difference takes, and what difference replicates can show.

Apart, because it is asked before a sweep is run, of the variances of an earlier one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rothamsted.statistics.intervals import DEFAULT_LEVEL, check_level
from rothamsted.statistics.special import ncfdtr, stdtrit
from rothamsted.statistics.spread import DEFAULT_SD_LEVEL, upper_limit

DEFAULT_POWER = 0.8
FAR_OUT = 20.0  # noncentrality at which the lower tail holds less than 1e-88
MOST_REPLICATES = 1_000_000  # a plan beyond this is no plan


@dataclass(frozen=True, kw_only=True)
class ReplicationPlan:
    """How many replicates each condition needs."""

    n: int  # replicates of each condition; pairs where paired
    n_cautious: int | None  # the same from the upper limit of sd; None where its degrees of freedom are not given
    reached: float  # power at n, if sd is the true one
    sd: float  # of a replicate; of differences where paired
    sd_cautious: float | None  # one-sided upper limit of sd
    sd_level: float  # of that limit
    difference: float
    power: float  # that was asked for
    level: float
    n_comparisons: int
    is_paired: bool
    method: str


def replicates_needed(
    sd: float,
    difference: float,
    *,
    power: float = DEFAULT_POWER,
    level: float = DEFAULT_LEVEL,
    is_paired: bool = True,
    correlation: float | None = None,
    sd_of_differences: float | None = None,
    n_comparisons: int = 1,
    sd_df: int | None = None,
    sd_level: float = DEFAULT_SD_LEVEL,
) -> ReplicationPlan:
    """Return the fewest replicates with which a t test sees a difference with this power.

    The smallest n at which the noncentral t distribution gives the power, both tails counted. Cohen (1988),
    Statistical Power Analysis for the Behavioral Sciences, 2nd ed., chapter 2. Two-sided. Unpaired: the same n
    and the same variance in both conditions (Student's t; Welch's needs at most one or two more).

    Args:
        sd: Standard deviation of a replicate within a condition.
        difference: Between the means of two conditions, in the units of sd; its sign does not matter.
        power: Chance to see the difference, above 1 - level and below 1.
        level: 1 - level is the error rate of the whole family of comparisons.
        is_paired: Whether replicates share seeds.
        correlation: Of replicates with one seed, in [-1, 1): sd of differences is sd * sqrt(2 (1 - correlation)).
        sd_of_differences: In place of the correlation (see `sd_of_paired_differences`); sd is then not used.
        n_comparisons: In the family; the error rate is divided by it (Bonferroni; Holm needs no more).
        sd_df: Degrees of freedom that the standard deviation was estimated with. Given them, the plan says how
            many replicates its upper limit asks for: half of all pilots find too small a deviation.
        sd_level: Of that one-sided limit: the chance that n_cautious reaches the power.
            Browne (1995), Statistics in Medicine 14(17).

    Raises:
        ValueError: A deviation, difference, power or level out of range, or a plan of more than a million.
    """
    spread = _spread(sd, is_paired, correlation, sd_of_differences)
    alpha = _alpha(level, n_comparisons)
    _check_power(power, alpha)
    if not (np.isfinite(difference) and difference != 0):
        raise ValueError(f"difference: {difference} cannot be planned for; give the smallest one that matters")
    n = _fewest(abs(difference) / spread, power, alpha, is_paired)
    cautious = None if sd_df is None else upper_limit(spread, sd_df, level=sd_level)
    return ReplicationPlan(
        n=n,
        n_cautious=None if cautious is None else _fewest(abs(difference) / cautious, power, alpha, is_paired),
        reached=_power(n, abs(difference) / spread, alpha, is_paired),
        sd=spread,
        sd_cautious=cautious,
        sd_level=sd_level,
        difference=abs(difference),
        power=power,
        level=level,
        n_comparisons=n_comparisons,
        is_paired=is_paired,
        method=_method(is_paired, n_comparisons),
    )


def power_of(
    n: int,
    sd: float,
    difference: float,
    *,
    level: float = DEFAULT_LEVEL,
    is_paired: bool = True,
    correlation: float | None = None,
    sd_of_differences: float | None = None,
    n_comparisons: int = 1,
) -> float:
    """Return the chance that n replicates of each condition show a difference; see `replicates_needed`."""
    spread = _spread(sd, is_paired, correlation, sd_of_differences)
    _check_n(n)
    if not np.isfinite(difference):
        raise ValueError(f"difference: {difference} is not a number to compute with")
    return _power(n, abs(difference) / spread, _alpha(level, n_comparisons), is_paired)


def detectable_difference(
    n: int,
    sd: float,
    *,
    power: float = DEFAULT_POWER,
    level: float = DEFAULT_LEVEL,
    is_paired: bool = True,
    correlation: float | None = None,
    sd_of_differences: float | None = None,
    n_comparisons: int = 1,
) -> float:
    """Return the smallest difference that n replicates of each condition show with this power.

    See `replicates_needed` for the arguments; zero where the spread is zero.
    """
    from scipy.optimize import root_scalar

    _check_n(n)
    alpha = _alpha(level, n_comparisons)
    _check_power(power, alpha)
    spread = _spread(sd, is_paired, correlation, sd_of_differences)

    def beyond(effect: float) -> float:
        return _power(n, effect, alpha, is_paired) - power

    return spread * root_scalar(beyond, bracket=(0.0, _bracket(beyond)), xtol=1e-12, rtol=1e-12).root


def _spread(sd: float, is_paired: bool, correlation: float | None, sd_of_differences: float | None) -> float:
    """Return the deviation that a test divides by: of differences where paired, else of a replicate."""
    if not is_paired and (correlation is not None or sd_of_differences is not None):
        raise ValueError("correlation, sd_of_differences: only where is_paired; leave them out, or pair by seed")
    if is_paired and (correlation is None) == (sd_of_differences is None):
        raise ValueError("a paired plan needs one of correlation and sd_of_differences; an earlier sweep gives it")
    if correlation is not None and not -1 <= correlation < 1:
        raise ValueError(f"correlation: {correlation} is outside [-1, 1); replicates that agree wholly need no plan")
    if correlation is not None:
        sd = sd * (2 * (1 - correlation)) ** 0.5
    spread = sd if sd_of_differences is None else sd_of_differences
    if not (np.isfinite(spread) and spread > 0):
        raise ValueError(f"sd: {spread} is no spread to plan with; give a positive number")
    return spread


def _alpha(level: float, n_comparisons: int) -> float:
    """Return the error rate of one comparison of the family."""
    check_level(level)
    if n_comparisons < 1:
        raise ValueError(f"n_comparisons: {n_comparisons}; give 1 or more")
    return (1 - level) / n_comparisons


def _check_power(power: float, alpha: float) -> None:
    if not alpha < power < 1:
        raise ValueError(f"power: {power} must lie between the error rate {alpha:g} and 1, such as 0.8")


def _check_n(n: int) -> None:
    if n < 2:
        raise ValueError(f"n: {n} replicates show no spread; give 2 or more")


def _power(n: int, effect: float, alpha: float, is_paired: bool) -> float:
    """Return the power of a two-sided t test at an effect in standard deviations.

    A noncentral t squared is a noncentral F, whose distribution function has both tails in one. Far out,
    where it fails, the upper tail of t is all there is.
    """
    df, noncentrality = (n - 1, effect * n**0.5) if is_paired else (2 * n - 2, effect * (n / 2) ** 0.5)
    critical = float(stdtrit(df, 1 - alpha / 2))
    if noncentrality > FAR_OUT:
        from scipy.stats import nct  # slow to import, and hardly ever needed

        return float(nct.sf(critical, df, noncentrality))
    return float(1 - ncfdtr(1, df, noncentrality**2, critical**2))


def _fewest(effect: float, power: float, alpha: float, is_paired: bool) -> int:
    """Return the smallest n with the power, by bisection: power rises with n."""
    low, high = 1, 2  # low is too few
    while _power(high, effect, alpha, is_paired) < power:
        if high == MOST_REPLICATES:
            raise ValueError(
                f"difference: {effect:.3g} standard deviations take more than {MOST_REPLICATES:,} replicates; "
                "plan for a larger difference"
            )
        low, high = high, min(2 * high, MOST_REPLICATES)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _power(middle, effect, alpha, is_paired) >= power else (middle, high)
    return high


def _bracket(beyond: Callable[[float], float]) -> float:
    """Return an effect large enough."""
    high = 1.0
    while beyond(high) < 0:
        high *= 2
    return high


def _method(is_paired: bool, n_comparisons: int) -> str:
    """Name the test that is planned for."""
    test = "paired t test" if is_paired else "two-sample t test, equal variances"
    family = f", Bonferroni over {n_comparisons} comparisons" if n_comparisons > 1 else ""
    return f"two-sided {test}, noncentral t{family}"
