"""From a dataset to everything that is shown of it: summaries, comparisons, factors, curves, and what is missing.

Apart from the statistics, which see arrays: here is decided which arrays answer which question, and what is said
where there is no answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

import numpy as np

from rothamsted.analysis.bands import bands_of
from rothamsted.analysis.compared import best_set, compare_with
from rothamsted.analysis.dependence import statements
from rothamsted.analysis.effects import effects_of
from rothamsted.analysis.luck import luck_of
from rothamsted.analysis.marks import marks_of
from rothamsted.analysis.pareto import pareto_of
from rothamsted.analysis.ranking import (
    by_seed,
    is_paired,
    members_of,
    near_best,
    others_of,
    ranked,
    scores_of,
    survivors,
)
from rothamsted.analysis.values import (
    Analysis,
    BestSet,
    Comparisons,
    Condition,
    ConditionSummary,
    Confirmed,
    Dataset,
    Detectable,
    FactorEffects,
    Replicate,
)
from rothamsted.statistics import DEFAULT_POWER, describe, detectable_difference, pooled_sd, sd_of_paired_differences


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How an analysis is made; what changes a number is shown beside it."""

    level: float = 0.95
    interval: str = "t"  # a name of INTERVALS
    correction: str = "holm"  # a name of CORRECTIONS
    test: str = "auto"  # a name of TESTS; auto: paired t where seeds pair the replicates, else Welch's t
    reference: int | None = None  # condition that the others are compared with; None: the best one
    power: float = DEFAULT_POWER  # of the smallest detectable difference


Part = Literal["comparisons", "effects", "curves"]  # what takes time: 3 s of 3,000 conditions
ALL: frozenset[Part] = frozenset(("comparisons", "effects", "curves"))
QUICK: frozenset[Part] = frozenset()  # summaries, ranking, confirmation


def analyze(dataset: Dataset, settings: Settings = Settings(), *, parts: frozenset[Part] = ALL) -> Analysis:
    """Analyse a dataset. What cannot be computed, or is no part of what is asked, is a gap with its reason.

    The conditions of a contest are given, not searched: they have no ranking.
    """
    members = members_of(dataset)
    ranking = [] if dataset.kind == "contest" else ranked(dataset)
    gaps: dict[str, str] = dict.fromkeys(sorted(ALL - parts), "not a part of this quick analysis")
    best, comparisons = None, None
    if "comparisons" in parts:
        best, comparisons = _comparisons(dataset, ranking, settings, gaps)
    return Analysis(
        dataset=dataset,
        level=settings.level,
        interval=settings.interval,
        correction=settings.correction,
        objective=tuple(_objective_summary(c, members[c.number], settings) for c in dataset.conditions),
        metrics=_metric_summaries(dataset, members, settings),
        ranking=tuple(ranking),
        best=best,
        comparisons=comparisons,
        effects=_effects(dataset, ranking, settings, gaps) if "effects" in parts else None,
        confirmed=_confirmed(dataset, members, ranking, settings, gaps),
        detectable=_detectable(dataset, near_best(ranking, best.members if best else ()), settings, gaps),
        bands=bands_of(dataset, ranking, level=settings.level, method=settings.interval, gaps=gaps)
        if "curves" in parts
        else {},
        gaps=gaps,
        marks=(*dataset.marks, *marks_of(dataset, members, ranking)),
        others=tuple(
            tuple(
                _summary_of(c, members[c.number], others_of(members[c.number], i), settings) for c in dataset.conditions
            )
            for i in range(len(dataset.others))
        ),
        pareto=pareto_of(dataset, ranking, gaps),
        dependence=statements(dataset),
    )


def _summary_of(
    condition: Condition, replicates: Sequence[Replicate], values: np.ndarray, how: Settings
) -> ConditionSummary:
    """Summarize one number a finished replicate, and count how all replicates ended.

    A condition that was pruned has no statistics: which of its replicates were let finish depends on their values.
    """
    found = describe(values if not condition.pruned else values[:0], level=how.level, method=how.interval)
    counts = Counter(r.outcome for r in replicates)
    counts["excluded"] = 0 if condition.pruned else found.n_excluded
    notes = [found.note] if found.note and not condition.pruned else []
    if counts["diverged"]:
        notes.append(f"{counts['diverged']} of {len(replicates)} diverged: the others are the lucky ones, not ranked")
    if condition.pruned:
        notes.append(f"pruned {condition.pruned}: not ranked")
    notes += [f"breaks the constraint {text} by {amount:.4g}: not ranked" for text, amount in condition.broken]
    return ConditionSummary(
        condition=condition.number,
        n=found.n,
        counts={name: n for name, n in counts.items() if n},
        statistics={name: getattr(found, name) for name in ("mean", "sd", "sem", "median", "iqm", "min", "max")},
        interval=found.interval,
        is_constant=found.is_constant,
        note="; ".join(notes),
    )


def _objective_summary(condition: Condition, replicates: Sequence[Replicate], settings: Settings) -> ConditionSummary:
    return _summary_of(condition, replicates, scores_of(replicates), settings)


