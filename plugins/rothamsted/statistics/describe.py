"""Describe one metric of one condition over its replicates: everything that a table shows.

`summary` computes fewer numbers, but for every point of a curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rothamsted.metric import UNKNOWN, Metric
from rothamsted.statistics.centre_intervals import centre_interval, odd_centre, why_no_centre_interval
from rothamsted.statistics.centres import MEAN, centre_of, interquartile_mean
from rothamsted.statistics.intervals import (
    DEFAULT_LEVEL,
    N_RESAMPLES,
    Interval,
    mean_interval,
    why_no_interval,
    why_odd,
)
from rothamsted.statistics.summary import summarize_values
from rothamsted.wording import verb


@dataclass(frozen=True, kw_only=True)
class Description:
    """Holds the statistics of the replicates of one condition. A statistic that is not defined is NaN."""

    n: int  # finite values: what all statistics are of
    n_excluded: int  # NaN and infinite values
    mean: float
    sd: float  # divides by n - 1; NaN with fewer than two values
    sem: float  # sd / sqrt(n)
    median: float
    iqm: float  # mean of the middle half
    min: float
    max: float
    centre: float  # what stands for them: the mean, or what `over` names
    interval: Interval | None  # for that; None where the note says why
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
    over: str = MEAN,
) -> Description:
    """Describe replicates of one condition.

    Args:
        values: (replicate,) one number each; NaN and infinity are left out and counted.
        level: Nominal coverage of the interval, in (0, 1).
        method: A name of `catalog.INTERVALS`, for the mean.
        metric: What is known of the metric, as `mean_interval` takes it.
        seed: Seed of the bootstrap's resamples.
        n_resamples: Number of resamples of the bootstrap, at least 999.
        over: The number of the condition, see `centres.centre_of`. The interval is for it, see `centre_intervals`.

    Raises:
        SpecError: There is no method of this name, or `over` is unknown.
        ValueError: As `mean_interval`.
    """
    given = np.asarray(values, dtype=np.float64)
    finite = given[np.isfinite(given)]
    if over == MEAN:
        interval = mean_interval(given, level=level, method=method, metric=metric, seed=seed, n_resamples=n_resamples)
    else:
        interval = centre_interval(finite, over, level=level, metric=metric)
    n, n_out = len(finite), len(given) - len(finite)
    summary = summarize_values(finite[:, None])
    known = {key: float(summary[key][0]) for key in ("mean", "sd", "sem", "median", "min", "max")}
    is_constant = n > 1 and known["min"] == known["max"]
    no_width = f"all {n} values are equal: an interval of no width says nothing about the spread"
    if metric.is_share and metric.rows is None:
        no_width += "; declare rows= of the metric, if it is a share of rows"
    remarks = [
        _odd(finite, over, level=level, method=method, metric=metric),
        no_width if is_constant and interval is not None and interval.low == interval.high else "",
        f"{n_out} of {len(given)} values {verb(n_out, 'is not finite and is', 'are not finite and are')} left out"
        if n_out
        else "",
    ]
    return Description(
        n=n,
        n_excluded=n_out,
        **known,
        iqm=interquartile_mean(finite),
        centre=known["mean"] if over == MEAN else centre_of(finite, over),
        interval=interval,
        is_constant=is_constant,
        note="; ".join(remark for remark in remarks if remark),
    )


def _odd(finite: np.ndarray, over: str, *, level: float, method: str, metric: Metric) -> str:
    """Say why there is no interval, or one that the spread of the values does not explain; else empty."""
    if over == MEAN:
        return why_no_interval(len(finite), level=level, method=method) or why_odd(finite, method=method, metric=metric)
    return why_no_centre_interval(finite, over, level=level, metric=metric) or odd_centre(finite, over, metric)
