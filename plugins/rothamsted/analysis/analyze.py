"""From a dataset to everything that is shown of it: summaries, comparisons, factors, curves, and what is missing.

Apart from the statistics, which see arrays: here is decided which arrays answer which question, and what is said
where there is no answer.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Literal

import numpy as np

from rothamsted.analysis.bands import bands_of
from rothamsted.analysis.better import with_better
from rothamsted.analysis.compared import best_of, compare_with, reference_of
from rothamsted.analysis.dependence import statements
from rothamsted.analysis.effects import effects_of
from rothamsted.analysis.luck import luck_of
from rothamsted.analysis.marks import marks_of
from rothamsted.analysis.no_effect import twin_marks
from rothamsted.analysis.pareto import pareto_of
from rothamsted.analysis.race_words import race_note
from rothamsted.analysis.ranking import (
    adjusted_of,
    by_seed,
    is_paired,
    means_of,
    members_of,
    near_best,
    others_of,
    ranked,
    scores_of,
    seeds_of,
    survivors,
)
from rothamsted.analysis.shown_means import with_adjusted
from rothamsted.analysis.values import (
    Analysis,
    Best,
    Comparisons,
    Condition,
    ConditionSummary,
    Confirmed,
    Dataset,
    Detectable,
    FactorEffects,
    Replicate,
)
from rothamsted.catalog import INTERVALS, TESTS
from rothamsted.metric import Metric, declared
from rothamsted.spec import Statistics
from rothamsted.statistics import DEFAULT_POWER, Pooled, describe, pooled_sd, sd_of_paired_differences
from rothamsted.statistics.best_power import detectable_loss, seeds_to_decide
from rothamsted.wording import count


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How an analysis is made; what changes a number is shown beside it."""

    level: float = 0.95
    interval: str = "t"  # a name of INTERVALS
    best: str = "leaders"  # a name of BEST_METHODS: how the best condition and the verdicts are found
    smallest_difference: float | None = None  # a loss that does not matter, in the objective's units
    reference: int | Mapping[str, Any] | None = None  # condition that all are compared with, too: number or values
    correction: str = "holm"  # a name of CORRECTIONS, of the comparisons with the reference
    test: str = "auto"  # a name of TESTS, likewise; auto: paired t where seeds pair the replicates, else Welch's t
    power: float = DEFAULT_POWER  # of the smallest detectable difference


def settings_of(how: Statistics) -> Settings:
    """The analysis that a sweep's file asks for; its keys are fields of `Settings`."""
    return Settings(**dict(how))


AFTER_RACE = (
    "The race looked at the results again and again and dropped conditions by its own rule, which errs as rarely as "
    "the level says; the verdicts are on those that it kept, as if this were the first look."
)

MOST_SIMULATED = 40  # conditions for which plans are made by simulation: a second
MOST_QUICK = 500  # conditions whose verdicts take half a second

Part = Literal["comparisons", "effects", "curves"]  # what takes time: 3 s of 3,000 conditions
ALL: frozenset[Part] = frozenset(("comparisons", "effects", "curves"))
QUICK: frozenset[Part] = frozenset()  # summaries, ranking, confirmation


def analyze(dataset: Dataset, settings: Settings = Settings(), *, parts: frozenset[Part] = ALL) -> Analysis:
    """Analyse a dataset. What cannot be computed, or is no part of what is asked, is a gap with its reason.

    The conditions of a contest are given, not searched: they have no ranking.
    """
    members, means = members_of(dataset), adjusted_of(dataset)
    ranking = [] if dataset.kind == "contest" else ranked(dataset)
    gaps: dict[str, str] = dict.fromkeys(sorted(ALL - parts), "not a part of this quick analysis")
    best = None
    if "comparisons" in parts or len(ranking) <= MOST_QUICK:
        best = _best(dataset, ranking, settings, gaps, plans="comparisons" in parts)
    else:
        gaps["best"] = f"with more than {MOST_QUICK} conditions this is computed for the report"
    return Analysis(
        dataset=dataset,
        level=settings.level,
        interval=settings.interval,
        correction=settings.correction,
        objective=tuple(
            with_adjusted(_objective_summary(dataset, c, members[c.number], settings), means, 0)
            for c in dataset.conditions
        ),
        metrics=_metric_summaries(dataset, members, settings),
        ranking=tuple(ranking),
        best=best,
        comparisons=_comparisons(dataset, ranking, settings, gaps) if "comparisons" in parts else None,
        effects=_effects(dataset, ranking, settings, gaps) if "effects" in parts else None,
        confirmed=_confirmed(dataset, members, ranking, settings, gaps),
        detectable=_detectable(dataset, ranking, near_best(ranking, best.members if best else ()), settings, gaps)
        if "comparisons" in parts
        else None,
        bands=bands_of(dataset, ranking, level=settings.level, method=_of_curves(settings), gaps=gaps)
        if "curves" in parts
        else {},
        gaps=gaps,
        marks=(*dataset.marks, *marks_of(dataset, members, ranking), *twin_marks(dataset)),
        others=tuple(
            tuple(
                with_adjusted(
                    _summary_of(
                        c,
                        members[c.number],
                        others_of(members[c.number], i),
                        settings,
                        declared(dataset.metrics, other.metric),
                    ),
                    means,
                    i + 1,
                )
                for c in dataset.conditions
            )
            for i, other in enumerate(dataset.others)
        ),
        pareto=pareto_of(dataset, ranking, gaps),
        dependence=statements(dataset),
    )


