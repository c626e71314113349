"""Measure how large a difference is on a scale without units: Cohen's d and the probability of improvement.

A p-value says how sure a difference is, but not how large.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np

from rothamsted.statistics.intervals import DEFAULT_LEVEL, Interval, check_level
from rothamsted.statistics.reduce import Direction
from rothamsted.statistics.special import chdtri, gammaln, nctdtr, ndtri

EffectKind = Literal["pooled", "z", "av"]
Sizes = TypeVar("Sizes", float, np.ndarray)

_LARGE_T = 1000.0  # above it the normal part of a noncentral t is lost beside the chi part: 2e-5 of a limit, or less
_EDGE = 1e-12  # far below one win in any countable number of replicates
_ULPS = 64  # differences this many roundings apart are equal


@dataclass(frozen=True, kw_only=True)
class Effect:
    """Holds a standardised mean difference, first sample minus second."""

    estimate: float  # NaN where undefined
    low: float
    high: float
    level: float  # nominal coverage, in (0, 1)
    kind: EffectKind  # what the difference was divided by, see `cohens_d`
    n: int  # pairs, or the smaller sample
    note: str = ""  # why it is undefined


def cohens_d(
    a: np.ndarray,
    b: np.ndarray,
    *,
    kind: EffectKind,
    level: float = DEFAULT_LEVEL,
    is_corrected: bool = False,
) -> Effect:
    """Return Cohen's d of two samples with an interval from the noncentral t distribution.

    The mean difference is divided by
    - "pooled": the pooled standard deviation of two independent samples (Cohen 1988, section 2.5). The interval is
      exact for normal values of equal variance.
    - "z": the standard deviation of the paired differences, Cohen's d_z. A paired test and its power depend on it, so
      it is the one given with paired tests. It is exact for normal differences. It grows with the correlation that
      common seeds bring, so do not compare it with a "pooled" one.
    - "av": the root mean square of the two standard deviations, of paired samples: comparable with "pooled".
      The interval is approximate, covering 0.93 to 0.98 instead of 0.95: Algina & Keselman (2003), Educational and
      Psychological Measurement 63(4).
    Interval by inversion of the noncentral t: Steiger & Fouladi (1997), in What if there were no significance tests?

    Args:
        a: (replicate,) NaN and infinity are left out; for "z" and "av" the whole pair is.
        b: (replicate,) for "z" and "av" aligned with `a`, for "pooled" of any length.
        kind: "pooled", "z" or "av", as above.
        level: Nominal coverage, in (0, 1).
        is_corrected: Whether to remove the bias of small samples: Hedges (1981), Journal of Educational Statistics
            6(2).

    Returns:
        The effect; NaN with a note if there are fewer than two values or no spread.

    Raises:
        ValueError: An unknown kind, a level outside (0, 1), paired samples of unequal length.
    """
    check_level(level)
    if kind == "pooled":
        return _pooled(finite_values(a)[0], finite_values(b)[0], level, is_corrected)
    if kind not in ("z", "av"):
        raise ValueError(f"kind: {kind!r} is not known; use pooled, z or av")
    first, second, _ = finite_pairs(a, b)
    return _paired(first, second, kind, level, is_corrected)


def probability_better(
    a: np.ndarray,
    b: np.ndarray,
    *,
    direction: Direction,
    is_paired: bool = False,
    level: float = DEFAULT_LEVEL,
) -> Interval | None:
    """Return the probability that a replicate of A beats one of B; a tie counts half.

    If not paired, each replicate of A is compared with each of B (the Mann-Whitney U over its maximum). The interval is
    the score interval, method 5 of Newcombe (2006), Statistics in Medicine 25(4), made for small samples and extreme
    proportions. If paired, A is compared with B at the same seed, with the interval of Wilson (1927), JASA 22(158).

    Args:
        a: (replicate,) NaN and infinity are left out; if paired, the whole pair is.
        b: (replicate,) aligned with `a` if paired.
        direction: "minimize" (lower is better) or "maximize".
        is_paired: Compare only replicates of one seed.
        level: Nominal coverage, in (0, 1).

    Returns:
        The interval, "newcombe" or "wilson", with n the size of the smaller sample or the number of pairs; None without
        values.
    """
    check_level(level)
    sign = _sign(direction)
    if is_paired:
        first, second, _ = finite_pairs(a, b)
        n = len(first)
        wins = sign * np.sign(first - second)
        variance = _binomial_variance(n)
    else:
        first, second = finite_values(a)[0], finite_values(b)[0]
        n = min(len(first), len(second))
        wins = sign * np.sign(first[:, None] - second[None, :])
        variance = _rank_variance(len(first), len(second))
    if n == 0:
        return None
    estimate = float((1 + wins.mean()) / 2)
    low, high = _score_interval(estimate, variance, level)
    method = "wilson" if is_paired else "newcombe"
    return Interval(estimate=estimate, low=low, high=high, level=level, n=n, method=method)


def finite_values(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the finite values of one sample, and how many were not finite."""
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1:
        raise ValueError(f"values: a sample is one number a replicate, not of shape {sample.shape}")
    kept = sample[np.isfinite(sample)]
    return kept, len(sample) - len(kept)


