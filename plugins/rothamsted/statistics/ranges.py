"""Take Student's t of a metric with a range on the log or logit scale, so that no interval leaves the range.

The delta method: the mean is transformed, its standard error divided by the slope there, and the ends are transformed
back. So the interval is one for the mean, not for a geometric mean, and it lies within the range. On the log scale it
is mean * exp(-+ t * se / mean). It tends to mean -+ t * se if the error is small compared with the distance to the
range's ends. docs/statistics.md compares its coverage with that of t cut off at the ends.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from rothamsted.metric import Metric
from rothamsted.statistics.special import expit, logit

Scale = Literal["t", "log", "logit"]


def scale_of(values: np.ndarray, metric: Metric) -> Scale:
    """Return the scale on which Student's t is taken: that of the range, or none if a value lies outside it."""
    finite = values[np.isfinite(values)]
    if not metric.is_bounded or not in_range(finite, metric).all():
        return "t"
    return "logit" if metric.low is not None and metric.high is not None else "log"


def in_range(values: np.ndarray, metric: Metric) -> np.ndarray:
    """Say whether each value lies in the range; NaN counts as inside."""
    low = -np.inf if metric.low is None else metric.low
    high = np.inf if metric.high is None else metric.high
    return ~((values < low) | (values > high))


def kept_in_range(mean: np.ndarray, half: np.ndarray, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of intervals that do not leave the range.

    Args:
        mean: (point,) within the range; on an end of it only if `half` is 0.
        half: (point,) half the width of the t interval, 0 or more.
        metric: A metric with a range.

    Returns:
        Low and high, (point,) each; both are the mean if `half` is 0.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if metric.low is None:
            low, high = mean - half, mean + half
            if metric.high is not None:
                room = metric.high - mean
                low, high = metric.high - room * np.exp(half / room), metric.high - room * np.exp(-half / room)
        elif metric.high is None:
            room = mean - metric.low
            low, high = metric.low + room * np.exp(-half / room), metric.low + room * np.exp(half / room)
        else:
            width = metric.high - metric.low
            share = (mean - metric.low) / width
            moved = half / width / (share * (1 - share))
            low, high = (metric.low + width * expit(logit(share) + sign * moved) for sign in (-1, 1))
    plain = (half == 0) | np.isnan(low) | np.isnan(high)  # or the mean is an end but for rounding
    return cut(np.where(plain, mean - half, low), np.where(plain, mean + half, high), metric)


def cut(low: np.ndarray, high: np.ndarray, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    """Cut intervals off at the ends of the range."""
    if metric.low is None and metric.high is None:
        return low, high
    return np.clip(low, metric.low, metric.high), np.clip(high, metric.low, metric.high)


def end_of_range(value: float, metric: Metric) -> str:
    """Say on which end of the range a value lies: "greatest", "least"; empty if on none."""
    if metric.low is not None and value == metric.low:
        return "least"
    return "greatest" if metric.high is not None and value == metric.high else ""
