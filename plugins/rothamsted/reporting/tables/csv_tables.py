"""Make the tables of an analysis for CSV files: every digit, and no formatting."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rothamsted.analysis.left_out import left_out_words, over_words
from rothamsted.analysis.values import Analysis, Condition, ConditionSummary, Dataset, LevelMean
from rothamsted.printable import csv_text
from rothamsted.statistics.centres import statistic_of

STATISTICS = ("mean", "sd", "sem", "median", "iqm", "min", "max")
INTERVAL_COLUMNS = ("ci_low", "ci_high", "level", "method")
OTHER_COLUMNS = ("n", "mean", "sd", "sem", "ci_low", "ci_high", "median", "min", "max")  # of a further objective
VERDICT_COLUMNS = ("can_be_best", "verdict", "p_of_being_best", "worse_by", "worse_by_low", "worse_by_high")
USUAL_OUTCOMES = ("finished", "diverged", "failed", "pruned", "interrupted")


@dataclass(frozen=True, kw_only=True)
class Table:
    """Holds named columns and rows of numbers, text, booleans and None (missing)."""

    name: str  # of its file, without the suffix
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def to_csv(table: Table) -> str:
    """Write a table as CSV: numbers with all their digits, missing values empty."""
    return csv_text([table.columns, *([_csv_cell(value) for value in row] for row in table.rows)])


def conditions_table(analysis: Analysis) -> Table:
    """Return one row for each condition, ranked ones first: factors, outcomes, the objective's statistics."""
    names = [factor.name for factor in analysis.dataset.factors]
    conditions = conditions_by_number(analysis)
    outcomes = outcomes_of(analysis.objective)
    rank = {number: place for place, number in enumerate(analysis.ranking, start=1)}
    own = ("rank", "condition")
    rest = (*(f"n_{outcome}" for outcome in outcomes), "n", *STATISTICS, *INTERVAL_COLUMNS)
    fates = _fates(analysis)
    others = [f"{one.metric}/{column}" for one in analysis.dataset.others for column in OTHER_COLUMNS]
    adjusted = f"{statistic_of(analysis.dataset.objective.over)}_adjusted"
    marks = (adjusted, "n_seeds_missing", "is_constant", *VERDICT_COLUMNS)
    last = (*marks, "note", "label", "run_id", *others, *fates)
    further = [{one.condition: one for one in of_one} for of_one in analysis.others]
    rows = [
        (
            rank.get(summary.condition),
            summary.condition,
            *_factor_cells(conditions.get(summary.condition), names),
            *(summary.counts.get(outcome, 0) for outcome in outcomes),
            *_statistics_cells(summary),
            summary.adjusted if math.isfinite(summary.adjusted) else None,
            summary.n_missing,
            summary.is_constant,
            *_verdict_cells(analysis, summary.condition),
            summary.note,
            *_identity_cells(conditions.get(summary.condition)),
            *(cell for of_one in further for cell in _short_cells(of_one[summary.condition])),
            *(of_all.get(summary.condition) for of_all in fates.values()),
        )
        for summary in in_order_of_rank(analysis, analysis.objective)
    ]
    return _table("conditions", own, names, (*rest, *last), rows)


def _verdict_cells(analysis: Analysis, condition: int) -> tuple[Any, ...]:
    """What is said of a condition against the best of the others; nothing where nothing is."""
    one = analysis.best.verdicts.get(condition) if analysis.best else None
    if one is None:
        return (None,) * len(VERDICT_COLUMNS)
    return one.is_in_set, one.verdict, one.p, one.difference, one.low, one.high


def _fates(analysis: Analysis) -> dict[str, dict[int, Any]]:
    """Columns that only some sweeps have, by condition: race, pruned, Pareto set, constraints."""
    conditions, fates = analysis.dataset.conditions, dict[str, dict[int, Any]]()
    if analysis.dataset.objective.over != "mean":
        fates |= {name: {s.condition: getattr(s, name) for s in analysis.objective} for name in ("over", "value")}
    if any(one.race for one in conditions):
        fates["race"] = {one.number: one.race for one in conditions}
    if any(one.pruned for one in conditions):
        fates["pruned"] = {one.number: one.pruned for one in conditions}
    if analysis.pareto is not None:
        fates["on_pareto_set"] = {one.number: one.number in analysis.pareto.members for one in conditions}
    texts = list(dict.fromkeys(text for one in conditions for text, _ in one.violations))
    if texts:
        fates["feasible"] = {one.number: not one.broken for one in conditions if one.violations}
    for text in texts:
        fates[f"violation of {text}"] = {one.number: dict(one.violations).get(text) for one in conditions}
    return fates


