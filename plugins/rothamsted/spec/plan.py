"""What a sweep will cost, before anything runs. Apart, because `check` shows it and nothing else needs it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from rothamsted.space import Condition
from rothamsted.spec.schema import Sweep


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The size of a sweep.

    Attributes:
        n_conditions: conditions that are trained.
        n_replicates: replicates of each condition.
        n_trainings: replicates in all.
        n_runs: MLflow runs: one of the sweep, one a trial, one a replicate; with a single replicate the
            trial's run is the replicate's.
        preview: the first conditions of a grid; empty for the other samplers, whose conditions are
            proposed when the sweep runs.
    """

    n_conditions: int
    n_replicates: int
    n_trainings: int
    n_runs: int
    preview: tuple[Condition, ...]


def plan(sweep: Sweep, *, n_preview: int = 5) -> Plan:
    """The size of a sweep, and the first conditions of a grid."""
    n_conditions, n_replicates = sweep.n_trials, len(sweep.replicates.values)
    n_trainings = n_conditions * n_replicates
    is_grid = sweep.sampler.name == "grid"
    return Plan(
        n_conditions=n_conditions,
        n_replicates=n_replicates,
        n_trainings=n_trainings,
        n_runs=1 + n_conditions + (n_trainings if n_replicates > 1 else 0),
        preview=tuple(islice(sweep.search_space.iterate_grid(), n_preview)) if is_grid else (),
    )
