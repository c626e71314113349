"""Analyse a dataset: summaries, comparisons, factors, curves, and gaps with their reasons.

It decides which arrays the statistics get for each question, and what is said if there is no answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from rothamsted.analysis.bands import bands_of
from rothamsted.analysis.compare_tasks import compare_over_tasks, said_of
from rothamsted.analysis.dependence import statements
from rothamsted.analysis.effects import effects_of
from rothamsted.analysis.independent import independent, with_trained
from rothamsted.analysis.luck import luck_of
from rothamsted.analysis.marks import marks_of
from rothamsted.analysis.no_effect import twin_marks
from rothamsted.analysis.outlying_marks import outlying_marks
from rothamsted.analysis.over_tasks import grid_of, over_tasks
from rothamsted.analysis.pareto import pareto_of
from rothamsted.analysis.points import of_curves
from rothamsted.analysis.ranking import (
    MeanOfCondition,
    adjusted_of,
    members_of,
    near_best,
    others_of,
    ranked,
    scores_of,
)
from rothamsted.analysis.settings import Settings as Settings
from rothamsted.analysis.settings import settings_of as settings_of
from rothamsted.analysis.shown_means import with_adjusted
from rothamsted.analysis.sources import sources_in
from rothamsted.analysis.summaries import metric_summaries, objective_summary, summary_of_values, tested
from rothamsted.analysis.values import (
    Analysis,
    ConditionSummary,
    Confirmed,
    Dataset,
    FactorEffects,
    Replicate,
)
from rothamsted.analysis.verdicts import MOST_QUICK, best_in, comparisons_in, detectable_in
from rothamsted.metric import declared
from rothamsted.statistics.centre_intervals import kind_of
from rothamsted.statistics.centres import MEAN, with_article, words_of

Part = Literal["comparisons", "effects", "curves"]  # what takes time: 3 s of 3,000 conditions
ALL: frozenset[Part] = frozenset(("comparisons", "effects", "curves"))
QUICK: frozenset[Part] = frozenset()  # summaries, ranking, confirmation


def analyze(
    dataset: Dataset,
    settings: Settings = Settings(),  # noqa: B008  (frozen)
    *,
    parts: frozenset[Part] = ALL,
) -> Analysis:
    """Analyse a dataset. What cannot be computed, or was not asked for, becomes a gap with its reason.

    The conditions of a contest are given, not searched, so they have no ranking. If a factor is the task, conditions
    are those without it, and all results are over its values.

    Raises:
        UserError: The task is not a factor, or has only one value.
    """
    if dataset.task is not None and dataset.cells is None:
        return _over_tasks(dataset, settings, parts)
    trained, dataset = dataset, independent(dataset)
    members, means = members_of(dataset), adjusted_of(dataset)
    ranking = [] if dataset.kind == "contest" else ranked(dataset, means=means)
    gaps: dict[str, str] = dict.fromkeys(sorted(ALL - parts), "not a part of this quick analysis")
    best = None
    if "comparisons" in parts or len(ranking) <= MOST_QUICK:
        best = best_in(dataset, ranking, means, settings, gaps, plans="comparisons" in parts)
    else:
        gaps["best"] = f"with more than {MOST_QUICK} conditions this is computed for the report"
    sources = sources_in(trained, ranking, level=settings.level, gaps=gaps)
    found = Analysis(
        dataset=trained,
        level=settings.level,
        interval=settings.interval if dataset.objective.over == MEAN else kind_of(dataset.objective.over),
        objective=tuple(
            with_adjusted(objective_summary(dataset, c, members[c.number], settings), means, 0)
            for c in dataset.conditions
        ),
        metrics=metric_summaries(dataset, members, settings),
        ranking=tuple(ranking),
        best=best,
        comparisons=comparisons_in(dataset, ranking, settings, gaps) if "comparisons" in parts else None,
        effects=_effects(dataset, ranking, settings, gaps) if "effects" in parts else None,
        confirmed=_confirmed(dataset, members, ranking, settings, gaps),
        detectable=detectable_in(dataset, ranking, near_best(ranking, best.members if best else ()), settings, gaps)
        if "comparisons" in parts
        else None,
        bands=bands_of(dataset, ranking, level=settings.level, method=of_curves(settings.interval), gaps=gaps)
        if "curves" in parts
        else {},
        gaps=gaps,
        marks=(
            *dataset.marks,
            *marks_of(dataset, members, ranking),
            *outlying_marks(dataset, ranking),
            *twin_marks(trained),
        ),
        others=_others(dataset, members, means, settings),
        pareto=pareto_of(dataset, ranking, gaps),
        dependence=statements(dataset),
        sources=sources[0],
        sources_of_differences=sources[1],
    )
    return found if dataset is trained else with_trained(found)


def _over_tasks(dataset: Dataset, settings: Settings, parts: frozenset[Part]) -> Analysis:
    """Analyse the conditions without their task; how they were compared is a mark before any number."""
    grid = grid_of(dataset)
    found = analyze(over_tasks(dataset, grid), settings, parts=parts)
    whole = compare_over_tasks(dataset, grid, found.ranking, settings) if "comparisons" in parts else None
    said = whole.said if whole is not None else said_of(dataset, grid)
    gaps = {**found.gaps, "confirmed": "the best condition over tasks is not trained again on fresh seeds"}
    return replace(found, tasks=whole, marks=(*said, *found.marks), gaps=gaps)


def _others(
    dataset: Dataset,
    members: Mapping[int, Sequence[Replicate]],
    means: Mapping[int, Sequence[MeanOfCondition]],
    settings: Settings,
) -> tuple[tuple[ConditionSummary, ...], ...]:
    """The summaries of each further objective."""
    found = []
    for index, other in enumerate(dataset.others):
        metric = declared(dataset.metrics, other.metric)
        of_each = [
            summary_of_values(c, members[c.number], others_of(members[c.number], index), settings, metric)
            for c in dataset.conditions
        ]
        found.append(tuple(with_adjusted(one, means, index + 1) for one in of_each))
    return tuple(found)


def _effects(
    dataset: Dataset, ranking: Sequence[int], settings: Settings, gaps: dict[str, str]
) -> FactorEffects | None:
    if len(ranking) < 2:
        gaps["effects"] = "fewer than two conditions have a score: no factor can have an effect"
        return None
    if dataset.objective.over != MEAN:
        what = with_article(words_of(dataset.objective.over))
        gaps["effects"] = f"an analysis of variance is about means, and this is about {what}: give over_seeds=mean"
        return None
    found, why = effects_of(dataset, ranking, level=settings.level)
    if found is None:
        gaps["effects"] = why
    return found


def _confirmed(
    dataset: Dataset,
    members: Mapping[int, Sequence[Replicate]],
    ranking: Sequence[int],
    settings: Settings,
    gaps: dict[str, str],
) -> tuple[Confirmed, ...]:
    """What fresh seeds say of each condition whose replicates on them have all ended.

    A condition that diverged on one of them has no mean there, as in the search. In the order of the search: to
    choose again by these means would be luck again.
    """
    fresh, fresh_means = members_of(dataset, "confirm"), adjusted_of(dataset, "confirm")
    found = []
    for condition in dataset.conditions:
        number = condition.number
        if not fresh[number] or number in dataset.unconfirmed:
            continue
        search = objective_summary(dataset, condition, members[number], settings)
        again = with_adjusted(objective_summary(dataset, condition, fresh[number], settings), fresh_means, 0)
        has_mean = not again.counts.get("diverged")
        luck = luck_of(
            scores_of(members[number]),
            scores_of(fresh[number]) if has_mean else [],
            direction=dataset.objective.direction,
            level=settings.level,
            over=dataset.objective.over,
        )
        found.append(
            Confirmed(
                condition=number,
                search=search.interval,
                confirmed=again.interval if has_mean else None,
                luck=luck,
                summary=again,
                searched=search,
                tested=tested(dataset, condition, fresh[number], settings),
            )
        )
    if dataset.unconfirmed:
        which = ", ".join(map(str, sorted(dataset.unconfirmed)))
        gaps["confirmed"] = f"the replicates of conditions {which} on fresh seeds have not all ended"
    elif not found and dataset.kind == "sweep":
        gaps["confirmed"] = (
            "the best condition was not trained again on fresh seeds (confirm: in the sweep file); its mean is that of "
            "the search, which chose it because it looked best"
        )
    place = {number: rank for rank, number in enumerate(ranking)}
    return tuple(sorted(found, key=lambda one: (place.get(one.condition, len(place)), one.condition)))
