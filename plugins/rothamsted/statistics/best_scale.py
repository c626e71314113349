"""Centre and scale the values of a sweep, so that squares of variances neither overflow nor vanish."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rothamsted.statistics.effects import rounding
from rothamsted.statistics.intervals import moments

FARTHEST = 1e70  # median standard deviations from the middle: the fourth power of a value is still a number
LEAST_RESOLUTION = 1e-60


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """Holds values in units near the median standard deviation. The given values are middle + 2**exponent * values."""

    values: np.ndarray  # (condition, seed)
    middle: float
    exponent: int
    resolution: np.ndarray  # (condition,) differences up to this are rounding of the values given
    is_clipped: bool  # whether some are too far out to compute with


def scale(values: np.ndarray) -> Scaled:
    """Return the values scaled by a power of two, which is exact.

    Args:
        values: (condition, seed), NaN marks a missing value; each condition has one.
    """
    middle = float(np.nanmedian(values))
    apart = values - middle
    exponent = int(np.frexp(_typical(apart))[1])
    scaled = np.ldexp(apart, -exponent)
    sizes = np.nanmax(np.abs(np.ldexp(values, -exponent)), axis=1)
    return Scaled(
        values=np.clip(scaled, -FARTHEST, FARTHEST),
        middle=middle,
        exponent=exponent,
        resolution=np.maximum(rounding(np.minimum(sizes, FARTHEST)), LEAST_RESOLUTION),
        is_clipped=bool((np.abs(scaled) > FARTHEST).any()),
    )


def _typical(apart: np.ndarray) -> float:
    """Return the median standard deviation; else the greatest distance from the middle; else 1."""
    sd = moments(apart.T)[1]
    known = sd[np.isfinite(sd)]
    size = float(np.median(known)) if len(known) else 0.0
    return size or float(np.nanmax(np.abs(apart))) or 1.0
