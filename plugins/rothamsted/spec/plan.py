"""What a sweep will cost, before anything runs. Apart, because `check` shows it and nothing else needs it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from rothamsted.space import Condition
from rothamsted.spec.schema import Sweep


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The size of a sweep; where a race decides it, the least and the most.

    Attributes:
        n_conditions: conditions that are trained.
        n_replicates: replicates of each condition; of a race the least.
        n_trainings: replicates in all, without those of the confirmation; of a race the least.
        n_trainings_most: the same where a race drops nothing; else equal to `n_trainings`.
        n_confirmed: conditions of the confirmation.
        n_confirm_trainings: replicates of the confirmation.
        n_runs: MLflow runs: one of the sweep, one a trial, one a replicate; with a single replicate the
            trial's run is the replicate's. Of a race the least.
        n_runs_most: the same where a race drops nothing.
        preview: the first conditions of a grid; empty for the other samplers, whose conditions are
            proposed when the sweep runs.
    """

    n_conditions: int
    n_replicates: int
    n_trainings: int
    n_trainings_most: int
    n_confirmed: int
    n_confirm_trainings: int
    n_runs: int
    n_runs_most: int
    preview: tuple[Condition, ...]


def plan(sweep: Sweep, *, n_preview: int = 5) -> Plan:
    """The size of a sweep, and the first conditions of a grid."""
    n_conditions, n_replicates, n_most = sweep.n_trials, sweep.replicates.n_first, len(sweep.replicates.values)
    n_confirmed = sweep.confirm.keep if sweep.confirm is not None else 0
    n_confirm_trainings = n_confirmed * len(sweep.confirm_seeds)
    is_grid = sweep.sampler.name == "grid"
    n_other_runs = 1 + n_conditions + n_confirmed + n_confirm_trainings
    return Plan(
        n_conditions=n_conditions,
        n_replicates=n_replicates,
        n_trainings=n_conditions * n_replicates,
        n_trainings_most=n_conditions * n_most,
        n_confirmed=n_confirmed,
        n_confirm_trainings=n_confirm_trainings,
        n_runs=n_other_runs + (n_conditions * n_replicates if n_most > 1 else 0),
        n_runs_most=n_other_runs + (n_conditions * n_most if n_most > 1 else 0),
        preview=tuple(islice(sweep.search_space.iterate_grid(), n_preview)) if is_grid else (),
    )
