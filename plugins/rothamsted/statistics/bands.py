"""Turn the curves of several replicates into one mean curve with an interval band.

Along seconds, or if replicates measure at different places, a common grid is made and curves are interpolated. `align`
does not interpolate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rothamsted.catalog import INTERVALS
from rothamsted.errors import SpecError
from rothamsted.metric import UNKNOWN, Metric
from rothamsted.statistics.intervals import DEFAULT_LEVEL, check_level, interval_bounds, least_n, moments
from rothamsted.statistics.resolution import least_sd

N_POINTS = 200  # more than a plot of usual width can show apart
N_RESAMPLES_OF_A_BAND = 1999  # at each point; a drawn line needs no third digit
Grid = Literal["linear", "log"]


@dataclass(frozen=True, kw_only=True)
class CurveBand:
    """Holds the mean over replicates along an axis, and an interval for the mean at each point.

    The level holds for each point alone, not for the curve as a whole.
    """

    x: np.ndarray  # (point,) rising
    mean: np.ndarray  # (point,) over the replicates alive; NaN where none is
    low: np.ndarray  # (point,) NaN where too few are alive for an interval
    high: np.ndarray  # (point,)
    n: np.ndarray  # (point,) int64: replicates alive
    level: float  # nominal coverage, in (0, 1)
    method: str  # a name of INTERVALS
    n_excluded: int  # measurements left out: NaN or infinite, in x or y


def band(
    curves: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    level: float = DEFAULT_LEVEL,
    n_points: int = N_POINTS,
    grid: np.ndarray | Grid | None = None,
    method: str = "t",
    metric: Metric = UNKNOWN,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES_OF_A_BAND,
) -> CurveBand:
    """Put curves on common points and give their mean an interval at each.

    A replicate has a value at each point that it measured. Between two neighbouring measurements its value is on the
    straight line between them. It has no value before its first and after its last measurement, nor next to a
    measurement that is NaN or infinite. If replicates end at different places the mean jumps although no curve does;
    `n` shows it.

    Args:
        curves: For each replicate x and y, (point,) each. They are sorted by x. If two measurements have the same x,
            the later one counts. A measurement without a finite x is left out.
        level: Nominal coverage, in (0, 1).
        n_points: Number of points of a grid that is made, 2 or more.
        grid: The points themselves, rising; or how they are spread from the least to the greatest x (for "log": from
            the least above 0). The default is "linear". If one curve has every x of all the others, its x are the grid.
            That is so if all measured at the same steps, or some ended early.
        method: A name of INTERVALS, but not one for shares of rows: interpolated values need not be such shares. The
            bootstrap draws whole replicates.
        metric: What is known of the metric: the band keeps to its range.
        seed: Where the bootstrap's resamples come from.
        n_resamples: Of the bootstrap, at each point, at least 999.

    Returns:
        The band. Without any measurement it has no points.

    Raises:
        SpecError: No method of this name, or one of shares of rows.
        ValueError: Curves, grid, level or n_points that cannot be used.
    """
    check_level(level)
    if INTERVALS[method].is_of_rows:
        raise SpecError(f"interval '{method}' is of shares of rows, which points of a curve need not be; use t")
    cleaned = [_clean(x, y) for x, y in curves]
    points = _points([x for x, _ in cleaned], grid, n_points)
    values = np.full((len(cleaned), len(points)), np.nan)  # (replicate, point)
    for row, (x, y) in zip(values, cleaned, strict=True):
        if len(x):
            row[:] = _interpolate(points, x, y)
    low, high = _bounds(values, level, method, metric, seed, n_resamples)
    mean, _, n = moments(values)
    return CurveBand(
        x=points,
        mean=mean,
        low=low,
        high=high,
        n=n.astype(np.int64),
        level=level,
        method=method,
        n_excluded=sum(_n_excluded(x, y) for x, y in curves),
    )


def _clean(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return x rising, finite and without repeats, and its y, infinite ones as NaN."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"curves: x of shape {x.shape} and y of shape {y.shape}; both must be (point,)")
    kept = np.isfinite(x)
    x, y = x[kept], np.where(np.isfinite(y), y, np.nan)[kept]
    if len(x) > 1 and not (np.diff(x) > 0).all():
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
        is_latest = np.append(np.diff(x) > 0, True)
        x, y = x[is_latest], y[is_latest]
    return x, y


def _points(xs: Sequence[np.ndarray], grid: np.ndarray | Grid | None, n_points: int) -> np.ndarray:
    """Return the points (point,) of a band over curves measured at xs."""
    if grid is not None and not isinstance(grid, str):
        return _checked_grid(grid)
    if grid not in (None, "linear", "log"):
        raise ValueError(f"grid: {grid!r} is not known; use linear, log or an array of rising numbers")
    if n_points < 2:
        raise ValueError(f"n_points: {n_points}; a grid takes at least 2")
    longest = max(xs, key=len, default=np.empty(0))
    if all(_is_within(x, longest) for x in xs):
        return longest.copy()
    if grid == "log":
        xs = [x[x > 0] for x in xs]
        if not any(len(x) for x in xs):
            raise ValueError("grid: log takes x above 0, and there is none; use linear")
    least, greatest = (pick(pick(x) for x in xs if len(x)) for pick in (min, max))
    if least == greatest:
        return np.array([least])
    return (np.geomspace if grid == "log" else np.linspace)(least, greatest, n_points)


def _is_within(x: np.ndarray, longest: np.ndarray) -> bool:
    """Tell whether every member of x is one of longest, both rising without repeats."""
    if len(x) == len(longest):
        return bool(np.array_equal(x, longest))
    return bool(np.isin(x, longest, assume_unique=True).all())


def _checked_grid(grid: np.ndarray) -> np.ndarray:
    points = np.array(grid, dtype=np.float64)
    if points.ndim != 1 or not np.isfinite(points).all() or not (np.diff(points) > 0).all():
        raise ValueError("grid: the points of a band are a list of finite numbers, each above the one before")
    return points


def _interpolate(points: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return y at points, NaN outside the range of x and beside a NaN; measured values come out as they are."""
    huge = 2.0**960  # slopes of what lies above may overflow: halve the exponent, exactly, and put it back
    shrink = 2.0**-64 if np.nanmax(np.abs(y), initial=0.0) > huge else 1.0
    return np.interp(points, x, y * shrink, left=np.nan, right=np.nan) / shrink


