"""Compute Wilson's interval for a share of a known number of rows, such as an accuracy on 1,000 images.

All rows of all replicates count as one sample. So it assumes that replicates differ by chance only, and
`overdispersion` says if they differ by more. Wilson (1927), Journal of the American Statistical Association 22(158).
"""

from __future__ import annotations

import numpy as np

from rothamsted.metric import Metric
from rothamsted.statistics.special import chdtrc, ndtri
from rothamsted.wording import p_value

TOLERANCE = 1e-3  # rows: float32 has an accuracy on 10,000 rows to that
UNLIKELY = 0.01  # below this replicates differ by more than their rows let expect


def wilson_bounds(
    values: np.ndarray, level: float, seed: int, n_resamples: int, metric: Metric
) -> tuple[np.ndarray, np.ndarray]:
    """Return Wilson's score interval of each column of shares (replicate, point), all finite, n >= 1.

    A metric without declared rows has one row for each replicate: 0 or 1. Nothing is drawn.
    """
    return wilson_ends(values.mean(axis=0), len(values) * (metric.rows or 1), level)


def wilson_ends(share: np.ndarray, n: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return Wilson's score interval of shares (point,) of n rows, within 0 to 1."""
    z2 = float(ndtri((1 + level) / 2)) ** 2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 / n * (share * (1 - share) + z2 / (4 * n))) / (1 + z2 / n)
    low, high = middle - half, middle + half
    return np.where(share == 0, 0.0, np.maximum(low, 0)), np.where(share == 1, 1.0, np.minimum(high, 1))


def are_shares(values: np.ndarray, rows: int) -> np.ndarray:
    """Say whether each value is a whole number divided by `rows`, up to rounding; NaN is not."""
    counts = values * rows
    return (np.abs(counts - np.round(counts)) <= TOLERANCE) & (values >= 0) & (values <= 1)


def why_no_share(values: np.ndarray, metric: Metric) -> str:
    """Say why finite values are not shares of the metric's rows; empty if they are."""
    off = ~are_shares(values, metric.rows or 1)
    if not off.any():
        return ""
    if metric.rows is None:
        return "no wilson interval, which takes a share of a known number of rows: declare Metric(rows=...), or use t"
    return (
        f"no wilson interval: {values[off][0]:.6g} is not a share of {metric.rows} rows; correct Metric(rows=...), or "
        "use t"
    )


def overdispersion(values: np.ndarray, metric: Metric) -> str:
    """Say that shares (replicate,) differ by more than chance explains, by a chi-square test; else empty."""
    n, share = len(values), float(values.mean())
    if n < 2 or not 0 < share < 1:
        return ""
    chi2 = float(((values - share) ** 2).sum()) * (metric.rows or 1) / (share * (1 - share))
    p = float(chdtrc(n - 1, chi2))
    if p >= UNLIKELY:
        return ""
    return (
        f"replicates differ more than shares of {metric.rows or 1} rows do by chance ({p_value(p)}): this interval "
        "is too narrow, use t"
    )
