"""One metric of one condition over its replicates: everything that a table shows of it.

Apart from `summary`, which shows less and for every point of a curve: here is room for the interquartile mean,
for intervals by name, and for the words where a number would mislead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rothamsted.metric import UNKNOWN, Metric
from rothamsted.statistics.intervals import (
    DEFAULT_LEVEL,
    N_RESAMPLES,
    Interval,
    mean_interval,
    moments,
    why_no_interval,
    why_odd,
)
from rothamsted.statistics.summary import summarize


@dataclass(frozen=True, kw_only=True)
class Description:
    """What replicates of one condition show together. A statistic that is not defined is NaN."""

    n: int  # finite values: what all statistics are of
    n_excluded: int  # NaN and infinite values
    mean: float
    sd: float  # divides by n - 1; NaN with fewer than two values
    sem: float  # sd / sqrt(n)
    median: float
    iqm: float  # mean of the middle half
    min: float
    max: float
    interval: Interval | None  # for the mean; None where the note says why
    is_constant: bool  # more than one value, and no spread at all
    note: str  # what a reader has to know beside the numbers; empty where nothing is odd


def describe(
    values: Sequence[float] | np.ndarray,
    *,
    level: float = DEFAULT_LEVEL,
    method: str = "t",
    metric: Metric = UNKNOWN,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
) -> Description:
    """Describe replicates of one condition.

    Args:
        values: One number a replicate; NaN and infinity are left out and counted.
        level: Nominal coverage of the interval for the mean, in (0, 1).
        method: A name of `catalog.INTERVALS`.
        metric: What is known of the metric, as `mean_interval` takes it.
        seed: Where the bootstrap's resamples come from.
        n_resamples: Of the bootstrap, at least 999.

    Raises:
        SpecError: No method of this name.
        ValueError: As `mean_interval`.
    """
    given = np.asarray(values, dtype=np.float64)
    interval = mean_interval(given, level=level, method=method, metric=metric, seed=seed, n_resamples=n_resamples)
    finite = given[np.isfinite(given)]
    n = len(finite)
    summary = summarize(finite[:, None], level)
    known = {key: float(summary[key][0]) for key in ("mean", "sd", "sem", "median", "min", "max")}
    is_constant = n > 1 and known["min"] == known["max"]
    no_width = f"all {n} values are equal: an interval of no width says nothing of the spread"
    if metric.is_share and metric.rows is None:
        no_width += "; declare rows= of the metric, where it is a share of rows"
    remarks = [
        why_no_interval(n, level=level, method=method) or why_odd(finite, method=method, metric=metric),
        no_width if interval is not None and interval.low == interval.high else "",
        f"{len(given) - n} of {len(given)} values not finite: left out" if n < len(given) else "",
    ]
    return Description(
        n=n,
        n_excluded=len(given) - n,
        **known,
        iqm=interquartile_mean(finite),
        interval=interval,
        is_constant=is_constant,
        note="; ".join(remark for remark in remarks if remark),
    )


def interquartile_mean(values: np.ndarray) -> float:
    """Return the mean without the lowest and the highest quarter of values (replicate,), all finite.

    A quarter of n is rounded down: with fewer than four values it is the mean. The same as scipy.stats.trim_mean at
    0.25, the IQM of Agarwal et al. (2021), arXiv:2108.13264. NaN of no values.
    """
    n = len(values)
    if n == 0:
        return math.nan
    n_cut = n // 4
    middle = np.sort(values)[n_cut : n - n_cut]
    return float(moments(middle[:, None])[0][0])
