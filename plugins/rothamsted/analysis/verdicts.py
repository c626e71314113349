"""Compute the verdicts of a dataset: which condition is best, differences from a reference, detectable differences.

It chooses the arrays; the statistics compute, and the report has the words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from statistics import median

import numpy as np

from rothamsted.analysis.better import with_better
from rothamsted.analysis.compared import best_of, compare_with, reference_of
from rothamsted.analysis.compared_centres import compare_centres_with
from rothamsted.analysis.ranking import MeanOfCondition, by_seed, is_paired, seeds_of, survivors
from rothamsted.analysis.settings import Settings
from rothamsted.analysis.values import Best, Comparisons, Dataset, Detectable
from rothamsted.catalog import TESTS
from rothamsted.remembered import remembered
from rothamsted.statistics import Pooled, pooled_sd, sd_of_paired_differences
from rothamsted.statistics.best_centre_plan import MOST_CONDITIONS, seeds_to_decide_by
from rothamsted.statistics.best_power import detectable_loss, seeds_to_decide
from rothamsted.statistics.centres import MEAN, with_article, words_of
from rothamsted.wording import count

AFTER_RACE = (
    "The race looked at the results many times and dropped conditions by its own rule, which is wrong as rarely as the "
    "level says. The verdicts are on the conditions that it kept, as if this were the first look."
)

RARE_FAILURES = (
    "Replicates diverged here. A condition that diverges on few seeds may not have diverged on these. Then the truly "
    "best condition is missed, or called worse, more often than the level says."
)
_TOO_FEW = "fewer than two conditions have two or more replicates, so chance and effect cannot be separated"
MOST_SIMULATED = 40  # conditions for which plans are made by simulation: a second
MOST_QUICK = 500  # conditions whose verdicts take half a second

_KEPT = 4  # results of each: stages and contests of one process have their own
_best_of = remembered(most=_KEPT)(best_of)
_seeds_to_decide, _detectable_loss = remembered(most=_KEPT)(seeds_to_decide), remembered(most=_KEPT)(detectable_loss)


def best_in(
    dataset: Dataset,
    ranking: Sequence[int],
    means: Mapping[int, Sequence[MeanOfCondition]],
    settings: Settings,
    gaps: dict[str, str],
    *,
    plans: bool,
) -> Best | None:
    """Return the verdicts on all conditions with a mean. Conditions that a race dropped have the race's verdict.

    `plans` asks for the seeds that would decide open verdicts, which takes a second.
    """
    if len(ranking) < 2:
        if dataset.kind != "contest":
            why = "only one condition has a score" if ranking else "no condition has a score"
            gaps["best"] = f"{why}: there is nothing to compare"
        return None
    racing = survivors(dataset, ranking) or list(ranking)
    paired = is_paired(dataset, racing)
    values, _ = by_seed(dataset, racing)
    if (np.isfinite(values).sum(axis=1) > 1).sum() < min(2, len(racing)):
        gaps["best"] = _TOO_FEW
        return None
    found = _best_of(
        values,
        racing,
        direction=dataset.objective.direction,
        level=settings.level,
        paired=paired,
        method=settings.best,
        smallest_difference=settings.smallest_difference,
        means=[means[number][0].adjusted for number in racing],
        over=dataset.objective.over,
    )
    if found is None:
        return None
    if any(replicate.outcome == "diverged" for replicate in dataset.replicates):
        found = replace(found, warnings=(*found.warnings, RARE_FAILURES))
    if any(condition.race for condition in dataset.conditions):
        found = replace(found, warnings=(*found.warnings, AFTER_RACE))
    over = dataset.objective.over
    if not plans or len(racing) > (MOST_SIMULATED if over == MEAN else MOST_CONDITIONS):
        return found
    plan = _seeds_to_decide if over == MEAN else partial(seeds_to_decide_by, over=over)
    decided_at = plan(
        values,
        direction=dataset.objective.direction,
        is_paired=paired,
        rng=np.random.default_rng(0),
        level=settings.level,
        smallest_difference=settings.smallest_difference,
        power=settings.power,
    )
    open_ones = found.having("open")
    return replace(found, more_seeds={n: at for n, at in zip(racing, decided_at, strict=True) if n in open_ones})


def comparisons_in(
    dataset: Dataset, ranking: Sequence[int], settings: Settings, gaps: dict[str, str]
) -> Comparisons | None:
    """Compare all conditions with the named reference. For comparisons with the best see `best_in`."""
    if settings.reference is None:
        if (settings.test, settings.correction) != ("auto", "holm"):
            gaps["comparisons"] = (
                f"test {settings.test} and correction {settings.correction} are for comparisons with a reference: give "
                "its number (reference)"
            )
        return None
    reference, why = reference_of(dataset, settings.reference)
    if reference is None:
        gaps["comparisons"] = why
        return None
    if reference not in ranking:
        label = next(one.label for one in dataset.conditions if one.number == reference)
        gaps["comparisons"] = (
            f"the reference, condition {reference} ({label}), has no place in the ranking: name another"
        )
        return None
    values, _ = by_seed(dataset, ranking)
    if (np.isfinite(values).sum(axis=1) > 1).sum() < 2:
        gaps["comparisons"] = _TOO_FEW
        return None
    if dataset.objective.over != MEAN:
        return compare_centres_with(
            values,
            ranking,
            reference,
            over=dataset.objective.over,
            level=settings.level,
            direction=dataset.objective.direction,
            gaps=gaps,
            seeds=seeds_of(dataset, ranking),
        )
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


def detectable_in(
    dataset: Dataset, ranking: Sequence[int], near: Sequence[int], settings: Settings, gaps: dict[str, str]
) -> Detectable | None:
    """Return the smallest loss that this sweep would have called worse, from the spread of its best conditions."""
    if dataset.objective.over != MEAN:
        what = with_article(words_of(dataset.objective.over))
        gaps["detectable"] = f"it is computed for means, and this is about {what}"
        return None
    values, _ = by_seed(dataset, near)
    counts = np.isfinite(values).sum(axis=1) if len(near) else np.array([0])
    n = int(median(counts.tolist()))
    if n < 2:
        gaps["detectable"] = "conditions have fewer than two replicates: their spread is unknown"
        return None
    sd = own_spread(values, is_paired=len(near) > 1 and is_paired(dataset, near)).sd
    if not np.isfinite(sd) or sd <= 0:
        gaps["detectable"] = "the replicates of each condition are equal: any difference would be seen"
        return None
    n_conditions = min(max(len(ranking), 2), MOST_SIMULATED)
    loss = _detectable_loss(
        np.full(n_conditions, sd**2), n, rng=np.random.default_rng(0), power=settings.power, level=settings.level
    )
    if not np.isfinite(loss):
        gaps["detectable"] = f"with {n} seeds a condition no loss, however large, is found with that probability"
        return None
    return Detectable(
        n=n,
        sd=sd,
        power=settings.power,
        level=settings.level,
        difference=loss,
        method=f"{count(n_conditions, 'condition')}, by simulation with the spread of the {len(near)} best",
    )


def own_spread(values: np.ndarray, *, is_paired: bool) -> Pooled:
    """Return the standard deviation of a replicate within its condition, without the effect of common seeds."""
    pooled = pooled_sd(values)
    if not is_paired:
        return pooled
    of_pairs = sd_of_paired_differences(values)
    is_rounding = not of_pairs.sd > 1e-9 * pooled.sd  # every condition has the same differences between seeds
    return pooled if is_rounding else replace(of_pairs, sd=of_pairs.sd / math.sqrt(2))
