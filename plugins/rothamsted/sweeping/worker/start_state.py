"""Find the state from which training goes on: a population's own checkpoints, else a state of the stage before."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from rothamsted import tags
from rothamsted.studies import Checkpoint, Snapshot, Study
from rothamsted.sweeping.checkpoint_folders import checkpoints_at, population_part, state_part
from rothamsted.sweeping.opened import Opened, config_of
from rothamsted.sweeping.worker.population_judge import Member


def checkpoint_of(opened: Opened, members: Sequence[Member]) -> Checkpoint:
    """Return the checkpoints of replicates that train together."""
    part = population_part([(trial.assignment.key, member.replicate) for trial, member in members])
    place = checkpoints_at(opened.home, opened.sweep, opened.sweep_run_id, part, uri=opened.tracking_uri)
    return Checkpoint(folder=place, every_seconds=opened.sweep.execution.checkpoint_every)


def start_of(members: Sequence[Member]) -> Snapshot | None:
    """Return the state that the stage before left for a replicate that trains alone, and tag its run with it."""
    trial, member = members[0]
    if len(members) > 1 or not trial.assignment.is_linked_to_stages:
        return None
    start = state_to_start_from(trial.context, trial.lease.number, member.seed, member.config)
    if start is not None:
        step = str(start.histories[0][-1].step)
        trial.context.recorder.log(member.run_id, tags={tags.RESUMED_FROM_STEP: step})
    return start


def state_to_start_from(opened: Opened, trial: int, seed: int, config: BaseModel) -> Snapshot | None:
    """Return the state that the stage before left for a replicate; None if there is none or the training differs.

    Raises:
        StudyError: the file cannot be read, or was put there by hand.
    """
    earlier, study = opened.earlier_stage, opened.study
    if earlier is None or not earlier.left_states or not isinstance(study, Study):
        return None
    seeds = earlier.sweep.replicates.values
    if study.extends is None or seed not in seeds:
        return None
    old = config_of(study, earlier.sweep, opened.sweep.enqueue[trial], seed)
    if not study.extends(config, old):
        return None
    part = state_part(earlier.trials[trial], seeds.index(seed))
    place = checkpoints_at(opened.home, earlier.sweep, earlier.run_id, part, uri=opened.tracking_uri)
    return Checkpoint(folder=place).load(study.name, [old])
