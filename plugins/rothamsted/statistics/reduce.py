"""Reduce a curve to the number that a search compares.

A sweep file names the rule (`objective.reduce`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rothamsted.errors import SpecError, StudyError

Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """Describes how a curve becomes one number."""

    kind: Literal["last", "best", "mean"]
    n_last: int = 1  # measurements that count, from the end; "best" looks at all


def parse_reduction(text: str) -> Reduction:
    """Read "last", "best" or "mean:K", the mean of the last K measurements."""
    if text == "last" or text == "best":
        return Reduction(kind=text)
    match = re.fullmatch(r"mean:([1-9][0-9]*)", text)
    if match is None:
        raise SpecError(f"objective.reduce: {text!r} is not known; use last, best, or mean:K such as mean:5")
    return Reduction(kind="mean", n_last=int(match[1]))


def reduce_curve(values: Sequence[float] | np.ndarray, how: str, direction: Direction) -> float:
    """Return the number of a curve.

    Args:
        values: (measurement,) the metric, in the order of steps.
        how: "last", "best" (by direction, over finite values) or "mean:K".
        direction: "minimize" or "maximize".

    Returns:
        The number; NaN or infinity if the measurements that count have one (for "best": NaN if none is finite).
    """
    reduction = parse_reduction(how)
    if direction not in ("minimize", "maximize"):
        raise SpecError(f"objective.direction: {direction!r} is not known; use minimize or maximize")
    curve = np.asarray(values, dtype=np.float64)
    if len(curve) < reduction.n_last:
        raise StudyError(
            f"objective.reduce: {how!r} needs {reduction.n_last} measurements, the curve has {len(curve)}; "
            "measure more often or reduce over fewer"
        )
    if reduction.kind == "best":
        finite = curve[np.isfinite(curve)]
        if not len(finite):
            return math.nan
        return float(finite.min() if direction == "minimize" else finite.max())
    with np.errstate(invalid="ignore", over="ignore"):
        return float(np.mean(curve[-reduction.n_last :]))
