"""When a training is measured."""

from __future__ import annotations


def evenly_measured(evals: int, n_steps: int) -> list[int]:
    """The steps at which a training is measured: 0, then `evals` evenly spaced ones, at most one a step, to the last.

    Example:
        >>> evenly_measured(3, 12)
        [0, 4, 8, 12]
    """
    n_points = min(evals, n_steps)
    return [round(point * n_steps / n_points) for point in range(n_points + 1)]
