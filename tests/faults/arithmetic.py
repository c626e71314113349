"""What the toy sweep must give, computed without the engine and without the toy: plain floats, numpy's noise, scipy.

The toy descends the parabola 0.5 * (w - 1)^2 from w = x by steps of lr; its validation loss is that plus normal
noise of its seed (sd 0.01), a draw a step. Python's floats and numpy's are the same doubles, so curves must be equal
bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from tests.faults.world import Shape

NOISE_SD, BATCH_SIZE, LEVEL = 0.01, 8, 0.95
Place = tuple[str, int, int]  # phase, trial, seed
Curve = dict[tuple[str, int], float]  # (metric, step) -> value


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Everything that one sweep of a shape must leave behind.

    Attributes:
        conditions: (lr, x) of each trial, in the order of the grid.
        curves: of each replicate of the search and of the confirmation.
        winner: the trial that is confirmed.
    """

    conditions: list[tuple[float, float]]
    curves: dict[Place, Curve]
    winner: int

    def objectives(self, phase: str, trial: int) -> list[float]:
        """By seed."""
        places = sorted(place for place in self.curves if place[:2] == (phase, trial))
        return [self.curves[place]["objective", max(step for _, step in self.curves[place])] for place in places]


def expected(shape: Shape) -> Expected:
    """The whole sweep: the grid on the first seeds, then the best mean again on the seeds after them."""
    conditions = [(lr, x) for lr in shape.lr for x in shape.x]
    curves = {
        ("search", trial, seed): curve(shape, lr, x, seed)
        for trial, (lr, x) in enumerate(conditions)
        for seed in range(shape.n_seeds)
    }
    means = [
        math.fsum(curves["search", trial, seed]["objective", shape.steps] for seed in range(shape.n_seeds))
        for trial in range(len(conditions))
    ]
    winner = means.index(min(means))
    for seed in range(shape.n_seeds, shape.n_seeds + shape.n_confirm):
        curves["confirm", winner, seed] = curve(shape, *conditions[winner], seed)
    return Expected(conditions=conditions, curves=curves, winner=winner)


def curve(shape: Shape, lr: float, x: float, seed: int) -> Curve:
    """One replicate."""
    noise = np.random.default_rng(seed).normal(0.0, NOISE_SD, shape.steps)
    every, found, w = shape.steps // shape.n_points, {}, x
    for step in range(1, shape.steps + 1):
        w = w - lr * (w - 1)
        if step % every == 0:
            loss = 0.5 * ((w - 1) * (w - 1))
            found["train_loss", step] = loss
            found["val_loss", step] = loss + float(noise[step - 1])
            found["learning_rate", step] = lr
            found["samples_seen", step] = float(BATCH_SIZE * step)
            found["epoch", step] = step / shape.steps
    found["objective", shape.steps] = found["val_loss", shape.steps]
    return found


def t_interval(values: Sequence[float]) -> dict[str, float]:
    """Mean and Student's interval, by scipy.stats.t."""
    mean, sem = float(np.mean(values)), float(stats.sem(values))
    low, high = stats.t.interval(LEVEL, len(values) - 1, loc=mean, scale=sem)
    return {"mean": mean, "ci_low": float(low), "ci_high": float(high), "n": float(len(values))}


def welch_interval(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, float]:
    """The difference of two means with Welch's interval, by scipy.stats.ttest_ind."""
    ends = stats.ttest_ind(a, b, equal_var=False).confidence_interval(LEVEL)
    return float(np.mean(a) - np.mean(b)), float(ends.low), float(ends.high)
