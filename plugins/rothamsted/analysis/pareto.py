"""Find the Pareto set of a dataset with several objectives, and how sure each condition's place in it is.

The ranking takes means as they are; here replicates say how sure the means are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rothamsted.analysis.ranking import members_of, pareto_front, signs_of
from rothamsted.analysis.values import Dataset, ParetoSet, Replicate
from rothamsted.statistics.pareto_membership import MOST_CONDITIONS, pareto_membership

_SEED = 0  # of the resamples: equal data, equal frequencies


def pareto_of(dataset: Dataset, ranking: Sequence[int], gaps: dict[str, str]) -> ParetoSet | None:
    """Return the set among the ranked conditions; None with one objective or without any ranked condition.

    Args:
        dataset: A dataset with several objectives.
        ranking: Conditions with a mean that keep every constraint.
        gaps: Gets the reason if it is not known how sure the set is.
    """
    if not dataset.others or not ranking:
        return None
    front = pareto_front(dataset, ranking)
    members = tuple(number for number in ranking if number in front)
    replicates = {n: _with_all(dataset, of_one) for n, of_one in members_of(dataset).items() if n in set(ranking)}
    why = _why_not(replicates, ranking)
    if why:
        gaps["pareto"] = why
        return ParetoSet(members=members, frequency={}, whole=math.nan, n_resamples=0, method="")
    seeds = {tuple(r.seed for r in replicates[number]) for number in ranking}
    is_paired = len(seeds) == 1 and all(next(iter(seeds)))
    found = pareto_membership(
        [np.array([[r.objective, *r.others] for r in replicates[number]]) for number in ranking],
        signs_of(dataset).tolist(),
        is_paired=is_paired,
        seed=_SEED,
    )
    drawn = "seeds, common to all conditions" if is_paired else "replicates of each condition by itself"
    return ParetoSet(
        members=members,
        frequency=dict(zip(ranking, found.frequency.tolist(), strict=True)),
        whole=found.whole,
        n_resamples=found.n_resamples,
        method=f"bootstrap of the means, {found.n_resamples} resamples of {drawn}",
    )


def _with_all(dataset: Dataset, replicates: Sequence[Replicate]) -> list[Replicate]:
    """The finished replicates with a finite value of every objective, in the order of their seeds."""
    kept = [
        r
        for r in replicates
        if r.outcome == "finished"
        and len(r.others) == len(dataset.others)
        and all(math.isfinite(value) for value in (r.objective, *r.others))
    ]
    return sorted(kept, key=lambda r: r.seed)


def _why_not(replicates: dict[int, list[Replicate]], ranking: Sequence[int]) -> str:
    few = [number for number in ranking if len(replicates[number]) < 2]
    if few:
        whose = "no condition has" if len(few) == len(ranking) else f"condition {few[0]} does not have"
        return f"{whose} two replicates with every objective, so it is not known how sure the Pareto set is"
    if len(ranking) > MOST_CONDITIONS:
        return f"the Pareto set of more than {MOST_CONDITIONS} conditions is not resampled: it would take minutes"
    return ""
