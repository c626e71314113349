"""Which condition comes next: one row of SAMPLERS for each sampler.

Two kinds. A *design* does not look at results. An *adaptive* sampler is Optuna's own, made anew for each trial
from (seed, trial number): what it must remember it keeps in the storage, so that any worker may ask next.
What each can do stands in `rothamsted.catalog`, for the sweep file.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from rothamsted.search import designs

MIN_KNOWN_CMAES = 10  # the best tenth of what is known, at least one, gives the first mean


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """One row of the table: exactly one of `conditions` and `adaptive` is given.

    Attributes:
        conditions: a design.
        adaptive: Optuna's sampler for one trial, from a seed and the complete trials known from earlier searches.
        known_attributes: system attributes under which the sampler looks at what is known.
        min_known: fewest known trials that it can start from.
    """

    conditions: designs.Design | None = None
    adaptive: Callable[[int, Sequence[FrozenTrial]], BaseSampler] | None = None
    known_attributes: Mapping[str, Any] = field(default_factory=dict)
    min_known: int = 1


def _tpe(seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    """Tree-structured Parzen estimator, Optuna's defaults. Watanabe (2023), arXiv:2304.11127."""
    return optuna.samplers.TPESampler(seed=seed)


def _gp(seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    """Gaussian process with log expected improvement. Ament et al. (2023), arXiv:2310.20708."""
    return optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False)


def _cmaes(seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    """CMA-ES; what is known makes its first mean and covariance. Nomura et al. (2021), arXiv:2012.06932."""
    complete = [trial for trial in known if trial.state == TrialState.COMPLETE]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # of source_trials
        return optuna.samplers.CmaEsSampler(
            seed=seed, warn_independent_sampling=False, source_trials=complete if complete else None
        )


def _nsgaii(seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    """Elitist genetic algorithm. Deb et al. (2002), IEEE Trans. Evol. Comput. 6(2)."""
    return optuna.samplers.NSGAIISampler(seed=seed)


def _nsgaiii(seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    """The same with reference points, for many objectives. Deb & Jain (2014), IEEE Trans. Evol. Comput. 18(4)."""
    return optuna.samplers.NSGAIIISampler(seed=seed)


SAMPLERS: dict[str, Sampler] = {
    "grid": Sampler(conditions=designs.grid),
    "exhaustive": Sampler(conditions=designs.exhaustive),
    "random": Sampler(conditions=designs.random),
    "qmc": Sampler(conditions=designs.quasi_random),
    "tpe": Sampler(adaptive=_tpe),
    "gp": Sampler(adaptive=_gp),
    "cmaes": Sampler(adaptive=_cmaes, min_known=MIN_KNOWN_CMAES),
    # A genetic algorithm breeds from generations alone: what is known belongs to the first.
    "nsgaii": Sampler(adaptive=_nsgaii, known_attributes={"NSGAIISampler:generation": 0}),
    "nsgaiii": Sampler(adaptive=_nsgaiii, known_attributes={"NSGAIIISampler:generation": 0}),
}


def seed_of_trial(seed: int, number: int) -> int:
    """A 32-bit seed for one trial's proposal: independent streams of one sampler seed."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