def _summary_of(
    condition: Condition,
    replicates: Sequence[Replicate],
    values: np.ndarray,
    how: Settings,
    metric: Metric,
) -> ConditionSummary:
    """Summarize one number a finished replicate, and count how all replicates ended.

    A condition that was pruned has no statistics: which of its replicates were let finish depends on their values.
    """
    kept = values if not condition.pruned else values[:0]
    found = describe(kept, level=how.level, method=how.interval, metric=metric)
    counts = Counter(r.outcome for r in replicates)
    counts["excluded"] = 0 if condition.pruned else found.n_excluded
    notes = [found.note] if found.note and not condition.pruned else []
    if counts["diverged"]:
        notes.append(f"{counts['diverged']} of {len(replicates)} diverged: the others are the lucky ones, not ranked")
    if condition.pruned:
        notes.append(f"pruned {condition.pruned}: not ranked")
    if found.interval and (spoiled := race_note(condition.race)):
        notes.append(spoiled)
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


def _objective_summary(
    dataset: Dataset, condition: Condition, replicates: Sequence[Replicate], settings: Settings
) -> ConditionSummary:
    metric = declared(dataset.metrics, dataset.objective.metric)
    return _summary_of(condition, replicates, scores_of(replicates), settings, metric)


def _of_curves(settings: Settings) -> str:
    """The kind of interval at the points of curves: values between two measurements are no shares of rows."""
    return "t" if INTERVALS[settings.interval].is_of_rows else settings.interval


def _tested(
    dataset: Dataset, condition: Condition, replicates: Sequence[Replicate], settings: Settings
) -> dict[str, ConditionSummary]:
    """The test metrics of a confirmed condition's models."""
    names = sorted({name for one in replicates for name in one.test_metrics})
    plain, finished = Settings(level=settings.level), [one for one in replicates if one.outcome == "finished"]
    values = {name: np.array([one.test_metrics.get(name, np.nan) for one in finished]) for name in names}
    return {
        name: _summary_of(condition, replicates, values[name], plain, declared(dataset.metrics, name)) for name in names
    }


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
            values = np.array(finished, dtype=float)
            rows.append(_summary_of(condition, replicates, values, quick, declared(dataset.metrics, name)))
        summaries[name] = tuple(rows)
    return summaries


def _best(
    dataset: Dataset, ranking: Sequence[int], settings: Settings, gaps: dict[str, str], *, plans: bool
) -> Best | None:
    """The verdicts on all conditions with a mean; those that a race dropped have the race's own.

    `plans` asks for the seeds that would decide what is open, which takes a second.
    """
    if len(ranking) < 2:
        if dataset.kind != "contest":
            why = "only one condition has a score" if ranking else "no condition has a score"
            gaps["best"] = f"{why}: there is nothing to compare"
        return None
    racing, means = survivors(dataset, ranking) or list(ranking), means_of(dataset)
    values, _ = by_seed(dataset, racing)
    if (np.isfinite(values).sum(axis=1) > 1).sum() < min(2, len(racing)):
        gaps["best"] = "fewer than two conditions have two or more replicates: nothing tells luck from effect"
        return None
    found = best_of(
        values,
        racing,
        direction=dataset.objective.direction,
        level=settings.level,
        paired=is_paired(dataset, ranking),
        method=settings.best,
        smallest_difference=settings.smallest_difference,
        means=[means[number][0] for number in racing],
    )
    if found is None:
        return None
    if any(condition.race for condition in dataset.conditions):
        found = replace(found, warnings=(*found.warnings, AFTER_RACE))
    if not plans or len(racing) > MOST_SIMULATED:
        return found
    decided_at = seeds_to_decide(
        values,
        direction=dataset.objective.direction,
        is_paired=is_paired(dataset, ranking),
        rng=np.random.default_rng(0),
        level=settings.level,
        smallest_difference=settings.smallest_difference,
        power=settings.power,
    )
    open_ones = found.having("open")
    return replace(found, more_seeds={n: at for n, at in zip(racing, decided_at, strict=True) if n in open_ones})


