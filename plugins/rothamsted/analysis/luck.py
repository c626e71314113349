"""Compute what luck was worth: the search's mean of a condition minus its mean on fresh seeds, with an interval.

A sweep that ends and a later analysis both use it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rothamsted.analysis.values import Luck
from rothamsted.statistics import TESTS, compare
from rothamsted.statistics.centre_differences import centre_difference
from rothamsted.statistics.centres import MEAN

_TEST = "welch"


def luck_of(
    search: Sequence[float] | np.ndarray,
    fresh: Sequence[float] | np.ndarray,
    *,
    direction: str,
    level: float,
    over: str = MEAN,
) -> Luck:
    """Compare the objectives of the search with those on fresh seeds: Welch's interval of the difference of means.

    The seeds differ, so nothing is paired, and the two spreads need not be equal. If neither side has any spread, the
    interval has no width.

    Args:
        search: (replicate,) of one condition; NaN and infinity are left out.
        fresh: (replicate,) of the same condition, on seeds that the search never used.
        direction: minimize or maximize: luck is positive if the search looked better.
        level: Nominal coverage of the interval.
        over: The number of a condition, as `objective.over`. For others than the mean see `centre_differences`.
    """
    searched, confirmed = np.asarray(search, dtype=np.float64), np.asarray(fresh, dtype=np.float64)
    is_lower_better = direction == "minimize"
    a, b = (confirmed, searched) if is_lower_better else (searched, confirmed)
    if over != MEAN:
        found = centre_difference(a, b, over=over, is_paired=False, level=level)
        return Luck(
            estimate=found.estimate,
            low=found.low,
            high=found.high,
            level=level,
            n_search=int(np.isfinite(searched).sum()),
            n_confirmed=int(np.isfinite(confirmed).sum()),
            method=found.label,
        )
    found = compare(a, b, test=_TEST, level=level)
    low, high = found.low, found.high
    if found.n >= 2 and math.isnan(low):
        low = high = found.estimate
    return Luck(
        estimate=found.estimate,
        low=low,
        high=high,
        level=level,
        n_search=found.n_b if is_lower_better else found.n_a,
        n_confirmed=found.n_a if is_lower_better else found.n_b,
        method=TESTS[_TEST].label,
    )
