"""Make the cells that several tables share: a mean with its interval, a setting, and the notes below a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rothamsted.analysis.values import Analysis, Best, Better, ComparisonRow, ConditionSummary
from rothamsted.reporting.parts import Cell, Column, columns, numeric, text
from rothamsted.reporting.sentences import METHODS
from rothamsted.reporting.verdicts import verdict_of
from rothamsted.statistics import Interval
from rothamsted.wording import (
    MISSING,
    Estimate,
    count,
    estimate,
    joined,
    level_percent,
    p_value,
    probability,
    setting,
    share_better,
    with_uncertainty,
)

MOST_ROWS = 50
MOST_NOTES = 10
MOST_NAMED = 6  # metrics that share a remark


def mean_estimate(one: ConditionSummary) -> tuple[Estimate, float]:
    """Return a condition's mean with its interval, and the interval's width; NaN if there is none."""
    mean, bounds = one.value, one.interval
    if bounds is None:
        return estimate(mean, math.nan, math.nan), math.nan
    return estimate(mean, bounds.low, bounds.high), bounds.high - bounds.low


def summary_cells(one: ConditionSummary, is_uniform: bool) -> tuple[Cell, ...]:
    """Return mean, interval, sd and n of one summary. If intervals differ in kind, each names its own."""
    written, width = mean_estimate(one)
    sd, bounds = one.statistics.get("sd", math.nan), one.interval
    how = f" ({METHODS.get(bounds.method, bounds.method)}, {level_percent(bounds.level)})" if bounds else ""
    return (
        numeric(written.value, one.value),
        numeric(written.interval + ("" if is_uniform else how), width, hint=one.note),
        numeric(with_uncertainty(sd, sd), sd),
        numeric(str(one.n), one.n),
    )


def comparison_columns(level: float) -> tuple[Column, ...]:
    """Return the columns of `comparison_cells`."""
    titles = ("Difference", f"{level_percent(level)} interval", "n", "p corrected", "Cohen's d", "P(better)")
    return (*columns(*titles), Column(title="Told apart"))


def comparison_cells(row: ComparisonRow, alpha: float) -> tuple[Cell, ...]:
    """Return difference, its interval, n, corrected p, effect size, probability of improvement, and the verdict."""
    written = estimate(row.difference, row.low, row.high)
    effect = estimate(row.effect, row.effect_low, row.effect_high)
    verdict = "yes" if row.is_different else "no" if math.isfinite(row.p_corrected) else "unknown"
    return (
        numeric(written.value, row.difference),
        numeric(written.interval, row.high - row.low),
        numeric(str(row.n), row.n),
        numeric(probability(row.p_corrected, alpha), row.p_corrected, hint=f"not corrected: {p_value(row.p_value)}"),
        numeric(str(effect), row.effect),
        numeric(better_text(row.better), row.probability_better),
        text(verdict),
    )


def verdict_columns(analysis: Analysis) -> tuple[Column, ...]:
    """Return the columns of `verdict_cells`; none if there are no verdicts."""
    if analysis.best is None:
        return ()
    return (Column(title="Verdict"), *columns("Worse by"))


def verdict_cells(analysis: Analysis, condition: int) -> tuple[Cell, ...]:
    """Return the limits of how much worse a condition is than the best of the others, and its verdict, if any."""
    if analysis.best is None:
        return ()
    one = analysis.best.verdicts.get(condition)
    if one is None:
        return text(""), text("")
    written = estimate(one.difference, one.low, one.high)
    hint = f"{written.value} in these replicates" if math.isfinite(one.difference) else ""
    verdict = Cell(text=verdict_of(analysis, condition), hint=_seeds_hint(analysis.best, condition))
    return verdict, numeric(written.interval, one.difference, hint)


def _seeds_hint(best: Best, condition: int) -> str:
    """How many seeds would decide an open condition; empty where it is decided, or nothing is known."""
    if condition not in best.more_seeds:
        return ""
    seeds = best.more_seeds[condition]
    return (
        "more seeds than can be tried would decide" if seeds is None else f"about {count(seeds, 'seed')} would decide"
    )


def better_text(found: Better | None) -> str:
    """Say how often a replicate beat one of the reference, with the interval; an en dash if unknown."""
    if found is None:
        return MISSING
    return share_better(found.n_better, found.n_compared, found.low, found.high, is_paired=found.is_paired)


def interval_cells(interval: Interval | None) -> tuple[Cell, Cell, Cell]:
    """Return the cells of estimate, interval and n."""
    if interval is None:
        return (text(""), text(""), text(""))
    written = estimate(interval.estimate, interval.low, interval.high)
    width = interval.high - interval.low
    return (
        numeric(written.value, interval.estimate),
        numeric(written.interval, width),
        numeric(str(interval.n), interval.n),
    )


def interval_title(summaries: Iterable[ConditionSummary], level: float) -> tuple[str, bool]:
    """Return the title of a column of intervals, and whether all are of this kind; if not, each cell names its own."""
    kinds = {(one.interval.level, one.interval.method) for one in summaries if one.interval}
    if len(kinds) > 1:
        return "Interval", False
    shown, method = next(iter(kinds), (level, ""))
    return f"{level_percent(shown)} interval{f' ({METHODS.get(method, method)})' if method else ''}", True


def methods_of(intervals: Iterable[Interval | None]) -> str:
    """Say in words the methods and levels of some intervals."""
    kinds = dict.fromkeys((METHODS.get(one.method, one.method), one.level) for one in intervals if one)
    return " and ".join(f"{method}, {level_percent(level)}" for method, level in kinds) or "none"


def setting_cell(values: Mapping[str, Any], name: str, digits: int) -> Cell:
    """Return the value of a factor; an en dash if the factor does not apply."""
    if name not in values:
        return text("")
    value, written = values[name], setting(values[name], digits)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return numeric(written, value)
    return text(written)


def limit_note(n_rows: int, noun: str, file: str, most: int = MOST_ROWS) -> tuple[str, ...]:
    """Say how many rows a table leaves out, and which file has them."""
    if n_rows <= most:
        return ()
    left = count(n_rows - most, f"more {noun}", f"more {noun}s")
    return (f"The first {most} of {n_rows}; the {left} with every digit: statistics/{file}.",)


def collected(notes: Sequence[str]) -> tuple[str, ...]:
    """Return some remarks; of many the first, and the number of the others."""
    if len(notes) <= MOST_NOTES:
        return tuple(notes)
    return (*notes[:MOST_NOTES], f"And {count(len(notes) - MOST_NOTES, 'more remark')} of this kind.")


def remarks(found: Iterable[tuple[str, ConditionSummary]]) -> tuple[str, ...]:
    """Return the remarks on some metrics, each once, with its metrics."""
    by_note: dict[str, list[str]] = {}
    for name, one in found:
        if one.note:
            by_note.setdefault(one.note, []).append(name)
    return collected([f"{joined(_few(names))}: {note}." for note, names in by_note.items()])


def _few(names: list[str]) -> list[str]:
    return names if len(names) <= MOST_NAMED else [*names[:MOST_NAMED], f"{len(names) - MOST_NAMED} more"]
