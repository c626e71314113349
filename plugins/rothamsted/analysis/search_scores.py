"""Compute the scores of a search's conditions, and whether a curve of the expected best makes sense for them.

`compare` puts the curves of several searches side by side.
"""

from __future__ import annotations

import math

import numpy as np

from rothamsted.analysis.ranking import means_of
from rothamsted.analysis.values import Dataset, SearchScores
from rothamsted.catalog import SAMPLERS
from rothamsted.statistics.expected_best import ExpectedBest, expected_best
from rothamsted.statistics.reduce import Direction
from rothamsted.wording import count

LEAST = 3  # conditions that make a curve
NOT_AT_RANDOM = ("grid",)  # designs whose conditions are chosen by hand


def search_of(dataset: Dataset) -> SearchScores:
    """Return the means of a search's conditions; NaN for a tried condition without a mean."""
    means = means_of(dataset)
    broken = {one.number for one in dataset.conditions if one.broken}
    scores = tuple(
        math.nan if one.number in broken else means.get(one.number, (math.nan,))[0] for one in dataset.conditions
    )
    return SearchScores(name=dataset.name, scores=scores, why_not=_why_not(dataset))


def curves_of(
    searches: tuple[SearchScores, ...], direction: Direction
) -> tuple[dict[str, ExpectedBest], dict[str, str]]:
    """Return the curve of each search that can have one, and why the others have none, by name."""
    curves, without = {}, {}
    for one in searches:
        n = int(np.isfinite(one.scores).sum())
        why = one.why_not or ("" if n >= LEAST else f"{count(n, 'condition')} with a score, fewer than {LEAST}")
        if why:
            without[one.name] = why
        else:
            curves[one.name] = expected_best(np.array(one.scores), direction=direction)
    return curves, without


def _why_not(dataset: Dataset) -> str:
    """Why k conditions of this search are not what a search of k conditions would have tried; empty where they are."""
    sampler = dataset.sampler
    if not sampler:
        return "these runs are not a random search: it is not known how their conditions were chosen"
    if sampler in NOT_AT_RANDOM:
        return f"the conditions of a {sampler} are not a random sample of its space"
    if sampler in dict(SAMPLERS.items()) and SAMPLERS[sampler].adaptive:
        return (
            f"{sampler} chose conditions by the results of earlier ones: a shorter search would not be a random part "
            "of them"
        )
    if dataset.looked_by:
        return f"which conditions were trained to the end depended on results ({', '.join(dataset.looked_by)})"
    return ""
