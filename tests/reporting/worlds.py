"""Small worlds whose optimum, noise and failures are known: what every plot is drawn of.

Apart from the builder because tests of data want three conditions and tests of drawing want realistic sweeps. The
losses are parabolas in the logarithm of the rate with seeded normal noise, so every optimum is known beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rothamsted.analysis.analyze import analyze
from rothamsted.analysis.values import Analysis
from rothamsted.reporting.plots.contract import Direction
from tests.analysis.runs import dataset
from tests.analysis.task_data import on_tasks
from tests.reporting.analyses import analysis_of


def _noisy(
    values: Sequence[Mapping[str, Any]], loss: Callable[[Mapping[str, Any]], float], *, n: int, sd: float, seed: int
) -> list[list[float]]:
    """n scores a condition: its loss, an effect of each seed that conditions share, and noise; inf above 5."""
    rng = np.random.default_rng(seed)
    common = sd * rng.standard_normal(n)
    rows = [loss(v) + common + sd * rng.standard_normal(n) for v in values]
    return [[float(s) if s < 5 else math.inf for s in row] for row in rows]


def grid(n_rates: int = 6, widths: Sequence[int] = (32, 64, 128, 256, 512), n: int = 5, **more: Any) -> Analysis:
    """Rates by widths; the best rate falls with the square root of the width, the largest rates diverge."""
    rates = [float(rate) for rate in np.logspace(-4, -0.5, n_rates)]
    values = [{"learning_rate": rate, "width": width} for rate in rates for width in widths]

    def loss(v: Mapping[str, Any]) -> float:
        off = math.log10(v["learning_rate"]) + 1.0 + 0.5 * math.log2(v["width"] / 32) * math.log10(2) * 2
        return 0.4 + 8.0 / v["width"] + 0.35 * off**2 + (9.0 if off > 1.4 else 0.0)

    scores = _noisy(values, loss, n=n, sd=0.02, seed=3)
    if len(scores) > 2:
        scores[2][1] = math.nan
    costs = [[v["width"] * (1 + 0.02 * s) for s in range(n)] for v in values]
    more = {"with_curves": True, "log": ("learning_rate", "width"), "metrics": {"seconds": costs}, **more}
    return analysis_of(values, scores, **more)


def one_factor() -> Analysis:
    """Seven rates, five seeds; the best is 0.01."""
    values = [{"learning_rate": float(rate)} for rate in np.logspace(-4, 0, 7)]
    scores = _noisy(values, lambda v: 0.5 + 0.1 * (math.log10(v["learning_rate"]) + 2) ** 2, n=5, sd=0.02, seed=5)
    return analysis_of(values, scores, with_curves=True)


def all_failed() -> Analysis:
    """Four conditions of two replicates; half failed, half diverged."""
    values = [{"learning_rate": rate, "width": width} for rate in (0.1, 1.0) for width in (32, 64)]
    return analysis_of(values, [[math.nan, math.inf]] * 4)


def one_condition() -> Analysis:
    """One condition, three replicates."""
    return analysis_of([{"learning_rate": 0.1}], [[1.0, 1.1, 1.2]], with_curves=True)


def random_search(n_conditions: int = 40) -> Analysis:
    """A free search: a rate, an optimizer, and a momentum that only one of the optimizers has."""
    rng = np.random.default_rng(11)
    values: list[dict[str, Any]] = []
    for _ in range(n_conditions):
        v: dict[str, Any] = {
            "learning_rate": float(10 ** rng.uniform(-5, 0)),
            "optimizer": str(rng.choice(["sgd", "adam"])),
        }
        if v["optimizer"] == "sgd":
            v["momentum"] = float(rng.uniform(0, 0.99))
        values.append(v)

    def loss(v: Mapping[str, Any]) -> float:
        best = -3 if v["optimizer"] == "adam" else -1.5 + math.log10(1.001 - v["momentum"]) / 2
        return 0.5 + 0.3 * (math.log10(v["learning_rate"]) - best) ** 2

    found = analysis_of(values, _noisy(values, loss, n=3, sd=0.05, seed=13), with_curves=True)
    return replace(found, dataset=replace(found.dataset, sampler="random"))


def pruned() -> Analysis:
    """Twenty rates by widths; the four largest rates of width 32 were pruned at step 50, whose means would be worst."""
    values = [{"learning_rate": float(rate), "width": width} for rate in np.logspace(-4, 0, 10) for width in (32, 64)]
    scores = _noisy(values, lambda v: 0.5 + 0.1 * (math.log10(v["learning_rate"]) + 3) ** 2, n=3, sd=0.02, seed=5)
    stopped = dict.fromkeys((12, 14, 16, 18), "at step 50 by pruner median: val_loss 8")
    return analysis_of(values, scores, with_curves=True, pruned=stopped)


def several(n: int = 3, **others: Direction) -> Analysis:
    """Eight sizes: the larger, the less the loss and the more memory; 7 is worse than 6 in both. Analysed for real."""
    rng = np.random.default_rng(17)
    ways: Mapping[str, Direction] = others or {"memory": "minimize"}
    loss: dict[int, list[float]] = {}
    rows: dict[str, dict[int, list[float]]] = {name: {} for name in ways}
    for k in range(8):
        loss[k] = (1.0 / (k + 1) + (0.4 if k == 7 else 0.0) + 0.02 * rng.standard_normal(n)).tolist()
        for name, way in ways.items():
            sign = 1.0 if way == "minimize" else -1.0
            rows[name][k] = (sign * (10.0 + 3.0 * k) + 2.5 * rng.standard_normal(n)).tolist()
    further: dict[str, tuple[Direction, Mapping[int, Sequence[float]]]]
    further = {name: (way, rows[name]) for name, way in ways.items()}
    return analyze(dataset(loss, factors={k: {"width": 2 ** (4 + k)} for k in range(8)}, others=further))


def over_tasks(n_tasks: int = 4, n_methods: int = 6, n: int = 5, **more: Any) -> Analysis:
    """Methods on tasks of different scale: the later a method, the better on every task. Analysed for real."""
    rng = np.random.default_rng(23)
    sizes = {f"task{i}": 10.0**i for i in range(n_tasks)}
    scores = {
        f"method{m}": {
            name: (size * (1 + 0.2 * m + 0.1 * rng.standard_normal(n))).tolist() for name, size in sizes.items()
        }
        for m in range(n_methods)
    }
    return analyze(on_tasks(scores, **more))


WORLDS: dict[str, Callable[[], Analysis]] = {
    "grid": grid,
    "one_factor": one_factor,
    "all_failed": all_failed,
    "one_condition": one_condition,
    "random_search": random_search,
    "tasks": over_tasks,
}
