"""Put replicates of one condition side by side, step by step.

Replicates need not measure at the same steps: one may diverge early, another may be interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rothamsted.records import Measured


def align(histories: Sequence[Sequence[Measured]], metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Put one metric of several replicates on common steps.

    Args:
        histories: The measurements of each replicate, in any order. If two have the same step, the later one counts.
        metric: Its name; a measurement without it has no value at that step.

    Returns:
        Steps (point,) in rising order: every step at which some replicate has the metric. Values (replicate, point),
        NaN where a replicate has none. Nothing is interpolated.
    """
    curves = [
        {measured.step: measured.metrics[metric] for measured in history if metric in measured.metrics}
        for history in histories
    ]
    steps = sorted({step for curve in curves for step in curve})
    values = np.array([[curve.get(step, np.nan) for step in steps] for curve in curves], dtype=np.float64)
    return np.array(steps, dtype=np.int64), values.reshape(len(curves), len(steps))
