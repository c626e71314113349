"""Give every plot what it needs of an analysis: scores by condition, order by rank, factors and levels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rothamsted.analysis.values import Analysis, Condition, ConditionSummary, Factor, Replicate
from rothamsted.errors import UserError
from rothamsted.metric import declared
from rothamsted.reporting.plots.contract import Better, NotApplicable
from rothamsted.reporting.plots.labels import clean, named, percent
from rothamsted.wording import SCALES

LEARNING_RATES = ("learning_rate", "lr")  # last part of a metric's name: optimizer/learning_rate, opt.lr, lr-Adam
ABSENT = object()  # the level of a factor that does not apply to a condition; None is a value like others


@dataclass(frozen=True, kw_only=True)
class Score:
    """Holds the mean of one metric of one condition, with its interval if there is one."""

    condition: int
    mean: float
    low: float  # NaN without an interval
    high: float
    n: int
    is_partial: bool  # some replicate diverged or failed: the mean is that of the others


def metric_of(analysis: Analysis, metric: str | None) -> str:
    """Name the metric to draw, the objective's unless another is asked for.

    Raises:
        UserError: It was not logged; the text lists the metrics that exist.
    """
    objective = analysis.dataset.objective.metric
    if metric is None or metric == objective:
        return objective
    further = {one.metric for one in analysis.dataset.others}
    if metric not in analysis.metrics and metric not in further:
        known = ", ".join(sorted({objective, *further, *analysis.metrics}))
        raise UserError(f"plots: no run has the metric {metric!r}; there are: {known}")
    return metric


def is_learning_rate(metric: str) -> bool:
    """Say whether a metric's name says that it is a learning rate."""
    return any(part.lower() in LEARNING_RATES for part in metric.replace("-", "/").replace(".", "/").split("/"))


def better_of(analysis: Analysis, metric: str) -> Better | None:
    """Return which values of a metric are good, as an objective or the study says; None: unknown."""
    known = (analysis.dataset.objective, *analysis.dataset.others)
    said = next((one.direction for one in known if one.metric == metric), None)
    direction = said or declared(analysis.dataset.metrics, metric).direction
    return None if direction is None else ("lower" if direction == "minimize" else "higher")


def metric_name(analysis: Analysis, metric: str) -> str:
    """Name a metric as its study declares it, label and unit; else as it was logged.

    A label that is declared for a pattern, such as `class_accuracy/*`, is not used for a single metric.
    """
    known = analysis.dataset.metrics
    label = known[metric].label if metric in known else ""
    unit = declared(known, metric).unit
    return named(label or metric) + (f" ({clean(unit)})" if unit else "")


def metric_label(analysis: Analysis, metric: str) -> str:
    """Name a metric for an axis, with how the objective's curve became one number, and that of a condition."""
    own = analysis.dataset.objective
    over = "" if metric != own.metric or own.over == "mean" else f", {analysis.over_words} over seeds"
    return f"{reduced_label(analysis, metric)}{over}"


def reduced_label(analysis: Analysis, metric: str) -> str:
    """Name a metric, with how the objective's curve became one number."""
    name = metric_name(analysis, metric)
    known = (analysis.dataset.objective, *analysis.dataset.others)
    objective = next((one for one in known if one.metric == metric), None)
    if objective is None or objective.reduce == "last":
        return name
    if objective.reduce == "best":
        return f"{name}, best of the curve"
    return f"{name}, mean of the last {objective.reduce.partition(':')[2] or objective.reduce}"


def summaries(analysis: Analysis, metric: str) -> tuple[ConditionSummary, ...]:
    """Return what is known of one metric, by condition."""
    further = [one.metric for one in analysis.dataset.others]
    if metric != analysis.dataset.objective.metric and metric in further:
        return analysis.others[further.index(metric)]
    return analysis.objective if metric == analysis.dataset.objective.metric else analysis.metrics[metric]


def scores(analysis: Analysis, metric: str) -> dict[int, Score]:
    """Return the conditions with a finite mean of a metric, by number; those that were pruned have none.

    Raises:
        NotApplicable: There is none.
    """
    found = {}
    pruned = pruned_numbers(analysis)
    for summary in summaries(analysis, metric):
        mean = summary.value
        if math.isfinite(mean) and summary.condition not in pruned:
            interval = summary.interval
            low, high = (interval.low, interval.high) if interval else (math.nan, math.nan)
            found[summary.condition] = Score(
                condition=summary.condition, mean=mean, low=low, high=high, n=summary.n, is_partial=_is_partial(summary)
            )
    if not found:
        n = len(analysis.dataset.conditions)
        raise NotApplicable(f"none of {n} conditions has a finite mean of {named(metric)}")
    return found