def _comparisons(
    dataset: Dataset, ranking: Sequence[int], settings: Settings, gaps: dict[str, str]
) -> Comparisons | None:
    """All conditions against the reference that was named; against the best there are the verdicts."""
    if settings.reference is None:
        return None
    reference, why = reference_of(dataset, settings.reference)
    if reference is None:
        gaps["comparisons"] = why
        return None
    if reference not in ranking:
        gaps["comparisons"] = f"the reference, condition {reference}, has no score"
        return None
    values, _ = by_seed(dataset, ranking)
    if (np.isfinite(values).sum(axis=1) > 1).sum() < 2:
        gaps["comparisons"] = "fewer than two conditions have two or more replicates: nothing tells luck from effect"
        return None
    paired = is_paired(dataset, ranking)
    test = settings.test if settings.test != "auto" else "paired_t" if paired else "welch"
    direction = dataset.objective.direction
    found = compare_with(
        values,
        ranking,
        reference,
        test=test,
        correction=settings.correction,
        level=settings.level,
        direction=direction,
        gaps=gaps,
        seeds=seeds_of(dataset, ranking),
    )
    return with_better(found, values, ranking, is_paired=TESTS[test].is_paired, direction=direction)


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
    fresh, fresh_means = members_of(dataset, "confirm"), adjusted_of(dataset, "confirm")
    found = []
    for condition in dataset.conditions:
        number = condition.number
        if not fresh[number] or number in dataset.unconfirmed:
            continue
        search = _objective_summary(dataset, condition, members[number], settings)
        again = with_adjusted(_objective_summary(dataset, condition, fresh[number], settings), fresh_means, 0)
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
                tested=_tested(dataset, condition, fresh[number], settings),
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
    dataset: Dataset, ranking: Sequence[int], near: Sequence[int], settings: Settings, gaps: dict[str, str]
) -> Detectable | None:
    """The smallest loss that this sweep would have called worse, from the spread of its best conditions."""
    values, _ = by_seed(dataset, near)
    counts = np.isfinite(values).sum(axis=1) if len(near) else np.array([0])
    n = int(median(counts.tolist()))
    if n < 2:
        gaps["detectable"] = "conditions have fewer than two replicates: their spread is unknown"
        return None
    sd = own_spread(values, is_paired=len(near) > 1 and is_paired(dataset, near)).sd
    if not np.isfinite(sd) or sd <= 0:
        gaps["detectable"] = "the replicates do not vary: any difference would have been seen"
        return None
    n_conditions = min(max(len(ranking), 2), MOST_SIMULATED)
    loss = detectable_loss(
        np.full(n_conditions, sd**2), n, rng=np.random.default_rng(0), power=settings.power, level=settings.level
    )
    return Detectable(
        n=n,
        sd=sd,
        power=settings.power,
        level=settings.level,
        difference=loss,
        method=f"the verdicts on {count(n_conditions, 'condition')}, simulated with the spread of the {len(near)} best",
    )


def own_spread(values: np.ndarray, *, is_paired: bool) -> Pooled:
    """The standard deviation of a replicate within its condition, the seed's part taken out where seeds are common."""
    pooled = pooled_sd(values)
    if not is_paired:
        return pooled
    of_pairs = sd_of_paired_differences(values)
    is_rounding = not of_pairs.sd > 1e-9 * pooled.sd  # every condition has the same differences between seeds
    return pooled if is_rounding else replace(of_pairs, sd=of_pairs.sd / math.sqrt(2))
