"""Which condition comes next: one function and one row of SAMPLERS for each sampler.

Two kinds. A *design* does not look at results: condition k is a pure function of (space, seed, k), so that
any worker, any number of workers and any resume get the same conditions. An *adaptive* sampler is Optuna's
own, made anew for each trial from (seed, trial number).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna

from rothamsted.space import Space

Condition = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """One row of the table: exactly one of the two functions is given."""

    conditions: Callable[[Space, int, int, int], Iterator[Condition]] | None = None
    adaptive: Callable[[int], optuna.samplers.BaseSampler] | None = None


def _grid(space: Space, seed: int, start: int, stop: int) -> Iterator[Condition]:
    yield from space.grid()[start:stop]


def _random(space: Space, seed: int, start: int, stop: int) -> Iterator[Condition]:
    for k in range(start, stop):
        yield space.sample(np.random.default_rng([seed, k]))


def _quasi_random(space: Space, seed: int, start: int, stop: int) -> Iterator[Condition]:
    """Points start..stop of the scrambled Sobol sequence. Owen (1998), J. Complexity 14(4)."""
    from scipy.stats import qmc

    sequence = qmc.Sobol(len(space.domains), scramble=True, rng=np.random.default_rng(seed))
    if start:
        sequence.fast_forward(start)
    for _ in range(start, stop):
        yield space.from_unit(sequence.random(1)[0])


def _tpe(seed: int) -> optuna.samplers.BaseSampler:
    """Tree-structured Parzen estimator, Optuna's defaults. Watanabe (2023), arXiv:2304.11127."""
    return optuna.samplers.TPESampler(seed=seed)


SAMPLERS: dict[str, Sampler] = {
    "grid": Sampler(conditions=_grid),
    "random": Sampler(conditions=_random),
    "qmc": Sampler(conditions=_quasi_random),
    "tpe": Sampler(adaptive=_tpe),
}


def seed_of_trial(seed: int, number: int) -> int:
    """A 32-bit seed for one trial's proposal: independent streams of one sampler seed."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
