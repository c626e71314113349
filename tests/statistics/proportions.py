"""Wilson's score interval for a share, as the engine computes its ends."""

from __future__ import annotations

import numpy as np

from rothamsted.statistics.intervals import DEFAULT_LEVEL, Interval
from rothamsted.statistics.shares import wilson_ends


def proportion_interval(n_successes: int, n: int, *, level: float = DEFAULT_LEVEL) -> Interval:
    low, high = wilson_ends(np.array(n_successes / n), n, level)
    share = n_successes / n
    return Interval(estimate=share, low=float(low), high=float(high), level=level, n=n, method="wilson")
