"""Sort conditions into the cells of two factors, and cut lines along one of them.

Trends, sensitivity and heatmap use this, so that they show the same conditions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rothamsted.analysis.left_out import left_out_words
from rothamsted.analysis.values import Analysis, Factor
from rothamsted.reporting.plots.axes import FactorAxis, factor_axis
from rothamsted.reporting.plots.contract import MOST_SERIES, NotApplicable, Over, PlotOptions
from rothamsted.reporting.plots.labels import named
from rothamsted.reporting.plots.view import (
    ABSENT,
    Score,
    by_number,
    by_rank,
    factor_named,
    leading,
    level_keys,
    scores,
    varying,
)


@dataclass(frozen=True, kw_only=True)
class Line:
    """Holds scores along one factor at one level of another."""

    label: str
    x: np.ndarray  # (point,) as the axis lays the levels out, rising
    mean: np.ndarray  # (point,)
    low: np.ndarray  # (point,) NaN without an interval
    high: np.ndarray
    is_partial: np.ndarray  # (point,) bool: some replicates diverged or failed
    conditions: tuple[int, ...]  # the one behind each point; the best ranked where the point is a mean


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Holds all lines of one figure."""

    x: FactorAxis
    group: FactorAxis | None
    lines: tuple[Line, ...]
    n_lines: int  # how many levels the group has; more than are drawn where they are too many
    others: tuple[str, ...]  # factors that have no place in the figure
    over: Over
    n_unscored: int  # conditions without a finite mean
    n_outside: int  # conditions to which one of the two factors does not apply
    unscored: str = ""  # which conditions have no finite mean, and why


def is_shared(analysis: Analysis, factor: Factor) -> bool:
    """Say whether conditions share the levels of a factor, as in a grid: a free search makes one level each."""
    alone = len([f for f in analysis.dataset.factors if len(f.levels) > 1]) == 1
    return alone or len(factor.levels) <= max(2, len(analysis.dataset.conditions) // 2)


def require_grid(analysis: Analysis) -> None:
    """Raise NotApplicable if a factor has about as many levels as there are conditions."""
    n = len(analysis.dataset.conditions)
    for factor in varying(analysis):
        if not is_shared(analysis, factor):
            raise NotApplicable(
                f"{named(factor.name)} has {len(factor.levels)} levels in {n} conditions: "
                "not a grid; the plot 'scatter' shows such a search"
            )


def axis_and_group(analysis: Analysis, options: PlotOptions) -> tuple[Factor, Factor | None]:
    """Choose the factor along x (searched by orders of magnitude, else a number, else any) and the one of lines."""
    if options.x is None:
        require_grid(analysis)
    candidates = _everywhere_first(analysis, leading(analysis))
    if options.x is not None:
        x = factor_named(analysis, options.x)
    else:
        wanted = [f for f in candidates if f.name != options.group] or candidates
        x = max(wanted, key=lambda f: (f.is_log, f.is_numeric, len(f.levels) > 2, -wanted.index(f)))
    if options.group is not None:
        return x, factor_named(analysis, options.group)
    rest = [f for f in candidates if f.name != x.name and is_shared(analysis, f)]
    return x, rest[0] if rest else None


def _everywhere_first(analysis: Analysis, factors: list[Factor]) -> list[Factor]:
    conditions = analysis.dataset.conditions
    return sorted(factors, key=lambda f: any(f.name not in c.values for c in conditions))  # stable


def cells(analysis: Analysis, factors: Sequence[Factor], numbers: Iterable[int]) -> dict[tuple[Any, ...], list[int]]:
    """Sort conditions by their levels of some factors, best first; those to which one does not apply are left out."""
    conditions = by_number(analysis)
    keys = [level_keys(factor, conditions) for factor in factors]
    found: dict[tuple[Any, ...], list[int]] = {}
    for number in by_rank(analysis, numbers):
        cell = tuple(key[number] for key in keys)
        if ABSENT not in cell:
            found.setdefault(cell, []).append(number)
    return found


def cell_score(numbers: Sequence[int], known: Mapping[int, Score], over: Over) -> Score:
    """Return one score for the conditions of a cell: that of the best ranked, or the mean of their means.

    A mean over conditions has no interval: its spread comes from other factors, not from chance.
    """
    if over == "best" or len(numbers) == 1:
        return known[numbers[0]]
    return Score(
        condition=numbers[0],
        mean=float(np.mean([known[number].mean for number in numbers])),
        low=math.nan,
        high=math.nan,
        n=min(known[number].n for number in numbers),
        is_partial=any(known[number].is_partial for number in numbers),
    )


def lines_of(analysis: Analysis, options: PlotOptions, metric: str) -> Lines:
    """Cut scores into lines along one factor, one line for each level of another.

    Raises:
        NotApplicable: Nothing varies, nothing has a score, or the levels are not shared.
    """
    x_factor, group_factor = axis_and_group(analysis, options)
    known = scores(analysis, metric)
    factors = [x_factor] if group_factor is None else [x_factor, group_factor]
    by_cell = cells(analysis, factors, known)
    x = factor_axis(x_factor)
    group = None if group_factor is None else factor_axis(group_factor)
    keys = [()] if group is None else [(key,) for key in group.keys if any(cell[1] == key for cell in by_cell)]
    shown = _evenly(keys, options.n_series or MOST_SERIES)
    lines = []
    for key in shown:
        at = [
            (x.position(k), cell_score(by_cell[k, *key], known, options.over)) for k in x.keys if (k, *key) in by_cell
        ]
        lines.append(_line(_label(group, key), at))
    return Lines(
        x=x,
        group=group,
        lines=tuple(lines),
        n_lines=len(keys),
        others=tuple(f.name for f in varying(analysis) if f not in factors),
        over=options.over,
        n_unscored=len(analysis.dataset.conditions) - len(known),
        n_outside=len(known) - sum(len(numbers) for numbers in by_cell.values()),
        unscored=left_out_words(analysis.dataset, known),
    )


def over_words(others: Sequence[str], over: Over) -> str:
    """Say what was done with the factors that have no place in a figure."""
    if not others:
        return ""
    names = ", ".join(named(name) for name in others)
    if over == "mean":
        return f"Each value is the mean over all conditions that differ in {names}, so it has no interval here"
    return (
        f"Each value is that of the best condition over {names}. It was chosen because it looked best, so its true "
        "mean is probably not as good, and the interval does not allow for that choice"
    )


def _line(label: str, at: list[tuple[float, Score]]) -> Line:
    at = sorted(at, key=lambda pair: pair[0])
    return Line(
        label=label,
        x=np.array([x for x, _ in at]),
        mean=np.array([score.mean for _, score in at]),
        low=np.array([score.low for _, score in at]),
        high=np.array([score.high for _, score in at]),
        is_partial=np.array([score.is_partial for _, score in at], dtype=bool),
        conditions=tuple(score.condition for _, score in at),
    )


def _label(group: FactorAxis | None, key: tuple[Any, ...]) -> str:
    return "" if group is None else group.labels[group.keys.index(key[0])]


def _evenly(keys: list[Any], most: int) -> list[Any]:
    if len(keys) <= most:
        return keys
    return [keys[i] for i in sorted({round(place) for place in np.linspace(0, len(keys) - 1, most)})]
