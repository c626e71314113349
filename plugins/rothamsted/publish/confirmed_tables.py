"""Make tables of the confirmation: each condition's two estimates, and every replicate on fresh seeds."""

from __future__ import annotations

import math

from rothamsted.analysis.values import Analysis, Condition, ConditionSummary, Dataset
from rothamsted.records import Outcome
from rothamsted.reporting.tables.csv_tables import Table, varied_columns
from rothamsted.statistics import Interval

STATISTICS = ("n", "mean", "sd", "sem", "ci_low", "ci_high", "median", "min", "max")


def confirmed_table(analysis: Analysis) -> Table:
    """Return one row for each confirmed condition: both estimates, their difference, outcomes, its run."""
    names = [factor.name for factor in analysis.dataset.factors]
    conditions = {condition.number: condition for condition in analysis.dataset.conditions}
    summaries = [f"{which}_{statistic}" for which in ("search", "confirmed") for statistic in STATISTICS]
    counts = [outcome.value for outcome in Outcome]
    tested = sorted({name for one in analysis.confirmed for name in one.tested})
    rows = [
        (
            *_first(conditions[one.condition], names),
            *_statistics(one.searched, one.search),
            *_statistics(one.summary, one.confirmed),
            one.luck.estimate,
            *(one.tested[name].statistics["mean"] if name in one.tested else math.nan for name in tested),
            *(one.summary.counts.get(outcome, 0) if one.summary else 0 for outcome in counts),
            conditions[one.condition].confirm_run_id,
        )
        for one in analysis.confirmed
    ]
    columns = (
        "trial",
        *names,
        *summaries,
        "luck",
        *(f"{name}_mean" for name in tested),
        *(f"n_{outcome}" for outcome in counts),
        "run_id",
    )
    return Table(name="confirmed", columns=columns, rows=tuple(rows))


def confirmed_replicates_table(dataset: Dataset) -> Table:
    """Return one row for each ended replicate of the confirmation, with the test metrics of its model.

    Promotion compares the runs with it.
    """
    shown = [
        one
        for one in sorted(dataset.replicates, key=lambda r: (r.condition, r.number))
        if one.phase == "confirm" and one.condition not in dataset.unconfirmed
    ]
    tested = sorted({name for one in shown for name in one.test_metrics})
    varied = varied_columns(dataset)
    rows = [
        (
            *(one.condition, one.number, one.seed, one.outcome, one.objective, one.run_id),
            *(one.test_metrics.get(name, math.nan) for name in tested),
            *(one.varied.get(name) for name in varied.values()),
        )
        for one in shown
    ]
    columns = ("trial", "replicate", "seed", "outcome", "objective", "run_id", *tested, *varied)
    return Table(name="confirmed_replicates", columns=columns, rows=tuple(rows))


def _first(condition: Condition, names: list[str]) -> tuple[object, ...]:
    return (condition.number, *(condition.values.get(name) for name in names))


def _statistics(summary: ConditionSummary | None, interval: Interval | None) -> tuple[float, ...]:
    known = dict(summary.statistics) | {"n": summary.n} if summary else {}
    known |= {"ci_low": interval.low, "ci_high": interval.high} if interval else {}
    return tuple(known.get(name, math.nan) for name in STATISTICS)
