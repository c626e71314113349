"""Smooth a curve by name: `ema:0.9` is an exponential moving average, `mean:5` a running mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rothamsted.errors import SpecError

RULE = "none, ema:WEIGHT with 0 < WEIGHT < 1, or mean:COUNT with an odd COUNT of 3 or more"


@dataclass(frozen=True, kw_only=True)
class Smoothing:
    """Describes how curves are smoothed.

    Attributes:
        kind: ema or mean.
        amount: for ema the weight of the past, in (0, 1); for mean the number of measurements, which is odd.
    """

    kind: str
    amount: float

    @property
    def words(self) -> str:
        """Give the words of a caption."""
        if self.kind == "ema":
            return f"an exponential moving average (weight of the past {self.amount:g})"
        return f"a running mean over {self.amount:g} measurements"

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Smooth one curve.

        Args:
            values: (point,) in the order of steps; what is not finite stays as it is and counts nowhere else.

        Returns:
            (point,) smoothed values.
        """
        return _moving_average(values, self.amount) if self.kind == "ema" else _running_mean(values, int(self.amount))


def smoothing_named(text: str) -> Smoothing | None:
    """Return the smoothing of this name; None for `none`.

    Raises:
        SpecError: There is no such smoothing; the message has the rule.
    """
    kind, _, amount = text.partition(":")
    if text == "none":
        return None
    try:
        number = float(amount)
    except ValueError:
        number = float("nan")
    is_fit = 0 < number < 1 if kind == "ema" else kind == "mean" and 3 <= number < 1e6 and number % 2 == 1
    if not is_fit:
        raise SpecError(f"smoothing {text!r} is not known; write {RULE}")
    return Smoothing(kind=kind, amount=number)


def _moving_average(values: np.ndarray, weight: float) -> np.ndarray:
    """The mean of all values so far, each step back weighing `weight` times less; the weights add up to 1."""
    found, total, weights = np.array(values, dtype=np.float64), 0.0, 0.0
    for i, value in enumerate(found.tolist()):
        if np.isfinite(value):
            total, weights = weight * total + value, weight * weights + 1.0
            found[i] = total / weights
    return found


def _running_mean(values: np.ndarray, count: int) -> np.ndarray:
    """The mean of the finite values around each point; near an end, of those that there are."""
    found, is_finite = np.array(values, dtype=np.float64), np.isfinite(values)
    kept, half = found[is_finite], count // 2
    found[is_finite] = [kept[max(i - half, 0) : i + half + 1].mean() for i in range(len(kept))]
    return found
