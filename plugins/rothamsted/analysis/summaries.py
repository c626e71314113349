"""Summarise one number over the replicates of a condition: objective, other metrics, test metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from rothamsted.analysis.race_words import race_note
from rothamsted.analysis.ranking import scores_of
from rothamsted.analysis.settings import Settings
from rothamsted.analysis.values import Condition, ConditionSummary, Dataset, Replicate
from rothamsted.metric import Metric, declared
from rothamsted.statistics import describe
from rothamsted.statistics.centres import MEAN


def summary_of_values(
    condition: Condition,
    replicates: Sequence[Replicate],
    values: np.ndarray,
    how: Settings,
    metric: Metric,
    over: str = MEAN,
) -> ConditionSummary:
    """Summarise one number of each finished replicate, and count how all replicates ended; `over` as `objective.over`.

    A pruned condition has no statistics: which of its replicates finished depends on their values.
    """
    kept = values if not condition.pruned else values[:0]
    found = describe(kept, level=how.level, method=how.interval, metric=metric, over=over)
    counts = Counter(r.outcome for r in replicates)
    counts["excluded"] = 0 if condition.pruned else found.n_excluded
    notes = [found.note] if found.note and not condition.pruned else []
    if counts["diverged"]:
        notes.append(
            f"{counts['diverged']} of {len(replicates)} diverged: a mean of the others would be too good, so it is "
            "not ranked"
        )
    if condition.pruned:
        notes.append(f"pruned {condition.pruned}: not ranked")
    if found.interval and (spoiled := race_note(condition.race)):
        notes.append(spoiled)
    notes += [f"breaks the constraint {text} by {amount:.4g}: not ranked" for text, amount in condition.broken]
    return ConditionSummary(
        condition=condition.number,
        n=found.n,
        counts={name: n for name, n in counts.items() if n},
        statistics={
            **{name: getattr(found, name) for name in ("mean", "sd", "sem", "median", "iqm", "min", "max")},
            over: found.centre,
        },
        over=over,
        interval=found.interval,
        is_constant=found.is_constant,
        note="; ".join(notes),
    )


def objective_summary(
    dataset: Dataset, condition: Condition, replicates: Sequence[Replicate], settings: Settings
) -> ConditionSummary:
    """Summarise the objective of one condition."""
    metric = declared(dataset.metrics, dataset.objective.metric)
    over = dataset.objective.over
    return summary_of_values(condition, replicates, scores_of(replicates), settings, metric, over)


def tested(
    dataset: Dataset, condition: Condition, replicates: Sequence[Replicate], settings: Settings
) -> dict[str, ConditionSummary]:
    """Return the test metrics of a confirmed condition's models."""
    names = sorted({name for one in replicates for name in one.test_metrics})
    plain, finished = Settings(level=settings.level), [one for one in replicates if one.outcome == "finished"]
    values = {name: np.array([one.test_metrics.get(name, np.nan) for one in finished]) for name in names}
    return {
        name: summary_of_values(condition, replicates, values[name], plain, declared(dataset.metrics, name))
        for name in names
    }


def metric_summaries(
    dataset: Dataset, members: Mapping[int, Sequence[Replicate]], settings: Settings
) -> dict[str, tuple[ConditionSummary, ...]]:
    """Summarise the final value of every metric of every condition, including the objective's own metric."""
    names = sorted({name for r in dataset.replicates for name in r.metrics})
    summaries: dict[str, tuple[ConditionSummary, ...]] = {}
    judged, quick = {dataset.objective.metric, *(one.metric for one in dataset.others)}, Settings(level=settings.level)
    for name in names:
        how = settings if name in judged else quick
        rows = []
        for condition in dataset.conditions:
            replicates = members[condition.number]
            finished = [r.metrics.get(name, np.nan) for r in replicates if r.outcome == "finished"]
            values = np.array(finished, dtype=float)
            rows.append(summary_of_values(condition, replicates, values, how, declared(dataset.metrics, name)))
        summaries[name] = tuple(rows)
    return summaries
