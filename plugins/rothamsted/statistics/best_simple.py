"""Run the method "simple": one-sided t tests of each pair, corrected by Bonferroni and Holm.

It is for two and three conditions, which are too few for leaders. Paired: Student's t of the differences on
common seeds. Not paired: Welch's statistic with the degrees of freedom of the smaller sample, which is valid for any
two variances (Mickey & Brown 1966, Annals of Mathematical Statistics 37(3)).
"""

from __future__ import annotations

import numpy as np

from rothamsted.statistics.best_findings import Findings, behind_best_other, bounded_low, decide, greatest_high
from rothamsted.statistics.special import stdtr, stdtrit
from rothamsted.statistics.spread_model import fit_seeds

N_ALTERNATIONS = 200  # three conditions with gaps take more of them than thirty


def by_pairs(x: np.ndarray, is_paired: bool, alpha: float, resolution: np.ndarray) -> Findings:
    """Test each condition by pairwise t tests.

    A condition is ruled out if any other is better, with alpha shared among the others; it is worse if that holds
    with Holm's correction over all conditions. The limits of all pairs hold together (Bonferroni).

    Args:
        x: (..., condition, seed), lower is better, NaN marks a missing value; each condition has a value.
        is_paired: Whether columns are seeds.
        alpha: 1 - level.
        resolution: (condition,) differences up to this are rounding.
    """
    n_conditions = x.shape[-2]
    loss, error, df = _paired(x) if is_paired else _unpaired(x)
    is_tested = (df >= 1) & ~np.eye(n_conditions, dtype=bool)
    error = np.maximum(error, resolution[:, None] + resolution[None, :])
    df = np.where(is_tested, df, 1)
    p = _combined(np.where(is_tested, stdtr(df, -loss / error), np.nan))
    mean = _means(x, is_paired)
    decision = decide(p, mean, alpha)
    difference = behind_best_other(mean)
    half = stdtrit(df, 1 - alpha / max(n_conditions * (n_conditions - 1), 1)) * error
    low = np.where(is_tested, loss - half, -np.inf).max(axis=-1)
    high = np.where(is_tested, loss + half, np.inf)
    return Findings(
        mean=mean,
        p=p,
        is_in_set=decision.is_in_set,
        is_worse=decision.is_worse,
        difference=difference,
        low=bounded_low(low, difference, decision.is_worse),
        high=greatest_high(high, difference, decision.is_worse),
    )


def _combined(p: np.ndarray) -> np.ndarray:
    """Return the p-value of each condition from those of the others (..., condition, other) being better: Bonferroni.

    NaN where none of the others could be compared with it; 1 where there is no other.
    """
    n_others = p.shape[-1] - 1
    if n_others == 0:
        return np.ones(p.shape[:-1])
    least = np.where(np.isnan(p), 1.0, p).min(axis=-1)
    return np.where(np.isnan(p).all(axis=-1), np.nan, np.minimum(least * n_others, 1.0))


def _paired(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean difference, standard error and degrees of freedom of each pair, (..., condition, other)."""
    return _over_seeds(x[..., :, None, :] - x[..., None, :, :])


def _unpaired(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same for independent samples."""
    mean, error, df = _over_seeds(x)
    return (
        mean[..., :, None] - mean[..., None, :],
        np.hypot(error[..., :, None], error[..., None, :]),
        np.minimum(df[..., :, None], df[..., None, :]),
    )


def _over_seeds(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, standard error and degrees of freedom along the last axis; 0 where there is no value."""
    is_there = np.isfinite(x)
    n = is_there.sum(axis=-1)
    divisor = np.maximum(n, 1)
    mean = np.where(is_there, x, 0.0).sum(axis=-1) / divisor
    squares = (np.where(is_there, x - mean[..., None], 0.0) ** 2).sum(axis=-1)
    return mean, np.sqrt(squares / np.maximum(n - 1, 1) / divisor), n - 1


def _means(x: np.ndarray, is_paired: bool) -> np.ndarray:
    """Return the means, adjusted for seed where pairs have gaps."""
    if is_paired and not np.isfinite(x).all():
        return fit_seeds(x, n_alternations=N_ALTERNATIONS).level
    return _over_seeds(x)[0]
