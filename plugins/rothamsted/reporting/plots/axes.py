"""Lay factors and values along axes: positions, scales and ticks, by the same rules in every plot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from rothamsted.analysis.values import Factor
from rothamsted.reporting.plots.labels import distinct_numbers, shorten
from rothamsted.reporting.plots.view import level_key

LOG_SPAN = 100.0  # positive values that span more than two decades are drawn on a log axis
MOST_TICKS = 7  # levels that are labelled one by one


@dataclass(frozen=True, kw_only=True)
class FactorAxis:
    """Holds one factor along an axis."""

    name: str
    kind: Literal["linear", "log", "category"]
    keys: tuple[Any, ...]  # levels as `level_key` makes them, in the factor's order
    labels: tuple[str, ...]  # one a level

    def position(self, key: Any) -> float:
        """Return where a level lies: its value, or its place in a row of categories."""
        return float(self.keys.index(key)) if self.kind == "category" else float(key)

    @property
    def places(self) -> list[float]:
        """Say where each level lies."""
        return [self.position(key) for key in self.keys]


def factor_axis(factor: Factor, *, as_category: bool = False) -> FactorAxis:
    """Lay a factor along an axis. A factor on a log scale with a 0 becomes a row of levels."""
    keys = tuple(level_key(factor, level) for level in factor.levels)
    if not factor.is_numeric or all(isinstance(level, bool) for level in factor.levels):
        kind, labels = "category", _distinct_names([str(level) for level in factor.levels])
    else:
        labels = distinct_numbers(keys)
        kind = "linear" if not (factor.is_log or is_geometric(keys)) else ("log" if min(keys) > 0 else "category")
    return FactorAxis(
        name=factor.name, kind="category" if as_category else kind, keys=keys, labels=tuple(shorten(t) for t in labels)
    )


def is_geometric(levels: Sequence[float]) -> bool:
    """Say whether rising levels are a few sizes such as 16, 32, 64: as far apart by ratio, and four times in all."""
    if not 3 <= len(levels) <= MOST_TICKS or min(levels) <= 0 or max(levels) < 4 * min(levels):
        return False
    ratios = [second / first for first, second in pairwise(levels)]
    return max(ratios) <= 1.5 * min(ratios)


def is_spread(values: Sequence[float] | np.ndarray, span: float = LOG_SPAN) -> bool:
    """Say whether finite values are all positive and the greatest is more than `span` times the least."""
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    return bool(len(finite) > 1 and finite.min() > 0 and finite.max() > span * finite.min())


def log_ticks(low: float, high: float, most: int = MOST_TICKS) -> list[float]:
    """Choose ticks of a log axis: decades, thinned where there are many, 1-2-5 where there are few."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    decades = list(range(first, last + 1))
    if len(decades) >= 3:
        stride = math.ceil(len(decades) / most)
        return [10.0**exponent for exponent in decades if (exponent - first) % stride == 0]
    wide = range(first - 1, last + 1)
    ticks = [m * 10.0**e for e in wide for m in (1, 2, 5) if low * (1 - 1e-9) <= m * 10.0**e <= high * (1 + 1e-9)]
    return ticks[:: math.ceil(len(ticks) / most)] if ticks else []


def draw_factor(axes: Any, which: str, axis: FactorAxis, *, with_label: bool = True) -> None:
    """Set scale, limits, ticks and label of the axis `which` ('x' or 'y') for a factor."""
    side = getattr(axes, f"{which}axis")
    set_limits = getattr(axes, f"set_{which}lim")
    places = axis.places
    if with_label:
        getattr(axes, f"set_{which}label")(shorten(axis.name, int(56 * _share_of_figure(axes))))
    if axis.kind == "category":
        set_limits(-0.5, len(places) - 0.5)
        kept = range(0, len(places), math.ceil(len(places) / 12))
        side.set_ticks([places[i] for i in kept], labels=[axis.labels[i] for i in kept])
        if which == "x":
            _turn_if_crowded(axes, [axis.labels[i] for i in kept])
        return
    if axis.kind == "log":
        getattr(axes, f"set_{which}scale")("log")
        low, high = places[0], places[-1]
        margin = (high / low) ** _margin(axes, which)
        set_limits(low / margin, high * margin)
        _log_ticks_of(axes, which, axis, low / margin, high * margin)
        return
    margin = _margin(axes, which) * (places[-1] - places[0])
    set_limits(places[0] - margin, places[-1] + margin)
    if len(places) <= MOST_TICKS and _is_evenly_spread(places):
        set_ticks(side, places, places[0] - margin, places[-1] + margin)
    else:
        fix_ticks(axes, which)