def finite_pairs(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the pairs with two finite values, and how many pairs were left out."""
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(
            f"a, b: shapes {first.shape} and {second.shape} are not pairs; align both by seed, "
            "NaN where one has no value, or use an unpaired test"
        )
    kept = np.isfinite(first) & np.isfinite(second)
    return first[kept], second[kept], int((~kept).sum())


def rounding(sizes: Sizes) -> Sizes:
    """Return the largest difference between values of these absolute sizes that may be rounding only."""
    return sizes * (_ULPS * float(np.finfo(np.float64).eps))


def greatest(*samples: np.ndarray) -> float:
    """Return the greatest absolute value; 0 without any."""
    return max((float(np.abs(sample).max(initial=0.0)) for sample in samples), default=0.0)


def _pooled(a: np.ndarray, b: np.ndarray, level: float, is_corrected: bool) -> Effect:
    """Return d of two independent samples of finite values."""
    n_a, n_b = len(a), len(b)
    empty = _undefined(level, "pooled", min(n_a, n_b))
    if min(n_a, n_b) < 2:
        return replace(empty, note="fewer than two values: no standard deviation")
    a, b = _scaled(a, b)
    if max(np.ptp(a), np.ptp(b)) <= rounding(greatest(a, b)):
        return replace(empty, note="no spread within either sample")
    df = n_a + n_b - 2
    sd = math.sqrt(((n_a - 1) * a.var(ddof=1) + (n_b - 1) * b.var(ddof=1)) / df)
    root_n = math.sqrt(n_a * n_b / (n_a + n_b))
    return _effect(empty, float(a.mean() - b.mean()) / sd * root_n, df, 1 / root_n, is_corrected)


def _paired(a: np.ndarray, b: np.ndarray, kind: Literal["z", "av"], level: float, is_corrected: bool) -> Effect:
    """Return d of pairs of finite values."""
    n = len(a)
    empty = _undefined(level, kind, n)
    if n < 2:
        return replace(empty, note="fewer than two pairs: no standard deviation")
    a, b = _scaled(a, b)
    differences = a - b
    if np.ptp(differences) <= rounding(greatest(a, b)):
        return replace(empty, note=f"no spread: all {n} differences are equal")
    sd = float(differences.std(ddof=1))
    t = float(differences.mean()) / sd * math.sqrt(n)
    divisor = sd if kind == "z" else math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    return _effect(empty, t, n - 1, sd / divisor / math.sqrt(n), is_corrected)


def _scaled(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both divided by one power of two, exactly, so that squares neither overflow nor vanish."""
    _, exponent = np.frexp(greatest(a, b))
    return np.ldexp(a, -exponent), np.ldexp(b, -exponent)


def _undefined(level: float, kind: EffectKind, n: int) -> Effect:
    return Effect(estimate=math.nan, low=math.nan, high=math.nan, level=level, kind=kind, n=n)


def _effect(empty: Effect, t: float, df: int, unit: float, is_corrected: bool) -> Effect:
    """Return the effect whose noncentrality is itself over `unit`."""
    if is_corrected:
        if df < 2:
            return replace(empty, note="Hedges' correction needs two degrees of freedom")
        unit *= math.exp(gammaln(df / 2) - gammaln((df - 1) / 2)) * math.sqrt(2 / df)  # Hedges (1981), eq. 6e
    low, high = _noncentrality_interval(t, df, empty.level)
    return replace(empty, estimate=t * unit, low=low * unit, high=high * unit)


def _noncentrality_interval(t: float, df: int, level: float) -> tuple[float, float]:
    """Return the noncentralities at which t is the upper and the lower (1 - level) / 2 quantile."""
    from scipy.optimize import root_scalar

    if t < 0:
        low, high = _noncentrality_interval(-t, df, level)
        return -high, -low
    tail = (1 - level) / 2
    if t > _LARGE_T:  # T is nearly its noncentrality over a chi variable
        return t * _chi_quantile(tail, df), t * _chi_quantile(1 - tail, df)
    # By the union bound both lie in between; further out nctdtr loses its way.
    least = t * _chi_quantile(tail / 2, df) + ndtri(tail / 2)
    most = t * _chi_quantile(1 - tail / 2, df) - ndtri(tail / 2)

    def solve(probability: float) -> float:
        return float(root_scalar(lambda shift: nctdtr(df, shift, t) - probability, bracket=(least, most)).root)

    return solve(1 - tail), solve(tail)


def _chi_quantile(probability: float, df: int) -> float:
    """Return the quantile of a chi variable over the root of its degrees of freedom."""
    return math.sqrt(chdtri(df, 1 - probability) / df)


def _score_interval(estimate: float, variance: Callable[[float], float], level: float) -> tuple[float, float]:
    """Return the probabilities from which the estimate lies just z standard errors away."""
    from scipy.optimize import root_scalar

    z = float(ndtri((1 + level) / 2))

    def excess(probability: float) -> float:
        return (estimate - probability) ** 2 - z * z * variance(probability)

    inside = min(max(estimate, _EDGE), 1 - _EDGE)  # 0 and 1 themselves solve the equation, and are not its limits
    low = 0.0 if estimate <= _EDGE else float(root_scalar(excess, bracket=(0.0, inside), xtol=1e-14).root)
    high = 1.0 if estimate >= 1 - _EDGE else float(root_scalar(excess, bracket=(inside, 1.0), xtol=1e-14).root)
    return low, high


def _binomial_variance(n: int) -> Callable[[float], float]:
    return lambda p: p * (1 - p) / n


def _rank_variance(n_a: int, n_b: int) -> Callable[[float], float]:
    """Return the variance of U / (n_a n_b): Hanley & McNeil (1982), with Newcombe's one sample size for both."""
    rest = (n_a + n_b) / 2 - 1
    return lambda p: p * (1 - p) * (1 + rest * ((1 - p) / (2 - p) + p / (1 + p))) / (n_a * n_b)


def _sign(direction: Direction) -> int:
    if direction not in ("minimize", "maximize"):
        raise ValueError(f"direction: {direction!r} is not known; use minimize or maximize")
    return 1 if direction == "maximize" else -1
