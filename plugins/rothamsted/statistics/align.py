"""Replicates of one condition put side by side, step by step.

Replicates do not always measure at the same steps: one diverges early, one was interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rothamsted.records import Measured


def align(histories: Sequence[Sequence[Measured]], metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Put one metric of several replicates on common steps.

    Args:
        histories: The measurements of each replicate, in any order; of two at one step the later counts.
        metric: Its name; a measurement without it has no value at that step.

    Returns:
        Steps (point,) in rising order, every step at which some replicate has the metric, and values
        (replicate, point), NaN where a replicate has none: never filled in from a neighbour.
    """
    curves = [
        {measured.step: measured.metrics[metric] for measured in history if metric in measured.metrics}
        for history in histories
    ]
    steps = sorted({step for curve in curves for step in curve})
    values = np.array([[curve.get(step, np.nan) for step in steps] for curve in curves], dtype=np.float64)
    return np.array(steps, dtype=np.int64), values.reshape(len(curves), len(steps))
