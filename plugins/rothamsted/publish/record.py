"""Write an analysis to its run in MLflow: tables, metrics, tags and the description."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

from rothamsted import tags
from rothamsted.analysis.values import Analysis, ConditionSummary, Confirmed
from rothamsted.publish.confirmed_tables import confirmed_table
from rothamsted.publish.curves_table import curves_table
from rothamsted.publish.description import description
from rothamsted.records import MetricPoint
from rothamsted.reporting.tables.csv_of_budget import expected_best_table
from rothamsted.reporting.tables.csv_of_tasks import task_tables
from rothamsted.reporting.tables.csv_tables import (
    Table,
    comparisons_table,
    conditions_table,
    effects_table,
    luck_table,
    means_table,
    metrics_table,
    pareto_table,
    replicates_table,
    to_csv,
)
from rothamsted.reporting.tables.of_sources import sources_table
from rothamsted.statistics.centres import statistic_of
from rothamsted.tracking import Recorder

FOLDER = "statistics"
MOST_ROWS_SHOWN = 1000  # of a table in the UI; the CSV file beside it has them all
_STATISTICS = ("mean", "sd")  # tables have the others


def write_record(recorder: Recorder, analysis: Analysis, run_id: str, *, picture: str = "") -> list[str]:
    """Write tables, metrics, tags and the description of an analysis to its run, and return the tables' names.

    The description shows the picture, see `picture_of`.

    With several objectives each trial's run says whether it is in the Pareto set. A second call replaces everything;
    equal numbers leave the run as it was.
    """
    names = []
    for table in tables_of(analysis):
        recorder.log_text(run_id, to_csv(table), f"{FOLDER}/{table.name}.csv")
        if table.name not in ("curves", "task_profiles"):  # long, and for programs only
            rows = [[_shown(cell) for cell in row] for row in table.rows[:MOST_ROWS_SHOWN]]
            recorder.log_table(run_id, table.columns, rows, f"{FOLDER}/{table.name}.json")
        names.append(table.name)
    recorder.replace_metrics(run_id, _metrics(analysis))
    recorder.log(run_id, tags=_tags(analysis))
    for trial_id, is_member in _membership(analysis).items():
        recorder.log(trial_id, tags={tags.PARETO: "yes" if is_member else "no"})
    recorder.set_description(run_id, description(analysis, picture=picture))
    recorder.flush()
    return names


def tables_of(analysis: Analysis) -> list[Table]:
    """Return the tables of an analysis that have rows."""
    tables = [
        conditions_table(analysis),
        replicates_table(analysis),
        metrics_table(analysis),
        pareto_table(analysis),
        comparisons_table(analysis),
        luck_table(analysis),
        confirmed_table(analysis),
        effects_table(analysis),
        means_table(analysis),
        sources_table(analysis),
        curves_table(analysis),
        *task_tables(analysis),
        expected_best_table(analysis),
    ]
    return [table for table in tables if table.rows]


def _metrics(analysis: Analysis) -> list[MetricPoint]:
    at_ms = time.time_ns() // 1_000_000
    values: dict[str, float] = {}
    counts: dict[str, int] = {}
    for summary in analysis.objective:
        for outcome, n in summary.counts.items():
            counts[outcome] = counts.get(outcome, 0) + n
    values |= {f"replicates/{outcome}": float(n) for outcome, n in counts.items()}
    if analysis.ranking:
        best = analysis.ranking[0]
        values |= _prefixed("best_in_search", _of(analysis.objective, best))
        for objective, summaries in zip(analysis.dataset.others, analysis.others, strict=True):
            values |= _prefixed(f"best_in_search.{objective.metric}", _of(summaries, best))
    winner = winner_of(analysis)
    if winner is not None and winner.mean is not None and winner.summary is not None:
        values |= _prefixed("confirmed", winner.summary)
        for name, tested in winner.tested.items():
            values |= _prefixed(f"confirmed/{name}", tested)
        values |= {
            "luck": winner.luck.estimate,
            "luck/ci_low": winner.luck.low,
            "luck/ci_high": winner.luck.high,
        }
    step = len(analysis.dataset.conditions)
    return [MetricPoint(key, value, at_ms, step) for key, value in values.items() if math.isfinite(value)]


def _membership(analysis: Analysis) -> dict[str, bool]:
    """Run of a trial -> whether its condition is in the Pareto set; empty with one objective."""
    if not analysis.dataset.others:
        return {}
    members = analysis.pareto.members if analysis.pareto is not None else ()
    return {one.run_id: one.number in members for one in analysis.dataset.conditions if one.run_id}


def _prefixed(prefix: str, summary: ConditionSummary) -> dict[str, float]:
    values = {f"{prefix}/{name}": summary.statistics[name] for name in _STATISTICS}
    values[f"{prefix}/{statistic_of(summary.over)}"] = summary.value
    values[f"{prefix}/n"] = float(summary.n)
    if summary.n_missing:
        values[f"{prefix}/{statistic_of(summary.over)}_adjusted"] = summary.adjusted
    if summary.interval is not None:
        values |= {f"{prefix}/ci_low": summary.interval.low, f"{prefix}/ci_high": summary.interval.high}
    return values


def winner_of(analysis: Analysis) -> Confirmed | None:
    """Return the confirmed estimate of the search's best condition; None if it is not confirmed."""
    return next((one for one in analysis.confirmed if one.condition in analysis.ranking[:1]), None)


def _of(summaries: Sequence[ConditionSummary], number: int) -> ConditionSummary:
    return next(summary for summary in summaries if summary.condition == number)


def _tags(analysis: Analysis) -> Mapping[str, str]:
    objective = analysis.dataset.objective
    several = (objective, *analysis.dataset.others)
    shown = "; ".join(
        f"{one.direction} {one.metric} ({one.reduce}{'' if one.over == 'mean' else f', over {one.over}'})"
        for one in several
    )
    found = {
        "rothamsted.analysis": f"level {analysis.level:g}, interval {analysis.interval}, best "
        f"{analysis.best.method if analysis.best else 'unknown'}, {shown}",
    }
    if analysis.ranking:
        best = next(c for c in analysis.dataset.conditions if c.number == analysis.ranking[0])
        if winner_of(analysis) is not None:
            found["rothamsted.confirmed_run"] = best.confirm_run_id
        found |= {
            "rothamsted.best_trial": str(best.number),
            "rothamsted.best_run": best.run_id,
            "rothamsted.best_condition": best.label[:5000],
        }
    if analysis.best is not None:
        found["rothamsted.can_be_best"] = ", ".join(map(str, analysis.best.members))[:5000]
    if analysis.pareto is not None:
        found["rothamsted.pareto_set"] = ", ".join(map(str, analysis.pareto.members))[:5000]
    return found


def _shown(cell: object) -> object:
    """JSON has no NaN and no infinity."""
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell
