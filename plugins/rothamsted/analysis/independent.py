"""Replace crossed replicates by independent ones before anything is computed from a dataset.

Every interval, test and verdict assumes independent replicates. Points of plots and tables of replicates still show the
replicates that were trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from rothamsted.analysis.ranking import members_of, scores_of
from rothamsted.analysis.values import Analysis, ConditionSummary, Dataset, Replicate, Series
from rothamsted.statistics import describe
from rothamsted.statistics.crossed import Crossing, independent_values

DESCRIPTIVE = ("mean", "sd", "median", "iqm", "min", "max")  # of a summary: of what was trained


def independent(dataset: Dataset) -> Dataset:
    """Return the dataset with the search's finished replicates of each condition replaced by independent ones.

    There are as many as the shortest source has values, see `statistics.crossed`. Replicates that did not finish stay.
    A dataset without crossed replicates is returned as it is.
    """
    if not dataset.crossed:
        return dataset
    members = members_of(dataset)
    made = [one for condition in dataset.conditions for one in _made(members[condition.number], dataset)]
    rest = [one for one in dataset.replicates if one.phase != "search" or one.outcome != "finished"]
    return replace(dataset, replicates=tuple(sorted((*made, *rest), key=lambda r: (r.condition, r.phase == "confirm"))))


def with_trained(analysis: Analysis) -> Analysis:
    """Return an analysis of independent replicates with the counts, means and extremes of those that were trained.

    Standard errors, intervals and their n stay those of the independent replicates.
    """
    members = members_of(analysis.dataset)

    def shown(summary: ConditionSummary, value: Callable[[Replicate], float]) -> ConditionSummary:
        return _as_trained(summary, members[summary.condition], value)

    return replace(
        analysis,
        objective=tuple(shown(one, lambda r: r.objective) for one in analysis.objective),
        others=tuple(
            tuple(shown(one, lambda r, at=index: r.others[at]) for one in of_one)
            for index, of_one in enumerate(analysis.others)
        ),
        metrics={
            name: tuple(shown(one, lambda r, key=name: r.metrics.get(key, math.nan)) for one in of_one)
            for name, of_one in analysis.metrics.items()
        },
    )


def _as_trained(
    summary: ConditionSummary, replicates: Sequence[Replicate], value: Callable[[Replicate], float]
) -> ConditionSummary:
    finished = np.array([value(one) for one in replicates if one.outcome == "finished"], dtype=float)
    finite = finished[np.isfinite(finished)]
    if not len(finite):
        return summary
    counts = {**summary.counts, "finished": len(finished)}
    found = describe(finite)
    statistics = {**summary.statistics, **{name: getattr(found, name) for name in DESCRIPTIVE}}
    made = f"{len(finite)} crossed replicates count as {summary.n} independent ones"
    lost = f"no interval: one of the crossed numbers has no result ({len(finite)} replicates have one)"
    note = "; ".join(part for part in (made if summary.n else lost, summary.note) if part)
    return replace(summary, counts=counts, statistics=statistics, note=note)


def _made(replicates: Sequence[Replicate], dataset: Dataset) -> list[Replicate]:
    """The independent replicates of one condition; none where a number of a source is missing altogether."""
    finished = [one for one in replicates if one.outcome == "finished"]
    if not finished:
        return []
    crossing = Crossing(
        cells=tuple(one.number for one in finished),
        sizes=tuple(dataset.crossed.values()),
    )

    def made(values: Sequence[Sequence[float]]) -> np.ndarray:
        return independent_values(np.array(values, dtype=float).reshape(len(finished), -1), crossing)

    objective = made([[one] for one in scores_of(finished)])[:, 0]
    if not np.isfinite(objective).all():
        return []
    others = made([one.others or (math.nan,) * len(dataset.others) for one in finished])
    names = sorted({name for one in finished for name in one.metrics})
    metrics = made([[one.metrics.get(name, math.nan) for name in names] for one in finished])
    series = _series(finished, made)
    return [
        replace(
            finished[0],
            run_id="",
            seed=f"independent {k + 1}",
            number=k,
            objective=float(objective[k]),
            others=tuple(float(value) for value in others[k]),
            metrics={name: float(value) for name, value in zip(names, metrics[k], strict=True)},
            tested={},
            series=series[k],
            varied={},
        )
        for k in range(len(objective))
    ]


def _series(
    finished: Sequence[Replicate], made: Callable[[Sequence[Sequence[float]]], np.ndarray]
) -> list[dict[str, Series]]:
    """The curves of the independent replicates, at the steps that all have."""
    n = len(made([[0.0]] * len(finished)))
    found: list[dict[str, Series]] = [{} for _ in range(n)]
    for name in sorted(set.intersection(*(set(one.series) for one in finished))):
        curves = [one.series[name] for one in finished]
        steps = curves[0].steps
        for one in curves[1:]:
            steps = np.intersect1d(steps, one.steps)
        places = [np.searchsorted(one.steps, steps) for one in curves]
        columns = {
            what: made([getattr(one, what)[at] for one, at in zip(curves, places, strict=True)])
            for what in ("values", "seconds", "epochs")
        }
        for k in range(n if len(steps) else 0):
            # Times are no results: all have the mean, so that curves over time stand above each other.
            seconds, epochs = (columns[what].mean(axis=0) for what in ("seconds", "epochs"))
            found[k][name] = Series(steps=steps, values=columns["values"][k], seconds=seconds, epochs=epochs)
    return found
