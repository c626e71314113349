"""Make the plots that optuna-dashboard shows beside its own: intervals, a map of two factors, possible best conditions.

They are plotly's JSON, which the dashboard draws in the browser. plotly is not imported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rothamsted.analysis.typed import short
from rothamsted.analysis.values import Analysis, Condition, ConditionSummary, Factor
from rothamsted.publish.description import answer, estimate_text
from rothamsted.reporting.verdicts import verdict_of

MOST_SHOWN = 25  # conditions
MOST_LEVELS = 30  # of a factor of the map; more are points
BEST, IN_SET, OTHER, WORSE, FRESH = "#1f5fa8", "#6ba3d6", "#9aa0a6", "#c9ccd1", "#d1495b"
_MARGIN = {"t": 50, "b": 45, "l": 10, "r": 10}  # pixels: a card of the dashboard is small
Figure = dict[str, Any]


def dashboard_plots(analysis: Analysis) -> dict[str, Figure]:
    """Make the figures, by name, of those that this analysis has something for."""
    if not analysis.ranking:
        return {}
    drawn = {"intervals": _intervals(analysis), "map": _map(analysis), "set": _set(analysis)}
    return {name: figure for name, figure in drawn.items() if figure is not None}


def attributes_of_trials(analysis: Analysis) -> dict[int, dict[str, str]]:
    """Return trial -> what the dashboard lists beside it: its estimate, and its verdict if it has one."""
    summaries = {one.condition: one for one in analysis.objective}
    found: dict[int, dict[str, str]] = {}
    for number in analysis.ranking:
        summary, verdict = summaries[number], verdict_of(analysis, number)
        shown = {analysis.dataset.objective.metric: estimate_text(summary.interval, summary), "verdict": verdict}
        found[number] = {key: text.replace("\N{NO-BREAK SPACE}", " ") for key, text in shown.items() if text}
    return found


def attributes_of_study(analysis: Analysis) -> dict[str, str]:
    """Return what the dashboard lists of the study: the best condition with its estimate, what may be the best."""
    lines = [line.strip("*").replace("\N{NO-BREAK SPACE}", " ") for line in answer(analysis) if line]
    return dict(zip(("best", "estimate", "verdict"), (line.removeprefix("Best: ") for line in lines)))


def _intervals(analysis: Analysis) -> Figure:
    """Means with intervals, best condition on top; those on fresh seeds beside them."""
    shown = [summary for number in analysis.ranking[:MOST_SHOWN] if (summary := _summary(analysis, number))]
    names = {summary.condition: _name(analysis, summary.condition) for summary in shown}
    traces = [_bars(shown, names, "search", [_colour(analysis, one.condition) for one in shown])]
    fresh = [one.summary for one in analysis.confirmed if one.summary is not None and one.condition in names]
    if fresh := [summary for summary in fresh if math.isfinite(summary.value)]:
        traces.append({**_bars(fresh, names, "fresh seeds", [FRESH] * len(fresh)), "opacity": 0.9})
    metric, log = analysis.dataset.objective.metric, _is_log([one.value for one in shown])
    return {
        "data": traces,
        "layout": {
            "title": {"text": f"{metric} with {100 * analysis.level:g} % intervals, best first"},
            "xaxis": {"title": {"text": metric}, "type": "log" if log else "linear"},
            "yaxis": {"autorange": "reversed", "automargin": True},
            "margin": _MARGIN,
        },
    }


def _bars(summaries: Sequence[ConditionSummary], names: Mapping[int, str], name: str, colours: Sequence[str]) -> Figure:
    ends = [(one.interval.low, one.interval.high) if one.interval else (one.value, one.value) for one in summaries]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [one.value for one in summaries],
        "y": [names[one.condition] for one in summaries],
        "marker": {"color": list(colours), "size": 9, "symbol": "diamond" if name == "fresh seeds" else "circle"},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [max(high - one.value, 0.0) for one, (_, high) in zip(summaries, ends, strict=True)],
            "arrayminus": [max(one.value - low, 0.0) for one, (low, _) in zip(summaries, ends, strict=True)],
        },
        "text": [estimate_text(one.interval, one) for one in summaries],
        "hovertemplate": "%{y}<br>%{text}<extra></extra>",
    }


def _map(analysis: Analysis) -> Figure | None:
    """The objective over the two first factors that vary: cells of their levels, or points where levels are many."""
    factors = [one for one in analysis.dataset.factors if len(one.levels) > 1][:2]
    if len(factors) < 2:
        return None
    x, y = factors
    means = {one.condition: one.value for one in analysis.objective if math.isfinite(one.value)}
    known = [
        one for one in analysis.dataset.conditions if one.number in means and {x.name, y.name} <= one.values.keys()
    ]
    if not known:
        return None
    is_grid = max(len(x.levels), len(y.levels)) <= MOST_LEVELS and 2 * len(known) >= len(x.levels) * len(y.levels)
    metric = analysis.dataset.objective.metric
    trace = _cells(analysis, known, means, x, y) if is_grid else _points(analysis, known, means, x, y)
    title = f"{metric}: the best over the other factors" if is_grid and len(analysis.dataset.factors) > 2 else metric
    axes = {"xaxis": _axis(x, is_grid=is_grid), "yaxis": _axis(y, is_grid=is_grid)}
    return {"data": [trace], "layout": {"title": {"text": title}, **axes, "margin": {**_MARGIN, "l": 60}}}


def _cells(analysis: Analysis, known: Sequence[Condition], means: Mapping[int, float], x: Factor, y: Factor) -> Figure:
    better = min if analysis.dataset.objective.direction == "minimize" else max
    rows: list[list[float | None]] = []
    for level in y.levels:
        row = [one for one in known if one.values[y.name] == level]
        of_cells = [[means[one.number] for one in row if one.values[x.name] == other] for other in x.levels]
        rows.append([better(values) if values else None for values in of_cells])
    return {
        "type": "heatmap",
        "x": [short(level) for level in x.levels],
        "y": [short(level) for level in y.levels],
        "z": rows,
        "texttemplate": "%{z:.3g}",
        "colorscale": "Viridis",
        "reversescale": better is min,
        "colorbar": {"title": {"text": analysis.dataset.objective.metric}},
    }


def _points(analysis: Analysis, known: Sequence[Condition], means: Mapping[int, float], x: Factor, y: Factor) -> Figure:
    objective = analysis.dataset.objective
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [one.values[x.name] for one in known],
        "y": [one.values[y.name] for one in known],
        "text": [_name(analysis, one.number) for one in known],
        "hovertemplate": "%{text}<br>%{marker.color:.4g}<extra></extra>",
        "marker": {
            "size": 9,
            "color": [means[one.number] for one in known],
            "colorscale": "Viridis",
            "reversescale": objective.direction == "minimize",
            "colorbar": {"title": {"text": objective.metric}},
        },
    }


def _set(analysis: Analysis) -> Figure | None:
    """The conditions that cannot be ruled out as the best, with their verdicts."""
    if analysis.best is None:
        return None
    names = [one.name for one in analysis.dataset.factors]
    conditions = {one.number: one for one in analysis.dataset.conditions}
    rows = []
    for number in analysis.best.members[:MOST_SHOWN]:
        summary = _summary(analysis, number)
        cells = [short(conditions[number].values.get(name, "")) for name in names]
        written = estimate_text(summary.interval, summary) if summary is not None else ""
        rows.append([str(number), *cells, written, verdict_of(analysis, number)])
    header = ["trial", *names, analysis.dataset.objective.metric, "verdict"]
    columns = [list(column) for column in zip(*rows, strict=True)]
    title = f"What cannot be ruled out as the best ({100 * analysis.best.level:g} % confidence)"
    return {
        "data": [{"type": "table", "header": {"values": header}, "cells": {"values": columns, "align": "left"}}],
        "layout": {"title": {"text": title}, "margin": _MARGIN},
    }


def _axis(factor: Factor, *, is_grid: bool) -> Figure:
    title = {"title": {"text": factor.name}}
    return {**title, "type": "category"} if is_grid else {**title, "type": "log" if factor.is_log else "-"}


def _name(analysis: Analysis, number: int) -> str:
    condition = next(one for one in analysis.dataset.conditions if one.number == number)
    return f"{number}: {', '.join(f'{name} {short(value)}' for name, value in condition.values.items())}"


def _summary(analysis: Analysis, number: int) -> ConditionSummary | None:
    return next((one for one in analysis.objective if one.condition == number and math.isfinite(one.value)), None)


def _colour(analysis: Analysis, number: int) -> str:
    found = analysis.best
    if found is None:
        return OTHER
    if number == found.winner:
        return BEST
    if number in found.members:
        return IN_SET
    return WORSE if number in found.having("worse") else OTHER


def _is_log(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) / min(values) > 10
