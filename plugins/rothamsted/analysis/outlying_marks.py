"""Write the sentence on a replicate that lies far outside: which one, the effect on intervals, and the way out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rothamsted.analysis.ranking import by_seed, is_paired, members_of
from rothamsted.analysis.values import Dataset
from rothamsted.statistics.centres import MEAN, words_of
from rothamsted.statistics.outlying import Outlying, outlying
from rothamsted.wording import count, number

COVERED = "41 to 66 %"  # simulated coverage of 95 % t intervals, 3 to 10 seeds, one value in ten 20 to 40 sd away


def outlying_marks(dataset: Dataset, ranking: Sequence[int]) -> list[str]:
    """Return a sentence if a replicate of a ranked condition lies far outside the others; else nothing."""
    values, seeds = by_seed(dataset, ranking)
    paired = len(ranking) > 1 and is_paired(dataset, ranking)
    searched = outlying(values, is_paired=paired) if ranking else []
    found = [(one, ranking[one.row], seeds[one.column]) for one in searched]
    fresh = members_of(dataset, "confirm")
    for condition, replicates in ((key, of_one) for key, of_one in fresh.items() if of_one):
        usable = [r for r in replicates if r.outcome == "finished"]
        alone = np.array([[r.objective for r in usable]])
        found += [(one, condition, usable[one.column].seed) for one in outlying(alone, is_paired=False)]
    if not found:
        return []
    one, condition, seed = max(found, key=lambda each: each[0].distance)
    return [f"{_which(dataset, one, condition, seed)}{_more(len(found) - 1)} {_consequence(dataset)}"]


def _which(dataset: Dataset, one: Outlying, condition: int, seed: str) -> str:
    whose = f"Trial {condition}, seed {seed}" if seed and "#" not in seed else f"A replicate of condition {condition}"
    others = f"{number(one.low)} to {number(one.high)}"
    value = f"{dataset.objective.metric} {number(one.value)}"
    return f"{whose}: {value} lies far from the others of its condition ({others})."


def _more(n: int) -> str:
    if n > 1:
        return f" So do {count(n, 'replicate')} of other conditions."
    return " So does a replicate of another condition." if n else ""


def _consequence(dataset: Dataset) -> str:
    over = dataset.objective.over
    if over != MEAN:
        return f"Conditions are compared by the {words_of(over)} over seeds here. One replicate changes it little."
    return (
        f"If one seed in ten fails like this, a 95 % t interval covers the true mean only {COVERED} of the time (3 "
        "to 10 seeds). Means favour conditions that had no bad seed. Use objective.over: median or iqm; for "
        "replicates that have ended, analyze with over_seeds=median."
    )
