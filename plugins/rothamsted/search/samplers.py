"""Make samplers from rows of the catalog: designs, and Optuna's adaptive samplers.

A *design* does not look at results. An *adaptive* sampler is Optuna's own, made anew for each trial from (seed, trial
number). It keeps its state in the storage, so that any worker may ask next. The rows, with what each sampler can do,
are in `rothamsted.catalog`.
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

from rothamsted.catalog import SAMPLERS
from rothamsted.search import designs


@dataclass(frozen=True, kw_only=True)
class SearchSampler:
    """Holds a sampler: either `conditions` or `adaptive` is given.

    Attributes:
        conditions: a design.
        adaptive: Optuna's sampler for one trial, from a seed and the complete trials known from earlier searches.
        known_attributes: system attributes from which the sampler reads known trials.
        min_known: fewest known trials that it can start from.
    """

    conditions: designs.Design | None = None
    adaptive: Callable[[int, Sequence[FrozenTrial]], BaseSampler] | None = None
    known_attributes: Mapping[str, Any] = field(default_factory=dict)
    min_known: int = 1


def tpe(seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    """Make the tree-structured Parzen estimator with Optuna's defaults. Watanabe (2023), arXiv:2304.11127."""
    return optuna.samplers.TPESampler(seed=seed)


def gp(seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    """Make a Gaussian process sampler with log expected improvement. Ament et al. (2023), arXiv:2310.20708."""
    return optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False)


def cmaes(seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    """Make CMA-ES; known trials give its first mean and covariance. Nomura et al. (2021), arXiv:2012.06932."""
    complete = [trial for trial in known if trial.state == TrialState.COMPLETE]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # of source_trials
        return optuna.samplers.CmaEsSampler(
            seed=seed, warn_independent_sampling=False, source_trials=complete if complete else None
        )


def nsgaii(seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    """Make the elitist genetic algorithm NSGA-II. Deb et al. (2002), IEEE Trans. Evol. Comput. 6(2)."""
    return optuna.samplers.NSGAIISampler(seed=seed)


def nsgaiii(seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    """Make NSGA-III: reference points, for many objectives. Deb & Jain (2014), IEEE Trans. Evol. Comput. 18(4)."""
    return optuna.samplers.NSGAIIISampler(seed=seed)


def sampler_named(name: str) -> SearchSampler:
    """Return the sampler of a row of the catalog.

    Raises:
        UserError: there is none of this name, or its package cannot be used.
    """
    row, make = SAMPLERS[name], SAMPLERS.function(name)
    if not row.adaptive:
        return SearchSampler(conditions=make)
    return SearchSampler(adaptive=make, known_attributes=row.known_attributes, min_known=row.min_known)


def seed_of_trial(seed: int, number: int) -> int:
    """Return a 32-bit seed for one trial's proposal; trials have independent streams of one sampler seed."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
