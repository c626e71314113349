"""What a worker and the coordinator of a sweep both hold: the sweep, its study, its queue and its record.

Apart because both are made from it, in one process or on two machines, and must agree.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from rothamsted import tags
from rothamsted.errors import StoreError
from rothamsted.search import Queue, find_search, open_queue
from rothamsted.spec import Sweep, from_resolved, plan
from rothamsted.study import Study, set_fields
from rothamsted.sweep.foreign_study import ForeignStudy, parameters_of
from rothamsted.sweep.stage import EarlierStage, first_stage, keeps_states
from rothamsted.tracking import Recorder, open_recorder

Emit = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class SweepContext:
    """A started sweep, as one process sees it."""

    sweep: Sweep
    study: Study | ForeignStudy
    queue: Queue
    recorder: Recorder
    tracking_uri: str
    experiment_id: str
    sweep_run_id: str
    root: Path  # of the MLflow project: checkpoints lie below it
    phase: Literal["search", "confirm", "duel"] = "search"
    earlier_stage: EarlierStage | None = None  # the stage before this one
    keeps_states: bool = False  # the state at the end of each replicate is kept for the next stage

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of this phase's replicates, the same in every condition; of a race as many as there can be."""
        return self.sweep.confirm_seeds if self.phase == "confirm" else self.sweep.replicates.values

    def confirmation(self) -> SweepContext:
        """The same sweep in its second phase, with the queue of the confirmation."""
        return replace(self, phase="confirm", queue=confirm_queue_of(self.sweep))

    def config_of(self, condition: Mapping[str, Any], seed: int) -> Any:
        """The study's config of one replicate; of a foreign project the parameters of its entry point."""
        if isinstance(self.study, ForeignStudy):
            return parameters_of(self.sweep, condition, seed)
        return config_of(self.study, self.sweep, condition, seed)


def config_of(study: Study, sweep: Sweep, condition: Mapping[str, Any], seed: int) -> BaseModel:
    """Fixed parameters, then the condition, then the seed."""
    return set_fields(study.config, {**sweep.parameters, **condition, "seed": seed}, place=f"sweep {sweep.name}")


def stage_config(
    study: Study, sweep: Sweep, stage: int, condition: Mapping[str, Any], seed: int | None = None
) -> BaseModel:
    """The config of a replicate in a stage, by its position; of its first seed where none is given."""
    seed = sweep.stage_seeds(stage)[0] if seed is None else seed
    values = {**sweep.stage_parameters(stage), **condition, "seed": seed}
    return set_fields(study.config, values, place=f"sweep {sweep.name}")


def n_workers(sweep: Sweep) -> int:
    """How many local workers a sweep wants: as many as it says, or one a core; never more than replicates."""
    wanted = sweep.execution.workers
    n_cores = os.cpu_count() or 1
    size = plan(sweep, n_preview=0)
    return max(1, min(n_cores if wanted == "auto" else wanted, max(size.n_trainings, size.n_confirm_trainings)))


def queue_of(sweep: Sweep, *, create: bool = False) -> Queue:
    """The queue of a sweep's trials in its storage."""
    return open_queue(
        sweep.storage,
        sweep.name,
        space=sweep.search_space,
        sampler=sweep.sampler.name,
        seed=sweep.sampler.seed,
        directions=[objective.direction for objective in sweep.objectives],
        pruner=None if sweep.pruner is None else sweep.pruner.plain,
        create=create,
    )


def confirm_queue_of(sweep: Sweep, *, create: bool = False) -> Queue:
    """The queue of the confirmation: an Optuna study of its own, which no sampler of the search looks at.

    Each of its trials is one replicate of one condition, so that all workers share even a single winner.
    """
    return open_queue(
        sweep.storage,
        sweep.confirm_name,
        space=sweep.search_space,
        sampler="grid",  # nothing is proposed: its conditions are added one by one
        seed=sweep.sampler.seed,
        directions=[objective.direction for objective in sweep.objectives],
        create=create,
    )


def open_context(
    name: str,
    storage: str,
    *,
    root: Path,
    find_target: Callable[[Sweep], Study | ForeignStudy],
    tracking_uri: str,
) -> SweepContext:
    """Open a sweep that was started before, from its name and storage alone.

    Raises:
        StoreError: there is no sweep of this name in the storage.
    """
    record = find_search(storage, name)
    if record is None:
        raise StoreError(
            f"storage {storage}: no sweep called '{name}' here; start it with "
            "mlflow run . -e sweep, or name its storage with -P storage="
        )
    if tags.CONFIRMATION_OF in record.attributes:
        of = record.attributes[tags.CONFIRMATION_OF]
        raise StoreError(f"'{name}' is the confirmation of sweep '{of}', whose workers do both; write --sweep {of}")
    if tags.RUN_ID not in record.attributes:
        raise StoreError(f"sweep '{name}' is only just being started; give the same command again")
    whole = from_resolved({**record.spec, "storage": storage})
    sweep, study = first_stage(whole), find_target(whole)
    stage = record.attributes.get(tags.STAGE)
    return SweepContext(
        sweep=sweep,
        study=study,
        queue=queue_of(sweep),
        recorder=open_recorder(tracking_uri),
        tracking_uri=tracking_uri,
        experiment_id=str(record.attributes[tags.EXPERIMENT_ID]),
        sweep_run_id=str(record.attributes[tags.RUN_ID]),
        root=root,
        phase="duel" if tags.DUEL in record.attributes else "search",
        earlier_stage=EarlierStage.of(stage["earlier"]) if stage is not None else None,
        keeps_states=stage["keeps_states"] if stage is not None else keeps_states(whole, 0, study),
    )