def _bounds(
    values: np.ndarray, level: float, method: str, metric: Metric, seed: int, n_resamples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return low and high (point,) for the mean of each column, NaN where too few values are finite.

    Points at which the same replicates are alive are done together.
    """
    least = least_n(method, level)
    low, high = (np.full(values.shape[1], np.nan) for _ in range(2))
    is_alive = np.isfinite(values)
    patterns, of_point = np.unique(np.packbits(is_alive, axis=0), axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        at = np.flatnonzero(of_point == number)
        alive = values[is_alive[:, at[0]]][:, at]  # (replicate, point), all finite
        if len(alive) < least:
            continue
        is_constant = alive.min(axis=0) == alive.max(axis=0)
        is_constant &= (least_sd(alive, metric) == 0) | (method != "t")
        low[at[is_constant]] = high[at[is_constant]] = alive[0, is_constant]
        if not is_constant.all():
            spread = at[~is_constant]
            low[spread], high[spread] = interval_bounds(
                method, alive[:, ~is_constant], level, metric, seed, n_resamples
            )
    return low, high


def _n_excluded(x: np.ndarray, y: np.ndarray) -> int:
    return int(np.sum(~(np.isfinite(np.asarray(x, dtype=float)) & np.isfinite(np.asarray(y, dtype=float)))))
