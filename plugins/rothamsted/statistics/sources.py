"""Compute the shares of variance by source for crossed replicates, such as data split and training seed.

The model has random effects: value = mean of the condition + one normal effect for each number of each source + rest.
They are estimated by the method of moments from mean squares (Searle, Casella & McCulloch 1992, Variance Components,
chapter 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rothamsted.statistics.crossed import level_means
from rothamsted.statistics.intervals import DEFAULT_LEVEL, check_level

REST = "rest"
N_DRAWS = 20_000  # of an interval
LEAST_SPREAD = 1e-12  # of a condition, as a share of its values' size: less is rounding


@dataclass(frozen=True, kw_only=True)
class SourceShare:
    """Holds the share of one source in the variance of a single training."""

    source: str
    share: float  # of the sum of all, 0 to 1
    low: float
    high: float
    df: int  # degrees of freedom behind it


@dataclass(frozen=True, kw_only=True)
class SourceShares:
    """Holds the shares of all sources and of the rest; their sum is 1."""

    shares: tuple[SourceShare, ...]  # in the order of the sources, the rest last
    n_conditions: int
    n_replicates: int  # of each condition
    level: float


def shares_by_source(
    values: np.ndarray,
    crossed: Mapping[str, int],
    *,
    of_differences: bool = False,
    level: float = DEFAULT_LEVEL,
    seed: int = 0,
) -> SourceShares | None:
    """Divide the variance within a condition among the sources that were crossed.

    It estimates the mean over conditions of each source's share. Mean squares of a condition are divided by its
    variance, averaged, and then turned into components. A negative component counts as zero. The rest is all that no
    single source explains: interactions of sources, and what is not repeatable.

    Intervals are generalized ones (Weerahandi 1993, JASA 88(423)): mean squares divided by drawn chi-square over its
    degrees of freedom. The degrees of freedom are those of one condition, however many there are, because all
    conditions use the same numbers.

    Args:
        values: (condition, combination), the last source changing first; a condition with a missing value is left out.
        crossed: Source -> number of its values.
        of_differences: Whether to divide the variance of differences between conditions. What is common to all
            conditions at a combination is then removed.
        level: Nominal coverage of the intervals.
        seed: Seed of the draws for the intervals.

    Returns:
        The shares. None if no condition is complete and has a spread; for differences, if fewer than two are.
    """
    check_level(level)
    sizes, scaled = tuple(crossed.values()), _scaled(values, of_differences=of_differences)
    if not len(scaled):
        return None
    squares, df = _mean_squares(scaled, sizes)
    found = _shares(squares, sizes)
    drawn = np.random.default_rng(seed).chisquare(df, (N_DRAWS, len(df)))
    low, high = np.quantile(_shares(squares * df / drawn, sizes), [(1 - level) / 2, (1 + level) / 2], axis=0)
    rows = zip((*crossed, REST), found, np.minimum(low, found), np.maximum(high, found), df, strict=True)
    return SourceShares(
        shares=tuple(
            SourceShare(source=name, share=float(share), low=float(least), high=float(most), df=int(n))
            for name, share, least, most, n in rows
        ),
        n_conditions=len(scaled),
        n_replicates=scaled.shape[1],
        level=level,
    )


def _scaled(values: np.ndarray, *, of_differences: bool) -> np.ndarray:
    """The complete conditions that have a spread, each with mean 0 and variance 1."""
    kept = values[np.isfinite(values).all(axis=1)]
    if of_differences and len(kept) < 2:
        return kept[:0]
    least = LEAST_SPREAD * np.abs(kept).max(initial=0.0)
    kept = kept - kept.mean(axis=0) if of_differences else kept
    kept = kept - kept.mean(axis=1, keepdims=True)
    sd = kept.std(axis=1, ddof=1, keepdims=True)
    has_spread = sd[:, 0] > least
    return kept[has_spread] / sd[has_spread]


def _mean_squares(values: np.ndarray, sizes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Mean squares of each source and the rest, averaged over conditions, and their degrees of freedom, (source,).

    Args:
        values: (condition, combination), each condition with mean 0.
        sizes: Numbers of each source.
    """
    n = values.shape[1]
    of_sources = [
        n / size * (level_means(values.T, sizes, source) ** 2).sum(axis=0) for source, size in enumerate(sizes)
    ]
    rest = (values**2).sum(axis=1) - sum(of_sources)
    df = np.array([*(size - 1 for size in sizes), n - 1 - sum(size - 1 for size in sizes)])
    return np.array([*of_sources, np.maximum(rest, 0.0)]).mean(axis=1) / df, df


def _shares(squares: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Shares of the components behind mean squares (..., source), the rest last."""
    n, rest = int(np.prod(sizes)), squares[..., -1:]
    of_sources = np.maximum(squares[..., :-1] - rest, 0.0) * np.array(sizes) / n
    components = np.concatenate([of_sources, rest], axis=-1)
    return components / components.sum(axis=-1, keepdims=True)
