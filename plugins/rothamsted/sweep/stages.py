"""Stages: a quick sweep over all conditions, then the best of them again, trained in full.

Apart from the engine, which knows nothing of stages: each is a sweep of its own, NAME, NAME.stage2 and so on, with
its own run below the first one's, its own Optuna study, its own report. A later stage is told its conditions, and
where the training of each stopped earlier. Confirmation and promotion belong to the last.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel

from rothamsted.analysis.ranking import members_of, pareto_front, ranked, scores_of
from rothamsted.analysis.values import Condition, Dataset
from rothamsted.errors import SpecError
from rothamsted.spec import Sweep, from_resolved, resolved
from rothamsted.statistics import describe
from rothamsted.study import Checkpoint, Snapshot, Study
from rothamsted.sweep.checkpoint_folders import checkpoint_folder, checkpoints_of, state_part
from rothamsted.sweep.foreign_study import ForeignStudy
from rothamsted.sweep.opened import SweepContext, config_of, stage_config
from rothamsted.sweep.stage import EarlierStage, stage_name, stage_replicates, without_confirmation


def kept_of(sweep: Sweep, index: int, found: Dataset) -> list[Condition]:
    """What a later stage, by its position, keeps of what the stage before has found; best first."""
    stage = sweep.stages[index]
    return keep(found, stage.keep or len(found.conditions), by=stage.by, level=sweep.statistics.level)


def later_stage(sweep: Sweep, index: int, kept: Sequence[Condition]) -> Sweep:
    """A later stage as a sweep over what is kept of the stage before."""
    own = {
        "name": stage_name(sweep, index),
        "parameters": sweep.stage_parameters(index),
        "replicates": stage_replicates(sweep, index),
        "sampler": {"name": "random", "seed": sweep.sampler.seed},  # nothing is proposed: all is enqueued
        "enqueue": [dict(condition.values) for condition in kept],
        "trials": len(kept),
        "stages": [],
    }
    if sweep.confirm is not None:  # of fewer conditions where fewer have a score
        own["confirm"] = {"keep": min(sweep.confirm.keep, len(kept)), "seeds": list(sweep.confirm_seeds)}
    plain = {**resolved(sweep), **own}
    for key in ("pruner", "warm_start"):  # these are trained in full, and nothing is proposed
        plain.pop(key, None)
    return from_resolved(plain if index == len(sweep.stages) - 1 else without_confirmation(plain))


def keep(found: Dataset, n_kept: int, *, by: str, level: float) -> list[Condition]:
    """The best conditions by their mean, or by the worse end of the interval for it; best first.

    By the interval, one without an interval (a single replicate) comes after all that have one. Either way those
    that a race dropped come last, and with several objectives the Pareto set first.
    """
    best, conditions = ranked(found), {one.number: one for one in found.conditions}
    if by == "interval":
        front, members = pareto_front(found, best), members_of(found)
        is_lower_better = found.objective.direction == "minimize"

        def place(number: int) -> tuple[object, ...]:
            interval = describe(scores_of(members[number]), level=level).interval
            end = None if interval is None else interval.high if is_lower_better else -interval.low
            dropped = conditions[number].dropped_after
            return dropped > 0, -dropped, number not in front, end is None, end or 0.0

        best = sorted(best, key=place)
    return [conditions[number] for number in best[:n_kept]]


def check_resume(sweep: Sweep, study: Study | ForeignStudy) -> None:
    """Refuse a stage that must go on from checkpoints with a study that cannot.

    Raises:
        SpecError: names the stage and the way out.
    """
    for index, stage in enumerate(sweep.stages):
        if index == 0 or stage.resume is not True:
            continue
        place = f"sweep {sweep.name}: stages[{index}].resume"
        if isinstance(study, ForeignStudy) or study.extends is None:
            what = "a foreign project" if isinstance(study, ForeignStudy) else f"study '{study.name}'"
            raise SpecError(f"{place}: {what} cannot go on from a shorter training; give resume: auto")
        if sweep.execution.population > 1:
            raise SpecError(f"{place}: needs replicates that train alone; give execution: {{population: 1}}")
        _, condition = next(sweep.search_space.probes(), ("", {}))
        seed = sweep.stage_seeds(index)[0]
        old, new = (stage_config(study, sweep, number, condition, seed) for number in (index - 1, index))
        if not study.extends(new, old):
            raise SpecError(
                f"{place}: to study '{study.name}' stage {index + 1} is no longer training of the same kind than "
                f"stage {index}, so it cannot go on from it; give resume: auto, or change its parameters"
            )


def state_to_start_from(context: SweepContext, trial: int, seed: int, config: BaseModel) -> Snapshot | None:
    """Where the stage before left a replicate; None where it left nothing, or this is not the same training.

    Raises:
        StudyError: the file that it left cannot be read, or was put there by hand.
    """
    earlier, study = context.earlier_stage, context.study
    if earlier is None or not earlier.left_states or not isinstance(study, Study) or context.phase != "search":
        return None
    seeds = earlier.sweep.replicates.values
    if study.extends is None or seed not in seeds:
        return None
    old = config_of(study, earlier.sweep, context.sweep.enqueue[trial], seed)
    if not study.extends(config, old):
        return None
    part = state_part(earlier.trials[trial], seeds.index(seed))
    return Checkpoint(folder=checkpoint_folder(context.root, earlier.sweep, earlier.run_id, part)).load(
        study.name, [old]
    )


def remove_states(root: Path, earlier: EarlierStage, *, but_kept: bool = False) -> None:
    """Remove what a stage left for the next one; `but_kept`: of the conditions that do not go on."""
    folder = checkpoints_of(root, earlier.sweep, earlier.run_id)
    if not but_kept:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # other sweeps of this name have theirs there
            folder.parent.rmdir()
    elif folder.is_dir():
        for part in folder.iterdir():
            if part.name.split("-")[0] not in {str(trial) for trial in earlier.trials}:
                shutil.rmtree(part, ignore_errors=True)
