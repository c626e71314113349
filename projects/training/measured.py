"""Choose when a training is measured."""

from __future__ import annotations


def evenly_measured(evals: int, n_steps: int) -> list[int]:
    """Return the steps of measurements: 0, then `evals` evenly spaced ones to the last, at most one in each step.

    Example:
        >>> evenly_measured(3, 12)
        [0, 4, 8, 12]
    """
    n_points = min(evals, n_steps)
    return [round(point * n_steps / n_points) for point in range(n_points + 1)]
