"""Choose scale and range of an axis so that good values can be distinguished, and mark values beyond it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rothamsted.reporting.plots.axes import draw_values, is_spread
from rothamsted.reporting.plots.contract import Better, words
from rothamsted.reporting.plots.labels import number
from rothamsted.reporting.plots.look import GREY, SMALL

ROUNDING = 1e-15  # of the middle value: smaller ones are a zero that was computed
FLAT = 0.3  # the better half of the values in less than this share of a linear axis is flattened
FLAT_SPAN = 5.0  # and where the greatest value is more than so many times the least, a log axis shows it
FAR = {False: 12.0, True: 3.0}  # by whether log: beyond this many times the middle distance from the best is far
LEAST_FAR = {False: 0.0, True: math.log(1000)}  # three decades can be shown
FAR_SHARE = 0.5  # far values are beyond the axis only where they would take more than half of it
FEWEST = 5  # values: of fewer, none is said to be far
MOST_CUT = (
    0.1  # intervals that reach 0 or below, as a share of the values: of more, a log axis would hide what they say
)
REACH = 0.35  # ends of intervals are shown so far beyond the values, as a share of their range: a few wide ones are cut


@dataclass(frozen=True, kw_only=True)
class ValueAxis:
    """Scale and range of one axis of values."""

    is_log: bool
    low: float  # least value on it
    high: float  # greatest
    n_beyond: int = 0  # values beyond it
    extreme: float = math.nan  # the furthest of them

    @property
    def words(self) -> str:
        """Return the words of a caption on a vertical axis; empty if there is nothing to say."""
        beyond = f"{words(self.n_beyond, 'value')} beyond the axis, up to {number(self.extreme)}: triangles at its edge"
        said = [*(["Logarithmic vertical axis"] if self.is_log else []), *([beyond] if self.n_beyond else [])]
        return ". ".join(said)


def value_axis(
    values: Sequence[float] | np.ndarray,
    better: Better | None,
    ends: Sequence[np.ndarray] = (),
    *,
    is_cut: bool = True,
    is_ratio: bool = False,
) -> ValueAxis:
    """Choose the axis of some values.

    It is logarithmic if positive values span more than two decades, or if a linear axis would press the better half of
    them together. It is never logarithmic if many intervals reach 0, which it cannot show. Values so bad that all
    others would be pressed together lie beyond the axis.

    Args:
        values: The values that are drawn; values that are not finite are left out.
        better: Which values are good; None: neither direction, and no value is too bad to be shown.
        ends: Ends of their intervals, shown if they do not make the axis much longer.
        is_cut: Whether far values may lie beyond the axis.
        is_ratio: Whether the values are ratios: a log axis shows 2 and a half as equally far from 1.
    """
    finite = np.asarray(values, dtype=np.float64).ravel()
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return ValueAxis(is_log=False, low=0.0, high=1.0)
    finite[np.abs(finite) < ROUNDING * np.median(np.abs(finite))] = 0.0
    is_flat = better != "higher" and (is_ratio or _is_flat(finite))
    is_log = is_spread(finite) or (is_flat and is_spread(finite, FLAT_SPAN))
    is_log = is_log and bool(sum((np.asarray(part) <= 0).sum() for part in ends) <= MOST_CUT * len(finite))
    kept = _not_far(finite, better, is_log=is_log) if is_cut else finite
    low, high = _with_ends(kept, ends, is_log=is_log)
    n_beyond = len(finite) - len(kept)
    extreme = math.nan if not n_beyond else float(finite.max() if better == "lower" else finite.min())
    return ValueAxis(is_log=is_log, low=low, high=high, n_beyond=n_beyond, extreme=extreme)


def draw_value_axis(axes: Any, which: str, chosen: ValueAxis) -> None:
    """Set scale, limits and ticks of the axis `which` ('x' or 'y'); without negative values it starts at 0 or above."""
    draw_values(axes, which, np.array([chosen.low, chosen.high]), is_log=chosen.is_log)
    low, high = getattr(axes, f"get_{which}lim")()
    if low < 0 <= chosen.low:
        getattr(axes, f"set_{which}lim")(0, high)


def mark_beyond(axes: Any, chosen: ValueAxis, x: np.ndarray, y: np.ndarray, *, color: Any) -> None:
    """Draw a triangle at the edge for each value beyond the vertical axis."""
    for is_above, marker in ((True, "^"), (False, "v")):
        at = y > chosen.high if is_above else y < chosen.low
        if at.any():
            edge, transform = np.full(int(at.sum()), 0.985 if is_above else 0.015), axes.get_xaxis_transform()
            axes.plot(x[at], edge, marker, color=color, markersize=5, transform=transform, zorder=6)


def note_beyond(axes: Any, chosen: ValueAxis) -> None:
    """Say above the axes how many values lie beyond the vertical axis."""
    if chosen.n_beyond:
        text = f"triangles: {chosen.n_beyond} beyond the axis, up to {number(chosen.extreme)}"
        axes.text(1.0, 1.01, text, transform=axes.transAxes, ha="right", va="bottom", fontsize=SMALL, color=GREY)


def _is_flat(values: np.ndarray) -> bool:
    """Whether the lower half takes a small share of a linear axis."""
    return bool(np.median(values) - values.min() < FLAT * (values.max() - values.min()))


def _not_far(values: np.ndarray, better: Better | None, *, is_log: bool) -> np.ndarray:
    if better is None or len(values) < FEWEST:
        return values
    places = np.log(values) if is_log else values
    distance = places - places.min() if better == "lower" else places.max() - places
    kept = distance <= max(FAR[is_log] * np.median(distance), LEAST_FAR[is_log])
    is_worth_it = 0 < distance[kept].max() < FAR_SHARE * distance.max()
    return values[kept] if is_worth_it else values


def _with_ends(values: np.ndarray, ends: Sequence[np.ndarray], *, is_log: bool) -> tuple[float, float]:
    """The range of the values, widened by the ends of intervals: all the way where most need it, else so far."""
    further = np.concatenate([np.empty(0), *(np.asarray(part, dtype=np.float64).ravel() for part in ends)])
    further = further[np.isfinite(further) & ((further > 0) | (not is_log))]
    if not len(further):
        return float(values.min()), float(values.max())
    places, more = (np.log(values), np.log(further)) if is_log else (values, further)
    least, greatest = places.min(), places.max()
    beyond = np.maximum(np.maximum(least - more, more - greatest), 0)
    reach = max(REACH * (greatest - least), float(np.quantile(beyond, 0.75)))
    if beyond.max() <= 2 * reach:
        reach = beyond.max()
    low, high = max(least - reach, min(least, more.min())), min(greatest + reach, max(greatest, more.max()))
    if is_log:
        low, high = math.exp(low), math.exp(high)
    return min(float(low), float(values.min())), max(float(high), float(values.max()))
