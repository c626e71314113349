"""Compute the sources of variance of a dataset with crossed replicates, or say why they are not known."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from rothamsted.analysis.ranking import members_of
from rothamsted.analysis.values import Dataset
from rothamsted.statistics.sources import SourceShares, shares_by_source

MOST_CROSSED_TO_ASK = 5  # numbers of each source in the line that would tell sources apart


def sources_in(
    dataset: Dataset, ranking: Sequence[int], *, level: float, gaps: dict[str, str]
) -> tuple[SourceShares | None, SourceShares | None]:
    """Return the shares of variance by source of a single training, and of a difference between two conditions.

    They are over the ranked conditions that have every combination.

    Args:
        dataset: A dataset with the replicates as they were trained.
        ranking: Conditions with a mean.
        level: Nominal coverage of the intervals.
        gaps: Gets the reason if there are no shares although the file varies more than the training seed.
    """
    if not dataset.crossed:
        if len(dataset.varied) > 1:
            gaps["sources"] = _together(dataset)
        return None, None
    members, values = members_of(dataset), np.full((len(ranking), prod(dataset.crossed.values())), np.nan)
    for row, number in zip(values, ranking, strict=True):
        for one in members[number]:
            if one.outcome == "finished":
                row[one.number] = one.objective
    alone = shares_by_source(values, dataset.crossed, level=level)
    if alone is None:
        gaps["sources"] = "no condition has a score for every combination, with a spread between them"
    return alone, shares_by_source(values, dataset.crossed, level=level, of_differences=True)


def _together(dataset: Dataset) -> str:
    crossed = ", ".join(f"{name}: {MOST_CROSSED_TO_ASK}" for name in dataset.varied)
    return (
        f"{' and '.join(dataset.varied)} change together, so it is not known which of them changes the results; a "
        f"sweep with replicates: {{vary: {{{crossed}}}}} would tell"
    )