def _metric_summaries(
    dataset: Dataset, members: Mapping[int, Sequence[Replicate]], settings: Settings
) -> dict[str, tuple[ConditionSummary, ...]]:
    """The final value of every metric of every condition, the objective's own metric among them."""
    names = sorted({name for r in dataset.replicates for name in r.metrics})
    summaries: dict[str, tuple[ConditionSummary, ...]] = {}
    quick = settings if settings.interval == "t" else Settings(level=settings.level)
    for name in names:
        rows = []
        for condition in dataset.conditions:
            replicates = members[condition.number]
            finished = [r.metrics.get(name, np.nan) for r in replicates if r.outcome == "finished"]
            rows.append(_summary_of(condition, replicates, np.array(finished, dtype=float), quick))
        summaries[name] = tuple(rows)
    return summaries


def _comparisons(
    dataset: Dataset, ranking: Sequence[int], settings: Settings, gaps: dict[str, str]
) -> tuple[BestSet | None, Comparisons | None]:
    if len(ranking) < 2:
        why = "only one condition has a score" if ranking else "no condition has a score"
        gaps["comparisons"] = f"{why}: there is nothing to compare"
        return None, None
    reference = ranking[0] if settings.reference is None else settings.reference
    values, _ = by_seed(dataset, ranking)
    repeated = np.isfinite(values).sum(axis=1) > 1
    if repeated.sum() < 2:
        gaps["comparisons"] = "fewer than two conditions have two or more replicates: nothing tells luck from effect"
        return None, None
    paired = is_paired(dataset, ranking)
    racing = survivors(dataset, ranking) or list(ranking)
    best = best_set(
        values[: len(racing)], racing, direction=dataset.objective.direction, level=settings.level, paired=paired
    )
    if reference not in ranking:
        gaps["comparisons"] = f"the reference, condition {reference}, has no score"
        return best, None
    test = settings.test if settings.test != "auto" else "paired_t" if paired else "welch"
    return best, compare_with(
        values,
        ranking,
        reference,
        test=test,
        correction=settings.correction,
        level=settings.level,
        direction=dataset.objective.direction,
        gaps=gaps,
    )


def _effects(
    dataset: Dataset, ranking: Sequence[int], settings: Settings, gaps: dict[str, str]
) -> FactorEffects | None:
    if len(ranking) < 2:
        gaps["effects"] = "fewer than two conditions have a score: no factor can have an effect"
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
    fresh = members_of(dataset, "confirm")
    found = []
    for condition in dataset.conditions:
        number = condition.number
        if not fresh[number] or number in dataset.unconfirmed:
            continue
        search = _objective_summary(condition, members[number], settings)
        again = _objective_summary(condition, fresh[number], settings)
        has_mean = not again.counts.get("diverged")
        luck = luck_of(
            scores_of(members[number]),
            scores_of(fresh[number]) if has_mean else [],
            direction=dataset.objective.direction,
            level=settings.level,
        )
        found.append(
            Confirmed(
                condition=number,
                search=search.interval,
                confirmed=again.interval if has_mean else None,
                luck=luck,
                summary=again,
                searched=search,
            )
        )
    if dataset.unconfirmed:
        which = ", ".join(map(str, sorted(dataset.unconfirmed)))
        gaps["confirmed"] = f"the replicates of conditions {which} on fresh seeds have not all ended"
    elif not found and dataset.kind == "sweep":
        gaps["confirmed"] = (
            "the winner was not trained again on fresh seeds (confirm: in the sweep file), so its mean is the "
            "search's own, picked because it looked best"
        )
    place = {number: rank for rank, number in enumerate(ranking)}
    return tuple(sorted(found, key=lambda one: (place.get(one.condition, len(place)), one.condition)))


def _detectable(
    dataset: Dataset, ranking: Sequence[int], settings: Settings, gaps: dict[str, str]
) -> Detectable | None:
    values, _ = by_seed(dataset, ranking)
    counts = np.isfinite(values).sum(axis=1) if len(ranking) else np.array([0])
    n = int(median(counts.tolist()))
    if n < 2:
        gaps["detectable"] = "conditions have fewer than two replicates: their spread is unknown"
        return None
    paired = len(ranking) > 1 and is_paired(dataset, ranking)
    pooled = sd_of_paired_differences(values) if paired else pooled_sd(values)
    if not np.isfinite(pooled.sd) or pooled.sd <= 0:
        gaps["detectable"] = "the replicates do not vary: any difference would have been seen"
        return None
    of_pairs = pooled.sd if paired else None
    difference = detectable_difference(
        n, pooled.sd, power=settings.power, level=settings.level, is_paired=paired, sd_of_differences=of_pairs
    )
    return Detectable(
        n=n,
        sd=pooled.sd,
        power=settings.power,
        level=settings.level,
        difference=float(difference),
        method=f"{'paired' if paired else 'two-sample'} t, two-sided; spread of the {len(ranking)} best conditions",
    )