def replicates_table(analysis: Analysis) -> Table:
    """Return one row for each replicate: condition, seed, outcome, objective, run; over tasks, as they were run."""
    dataset = analysis.dataset.cells or analysis.dataset
    names = [factor.name for factor in dataset.factors]
    conditions = {condition.number: condition for condition in dataset.conditions}
    others = [one.metric for one in dataset.others]
    is_early = any(one.stopped_early for one in dataset.replicates)
    usual = ("seed", "phase", "outcome", "objective", "seconds", "reason", "started_ms", "run_id")
    varied = varied_columns(analysis.dataset)
    rest = (*usual, *others, *(["stopped_early"] * is_early), *varied)
    rows = [
        (
            one.condition,
            *_factor_cells(conditions.get(one.condition), names),
            *(one.seed, one.phase, one.outcome, one.objective, one.seconds, one.reason),
            one.started_ms or None,
            one.run_id,
            *(one.others or (None,) * len(others)),
            *([one.stopped_early] * is_early),
            *(one.varied.get(name) for name in varied.values()),
        )
        for one in dataset.replicates
    ]
    return _table("replicates", ("condition",), names, rest, rows)


def varied_columns(dataset: Dataset) -> dict[str, str]:
    """Return column -> parameter, for parameters that replicates set besides their seed.

    For crossed replicates these are all, since their seed is the number of a combination.
    """
    if dataset.crossed:
        return {f"varied {name}": name for name in dataset.crossed}
    return {f"varied {name}": name for name in dataset.varied if len(dataset.varied) > 1}


def metrics_table(analysis: Analysis) -> Table:
    """Make one row for each metric other than the objective and condition, with the statistics of its final value."""
    columns = ("metric", "condition", "label", "n", *STATISTICS, *INTERVAL_COLUMNS, "is_constant", "note")
    labels = labels_by_number(analysis)
    rows = [
        (
            *(metric, summary.condition, labels.get(summary.condition)),
            *_statistics_cells(summary),
            *(summary.is_constant, summary.note),
        )
        for metric, summaries in analysis.metrics.items()
        for summary in summaries
    ]
    return Table(name="metrics", columns=columns, rows=tuple(rows))


def comparisons_table(analysis: Analysis) -> Table:
    """Make one row for each condition compared with the reference: difference, interval, p-values, effect sizes."""
    fields = (
        *("n", "difference", "low", "high", "p_value", "p_corrected", "effect", "effect_low", "effect_high"),
        *("probability_better", "is_different"),
    )
    of_better = ("n_better", "n_compared", "low", "high")
    counts = ("n_better", "n_compared", "better_low", "better_high")
    columns = ("condition", "label", "reference", *fields, *counts, "test", "correction", "level", "note")
    family = analysis.comparisons
    labels = labels_by_number(analysis)
    rows = [
        (
            *(row.condition, labels.get(row.condition), row.reference),
            *(getattr(row, field) for field in fields),
            *(getattr(row.better, field, None) for field in of_better),
            *(family.test, family.correction, family.level, row.note),
        )
        for row in (family.rows if family else ())
        if family
    ]
    return Table(name="comparisons", columns=columns, rows=tuple(rows))


def luck_table(analysis: Analysis) -> Table:
    """Return one row for each condition with fresh seeds: how much better the search's mean looked."""
    fields = ("n_search", "n_confirmed", "estimate", "low", "high", "level", "method")
    labels = labels_by_number(analysis)
    rows = [
        (one.condition, labels.get(one.condition), *(getattr(one.luck, field) for field in fields))
        for one in analysis.confirmed
    ]
    columns = ("n_search", "n_confirmed", "luck", "ci_low", "ci_high", "level", "method")
    return Table(name="luck", columns=("condition", "label", *columns), rows=tuple(rows))


def effects_table(analysis: Analysis) -> Table:
    """Make the table of the analysis of variance, one row a source."""
    columns = ("source", "df", "sum_squares", "f", "f_df", "error_df", "p_value", "omega_squared", "share")
    rows = analysis.effects.rows if analysis.effects else ()
    of_all = (analysis.effects.method, effects_note(analysis)) if analysis.effects else ()
    cells = tuple((*(getattr(row, column) for column in columns), *of_all) for row in rows)
    return Table(name="effects", columns=(*columns, "method", "note"), rows=cells)


def effects_note(analysis: Analysis) -> str:
    """Say over which conditions effects are, which are left out, and, if nothing was tested, why."""
    left = left_out_words(analysis.dataset, analysis.ranking)
    untested = analysis.effects.untested if analysis.effects else ""
    over = f"over {over_words(analysis.dataset, analysis.ranking)}"
    more = ((f"left out: {left}", left), (f"no p-values: {untested}", untested))
    return "; ".join([over, *(words for words, is_said in more if is_said)])