def _margin(axes: Any, which: str) -> float:
    """Room at both ends, as a share of the axis: 4 % of a whole figure's width, as much in points of a panel's."""
    return 0.04 / _share_of_figure(axes) if which == "x" else 0.04


def _log_ticks_of(axes: Any, which: str, axis: FactorAxis, low: float, high: float) -> None:
    """Label the levels themselves where they are few, every other one where they are wide; else decades."""
    from matplotlib.ticker import FixedLocator, NullFormatter

    side, places = getattr(axes, f"{which}axis"), axis.places
    if len(places) > MOST_TICKS:
        ticks = log_ticks(low, high)
        set_ticks(side, ticks if len(ticks) > 1 else [places[0], places[-1]], low, high)
        return
    stride = 2 if which == "x" and _is_crowded(axes, axis.labels) else 1
    side.set_ticks(places[::stride], labels=list(axis.labels[::stride]))
    side.set_minor_locator(FixedLocator(places))
    side.set_minor_formatter(NullFormatter())


def draw_values(axes: Any, which: str, values: np.ndarray, *, is_log: bool, margin: float = 0.06) -> None:
    """Set scale, limits and ticks of the axis `which` so that all finite values lie inside."""
    finite = np.asarray(values, dtype=np.float64).ravel()
    finite = finite[np.isfinite(finite) & (finite > 0 if is_log else True)]
    set_limits = getattr(axes, f"set_{which}lim")
    if not len(finite):
        return
    low, high = float(finite.min()), float(finite.max())
    if is_log:
        getattr(axes, f"set_{which}scale")("log")
        pad = max((high / low) ** margin, 1.05)
        set_limits(low / pad, high * pad)
        ticks = log_ticks(low / pad, high * pad)
        if len(ticks) > 1:
            set_ticks(getattr(axes, f"{which}axis"), ticks, low / pad, high * pad)
        return
    pad = margin * (high - low) or 0.05 * abs(high) or 1.0
    set_limits(low - pad, high + pad)
    fix_ticks(axes, which)


def set_ticks(side: Any, ticks: Sequence[float], low: float, high: float) -> None:
    """Label these ticks, those within the limits, with as few digits as keep them apart; no minor labels."""
    from matplotlib.ticker import NullFormatter, NullLocator

    kept = [tick for tick in ticks if low <= tick <= high]
    side.set_ticks(kept, labels=distinct_numbers(kept))
    if low > 0 and not 1e2 < high / low <= 1e4:
        side.set_minor_locator(NullLocator())  # of more, a black edge; of fewer, 1, 2 and 5 have labels
    side.set_minor_formatter(NullFormatter())


def fix_ticks(axes: Any, which: str, most: int = 6) -> None:
    """Label round ticks of a linear axis in full, never as a multiple of something in a corner."""
    from matplotlib.ticker import MaxNLocator

    side = getattr(axes, f"{which}axis")
    low, high = sorted(getattr(axes, f"get_{which}lim")())
    ticks = [float(t) for t in MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high) if low <= t <= high]
    gap = abs(ticks[1] - ticks[0]) if len(ticks) > 1 else math.inf
    ticks = [round(tick / gap * 1e6) * gap / 1e6 if math.isfinite(gap) else tick for tick in ticks]
    side.set_ticks(ticks, labels=distinct_numbers(ticks, error=gap * 1e-3))


def _is_evenly_spread(places: Sequence[float]) -> bool:
    gaps = np.diff(places)
    return bool(gaps.min() > 0.6 * (places[-1] - places[0]) / MOST_TICKS)


def _turn_if_crowded(axes: Any, labels: Sequence[str]) -> None:
    if _is_crowded(axes, labels):
        axes.tick_params(axis="x", rotation=35)
        for text in axes.get_xticklabels():
            text.set_horizontalalignment("right")
            text.set_rotation_mode("anchor")


def _is_crowded(axes: Any, labels: Sequence[str]) -> bool:
    """Say whether neighbours would touch: letters are 5.3 points wide, and some 55 points are left of the axes."""
    room = (_share_of_figure(axes) * 72 * axes.figure.get_figwidth() - 55) / len(labels)
    both = [len(one) + len(other) for one, other in pairwise(labels)]
    return max(both, default=0) / 2 * 5.3 + 5 > room


def _share_of_figure(axes: Any) -> float:
    spec = axes.get_subplotspec()
    return (
        1.0
        if spec is None
        else spec.colspan.stop / spec.get_gridspec().ncols - (spec.colspan.start / spec.get_gridspec().ncols)
    )


def _distinct_names(names: list[str]) -> list[str]:
    cut = [shorten(name, 18) for name in names]
    return cut if len(set(cut)) == len(set(names)) else [shorten(name) for name in names]
