"""Count what a sweep will cost, before anything runs, for `check`."""

from __future__ import annotations

import os
from dataclasses import dataclass

from rothamsted.spec.schema import Sweep


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Holds the size of a sweep; with a race the least and the most.

    Attributes:
        n_conditions: number of conditions that are trained.
        n_replicates: replicates of each condition; with a race the least.
        n_trainings: replicates of the search, which is the first stage, without later stages and the confirmation; with
            a race the least.
        n_trainings_most: the same if a race drops nothing; without a race `n_trainings`.
        n_confirmed: conditions of the confirmation.
        n_confirm_trainings: replicates of the confirmation.
        n_stage_trainings: replicates of the later stages; 0 without stages.
        n_runs: MLflow runs: one for the sweep and for each later stage, trial and replicate. With a single replicate
            the trial's run is the replicate's. With a race the least.
        n_stage_runs: MLflow runs of the later stages.
        n_runs_most: MLflow runs if a race drops nothing.
    """

    n_conditions: int
    n_replicates: int
    n_trainings: int
    n_trainings_most: int
    n_confirmed: int
    n_confirm_trainings: int
    n_stage_trainings: int
    n_runs: int
    n_stage_runs: int
    n_runs_most: int


def plan(sweep: Sweep) -> Plan:
    """Compute the size of a sweep."""
    n_conditions, n_replicates, n_most = sweep.n_trials, sweep.replicates.n_first, len(sweep.replicates.values)
    n_confirmed = min(sweep.confirm.keep, n_conditions) if sweep.confirm is not None else 0
    n_confirm_trainings = n_confirmed * len(sweep.confirm_seeds)
    kept = [min(stage.keep or 0, n_conditions) for stage in sweep.stages]
    later = [(kept[n], len(sweep.stage_seeds(n))) for n in range(1, len(kept))]
    n_stage_runs = sum(1 + keep + (keep * n_seeds if n_seeds > 1 else 0) for keep, n_seeds in later)
    n_other_runs = 1 + n_conditions + n_stage_runs + n_confirmed + n_confirm_trainings
    return Plan(
        n_conditions=n_conditions,
        n_replicates=n_replicates,
        n_trainings=n_conditions * n_replicates,
        n_trainings_most=n_conditions * n_most,
        n_confirmed=n_confirmed,
        n_confirm_trainings=n_confirm_trainings,
        n_stage_trainings=sum(keep * n_seeds for keep, n_seeds in later),
        n_runs=n_other_runs + (n_conditions * n_replicates if n_most > 1 else 0),
        n_stage_runs=n_stage_runs,
        n_runs_most=n_other_runs + (n_conditions * n_most if n_most > 1 else 0),
    )


def n_workers(sweep: Sweep) -> int:
    """Return how many local workers a sweep wants: its number, or one for each core; never more than replicates."""
    wanted = sweep.execution.workers
    return min((os.cpu_count() or 1) if wanted == "auto" else wanted, most_workers(sweep))


def most_workers(sweep: Sweep) -> int:
    """Return how many workers could train at once: one for each replicate."""
    size = plan(sweep)
    return max(1, size.n_trainings, size.n_confirm_trainings)