def pruned_numbers(analysis: Analysis) -> set[int]:
    """Return the conditions that were pruned."""
    return {condition.number for condition in analysis.dataset.conditions if condition.pruned}


def _is_partial(summary: ConditionSummary) -> bool:
    return any(summary.counts.get(outcome, 0) for outcome in ("diverged", "failed", "excluded"))


def by_number(analysis: Analysis) -> dict[int, Condition]:
    """Return the conditions by their numbers."""
    return {condition.number: condition for condition in analysis.dataset.conditions}


def condition_label(condition: Condition) -> str:
    """Name a condition by its number, as tables do, and by its values."""
    return f"{condition.number}: {clean(condition.label)}" if condition.label else str(condition.number)


def searched(analysis: Analysis) -> list[Replicate]:
    """Return the replicates of the search: those of the confirmation are another sample."""
    return [replicate for replicate in analysis.dataset.replicates if replicate.phase == "search"]


def n_diverged(analysis: Analysis) -> dict[int, int]:
    """Return how many replicates of each condition diverged."""
    return {summary.condition: summary.counts.get("diverged", 0) for summary in analysis.objective}


def is_lower_better(analysis: Analysis) -> bool:
    """Say whether the objective is minimised."""
    return analysis.dataset.objective.direction == "minimize"


def by_rank(analysis: Analysis, conditions: Iterable[int]) -> list[int]:
    """Order conditions best first; those without a rank come last, by number."""
    rank = {number: place for place, number in enumerate(analysis.ranking)}
    return sorted(conditions, key=lambda number: (rank.get(number, len(rank)), number))


def varying(analysis: Analysis) -> list[Factor]:
    """Return the factors with two levels or more, in their order.

    Raises:
        NotApplicable: Nothing varies.
    """
    factors = [factor for factor in analysis.dataset.factors if len(factor.levels) > 1]
    if not factors:
        n = len(analysis.dataset.conditions)
        what = "there is one condition" if n == 1 else f"no factor differs between the {n} conditions"
        raise NotApplicable(f"{what}: nothing to draw against")
    return factors


def factor_named(analysis: Analysis, name: str) -> Factor:
    """Find a factor.

    Raises:
        UserError: It does not exist or does not vary; the text lists those that do.
    """
    known = {factor.name: factor for factor in varying(analysis)}
    if name not in known:
        raise UserError(f"plots: {name!r} is not a factor that varies here; there are: {', '.join(known)}")
    return known[name]


def leading(analysis: Analysis) -> list[Factor]:
    """Order the varying factors by what they explain: their own share of variance where it is known."""
    share = {}
    if analysis.effects is not None:
        share = {row.source: row.share for row in analysis.effects.rows if math.isfinite(row.share)}
    factors = varying(analysis)
    return sorted(factors, key=lambda factor: (-share.get(factor.name, 0.0), factors.index(factor)))


def level_key(factor: Factor, value: Any) -> Any:
    """Make a level comparable: a number where the factor is one, else its text; ABSENT stays."""
    if value is ABSENT:
        return value
    return float(value) if factor.is_numeric else repr(value)


def level_keys(factor: Factor, conditions: Mapping[int, Condition]) -> dict[int, Any]:
    """Return the level of one factor of each condition; ABSENT where it does not apply."""
    return {number: level_key(factor, c.values.get(factor.name, ABSENT)) for number, c in conditions.items()}


def level_words(level: float) -> str:
    """Write `95 % intervals`."""
    return f"{percent(level)} intervals"


def replicate_words(analysis: Analysis, metric: str, shown: Iterable[int]) -> str:
    """Say what points and bars mean: `Means over 5 replicates with 95 % intervals (t on the log scale)`."""
    kept = set(shown)
    chosen = [s for s in summaries(analysis, metric) if s.condition in kept]
    counts = sorted({summary.n for summary in chosen})
    methods = sorted({SCALES.get(s.interval.method, s.interval.method) for s in chosen if s.interval})
    if not counts or counts == [1]:
        return "One replicate each: no intervals"
    n = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    centre = analysis.over_words if metric == analysis.dataset.objective.metric else "mean"
    what = f"{centre[0].upper()}{centre[1:]}s"
    if not methods:
        return f"{what} over {n} replicates, without intervals"
    without = "; without a bar if there is only one replicate" if counts[0] < 2 else ""
    return f"{what} over {n} replicates with {level_words(analysis.level)} ({', '.join(methods)}){without}"
