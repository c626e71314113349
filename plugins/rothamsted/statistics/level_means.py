"""Compute the means of the levels of factors, with equal weight for each combination of the others, and intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rothamsted.statistics import anova, unequal
from rothamsted.statistics.intervals import t_quantile
from rothamsted.statistics.observations import Coded, Observations


@dataclass(frozen=True, kw_only=True)
class LevelMean:
    """Holds the mean of one level of one factor over everything else."""

    factor: str
    level: Any
    n: int
    mean: float  # NaN where empty cells leave it without an estimate
    low: float  # NaN without an error to judge by
    high: float


def level_means(
    model: anova.Model, observed: Observations, level: float, errors: Literal["pooled"] | unequal.Cells | None
) -> tuple[LevelMean, ...]:
    """Return the estimated marginal mean of each level of each factor.

    Args:
        model: The fit.
        observed: The observations of the fit.
        level: Nominal coverage of the intervals.
        errors: The pooled residual, or conditions with their own variances; None: no intervals.
    """
    means = []
    for factor in observed.factors:
        estimates, factors = anova.marginal_means(model, factor)
        own = _errors(model, observed, factor, factors, errors)
        counts = np.bincount(factor.codes, minlength=len(factor.levels))
        for code, name in enumerate(factor.levels):
            mean, (variance, df) = float(estimates[code]), own[code]
            half = math.nan
            if variance >= 0 and df >= 1:
                half = float(np.ldexp(t_quantile(level, df) * variance**0.5, model.exponent))
            means.append(
                LevelMean(
                    factor=factor.name, level=name, n=int(counts[code]), mean=mean, low=mean - half, high=mean + half
                )
            )
    return tuple(means)


def _errors(
    model: anova.Model,
    observed: Observations,
    factor: Coded,
    factors: np.ndarray,
    errors: Literal["pooled"] | unequal.Cells | None,
) -> list[tuple[float, float]]:
    """Return variance and degrees of freedom of the mean of each level; NaN where unknown."""
    if errors is None or model.is_exact or not model.residual_df:
        return [(math.nan, 1.0)] * len(factors)
    if isinstance(errors, str):
        pooled = model.residual_squares / model.residual_df
        return [(float(pooled * times), float(model.residual_df)) for times in factors]
    return unequal.mean_errors(errors, observed, model, anova.mean_weights(model, factor)[0])
