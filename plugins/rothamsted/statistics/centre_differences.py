"""Compare two conditions by their medians, interquartile means or quantiles: difference, interval, p-value.

The tests are those of the verdicts, see `best_centres`, but two-sided.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rothamsted.statistics.best_centres import by_pair, centres_of, method_of
from rothamsted.statistics.centres import parse_over
from rothamsted.statistics.effects import rounding
from rothamsted.statistics.intervals import DEFAULT_LEVEL, check_level

LABELS = {
    "sign": "sign test",
    "bounds": "order statistics of both",
    "trimmed": "Yuen's trimmed t",
}


@dataclass(frozen=True, kw_only=True)
class CentreDifference:
    """Holds the difference first minus second, its interval and p-value."""

    estimate: float  # of medians on common seeds the median of the differences, else the difference of the numbers
    low: float  # NaN where too few values reach the level
    high: float
    p_value: float  # two-sided; NaN where nothing can be tested
    n: int  # pairs, or the smaller sample
    label: str  # of the test


def centre_difference(
    first: np.ndarray, second: np.ndarray, *, over: str, is_paired: bool, level: float = DEFAULT_LEVEL
) -> CentreDifference:
    """Compare two samples by their medians, interquartile means or quantiles.

    Args:
        first: (replicate,) NaN and infinity are left out.
        second: (replicate,) of the same seeds if paired.
        over: See `centres.centre_of`; not the mean.
        is_paired: Whether first[i] and second[i] have the same seed.
        level: Nominal coverage of the interval.
    """
    check_level(level)
    centre = parse_over(over)
    n_seeds = max(len(first), len(second))
    x = np.full((2, n_seeds), np.nan)
    for row, values in zip(x, (first, second), strict=True):
        row[: len(values)] = np.where(np.isfinite(values), values, np.nan)
    if is_paired:
        x[:, ~np.isfinite(x).all(axis=0)] = np.nan
    n = np.isfinite(x).sum(axis=1)
    label = LABELS[method_of(centre, is_paired)]
    if not n.all():
        return CentreDifference(estimate=np.nan, low=np.nan, high=np.nan, p_value=np.nan, n=0, label=label)
    resolution = rounding(np.nanmax(np.abs(x), axis=1))
    tail = round(1 - level, 12) / 2
    up, down = (by_pair(x, i, tail, resolution, centre, is_paired) for i in (0, 1))
    if method_of(centre, is_paired) == "sign":
        estimate = float(centres_of(x[:1] - x[1:], centre)[0])
    else:
        estimate = float(np.diff(centres_of(x, centre)[::-1])[0])
    low, high = float(up.low[1]), float(up.high[1])
    is_known = np.isfinite(low) and np.isfinite(high)
    return CentreDifference(
        estimate=estimate,
        low=low if is_known else np.nan,
        high=high if is_known else np.nan,
        p_value=float(min(1.0, 2 * min(up.p[1], down.p[0]))),
        n=int(n.min()),
        label=label,
    )