def means_table(analysis: Analysis) -> Table:
    """Make the table of main effects: one row for each level of each factor, its mean over everything else."""
    columns = ("factor", "level", "n", "mean", "ci_low", "ci_high")
    means: tuple[LevelMean, ...] = analysis.effects.means if analysis.effects else ()
    rows = tuple((one.factor, one.level, one.n, one.mean, one.low, one.high) for one in means)
    return Table(name="means", columns=columns, rows=rows)


def pareto_table(analysis: Analysis) -> Table:
    """Return one row for each ranked condition: its means of all objectives, its place in the Pareto set."""
    found, names = analysis.pareto, [analysis.dataset.objective.metric, *(o.metric for o in analysis.dataset.others)]
    columns = [f"{name}/{column}" for name in names for column in OTHER_COLUMNS]
    labels = labels_by_number(analysis)
    summaries = [{one.condition: one for one in of_one} for of_one in (analysis.objective, *analysis.others)]
    rows = [
        (
            *(number, labels.get(number), number in found.members, found.frequency.get(number)),
            *(cell for of_one in summaries for cell in _short_cells(of_one[number])),
            *(found.n_resamples, found.method),
        )
        for number in (analysis.ranking if found else ())
        if found
    ]
    first = ("condition", "label", "on_pareto_set", "frequency")
    return Table(name="pareto", columns=(*first, *columns, "n_resamples", "method"), rows=tuple(rows))


def conditions_by_number(analysis: Analysis) -> dict[int, Condition]:
    """Return every condition under its number."""
    return {condition.number: condition for condition in analysis.dataset.conditions}


def labels_by_number(analysis: Analysis) -> dict[int, str]:
    """Return every condition's label under its number."""
    return {condition.number: condition.label for condition in analysis.dataset.conditions}


def in_order_of_rank(analysis: Analysis, summaries: Iterable[ConditionSummary]) -> list[ConditionSummary]:
    """Return summaries of ranked conditions, best first, then the others by number."""
    rank = {number: place for place, number in enumerate(analysis.ranking)}
    return sorted(summaries, key=lambda one: (rank.get(one.condition, len(rank)), one.condition))


def outcomes_of(summaries: Iterable[ConditionSummary]) -> list[str]:
    """Return the outcomes that are counted: the usual ones, then any other that occurs, in alphabetical order."""
    found = {outcome for summary in summaries for outcome in summary.counts}
    return [*USUAL_OUTCOMES, *sorted(found - set(USUAL_OUTCOMES))]


def _table(
    name: str, first: Iterable[str], factors: Iterable[str], rest: Iterable[str], rows: Iterable[tuple[Any, ...]]
) -> Table:
    """Join columns; a factor that has the name of another column is marked, so that no two are called alike."""
    own = {*first, *rest}
    marked = [f"{factor} (factor)" if factor in own else factor for factor in factors]
    return Table(name=name, columns=(*first, *marked, *rest), rows=tuple(rows))


def _factor_cells(condition: Condition | None, names: Iterable[str]) -> tuple[Any, ...]:
    return tuple(condition.values.get(name) if condition else None for name in names)


def _identity_cells(condition: Condition | None) -> tuple[str | None, str | None]:
    return (condition.label, condition.run_id) if condition else (None, None)


def _statistics_cells(summary: ConditionSummary) -> tuple[Any, ...]:
    """Cells of the columns n, STATISTICS and INTERVAL_COLUMNS."""
    interval = summary.interval
    statistics = (summary.statistics.get(name, math.nan) for name in STATISTICS)
    bounds = (interval.low, interval.high, interval.level, interval.method) if interval else (None,) * 4
    return (summary.n, *statistics, *bounds)


def _short_cells(summary: ConditionSummary) -> tuple[Any, ...]:
    """Cells of OTHER_COLUMNS."""
    bounds = (summary.interval.low, summary.interval.high) if summary.interval else (math.nan, math.nan)
    known = {**summary.statistics, "n": summary.n, "ci_low": bounds[0], "ci_high": bounds[1]}
    return tuple(known.get(name, math.nan) for name in OTHER_COLUMNS)


def _csv_cell(value: Any) -> str | int | float:
    """Return a value as CSV holds it: NaN and None as nothing, true and false as YAML spells them."""
    kind = type(value)
    if kind is str or kind is int:  # nearly all cells of long tables are one of three
        return value
    if kind is float:
        return "" if math.isnan(value) else value  # the writer gives it all its digits
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)):
        return "" if math.isnan(value) else repr(float(value))
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, default=str)
    return "" if value is None else str(value)
