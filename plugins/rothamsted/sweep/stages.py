"""Stages: a quick sweep over all conditions, then the best of them again, trained in full.

Apart from the engine, which knows nothing of stages: each is a sweep of its own, NAME, NAME.stage2 and so on, with
its own run below the first one's, its own Optuna study, its own report. A later stage is told its conditions, and
where the training of each stopped earlier. Confirmation and promotion belong to the last.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from rothamsted.errors import SpecError, StudyError
from rothamsted.spec import Sweep, from_resolved, resolved
from rothamsted.study import Checkpoint, Snapshot, Study
from rothamsted.sweep.context import SweepContext, config_of
from rothamsted.sweep.folders import checkpoint_folder, checkpoints_of
from rothamsted.sweep.results import ConditionResult, ranked
from rothamsted.sweep.stage_link import EarlierStage, stage_replicates


def stage_name(sweep: Sweep, index: int) -> str:
    """The name of a stage, by its position."""
    return sweep.name if index == 0 else f"{sweep.name}.stage{index + 1}"


def later_stage(sweep: Sweep, index: int, results: Sequence[ConditionResult]) -> tuple[Sweep, list[int]]:
    """A later stage as a sweep over what is kept of the results before it; also the numbers of what is kept.

    Raises:
        SpecError: no condition is left to keep.
    """
    stage, plain = sweep.stages[index], resolved(sweep)
    kept = keep(results, stage.keep or len(results), by=stage.by, direction=sweep.objective.direction)
    if not kept:
        raise SpecError(f"sweep {sweep.name}: no condition of stage {index} has a score, so stage {index + 1} has none")
    is_last = index == len(sweep.stages) - 1
    own = {
        "name": stage_name(sweep, index),
        "parameters": sweep.stage_parameters(index),
        "replicates": stage_replicates(sweep, index),
        "sampler": {"name": "random", "seed": sweep.sampler.seed},  # nothing is proposed: all is enqueued
        "enqueue": [dict(result.condition) for result in kept],
        "trials": len(kept),
    }
    dropped = {"stages", "pruner", "warm_start"} | (set() if is_last else {"confirm", "promote"})
    if is_last and sweep.confirm is not None:
        confirmed = min(sweep.confirm.keep, len(kept))
        own["confirm"] = {"keep": confirmed, "seeds": list(sweep.confirm_seeds)}
    plain = {key: value for key, value in (plain | own).items() if key not in dropped}
    return from_resolved(plain), [result.number for result in kept]


def keep(results: Sequence[ConditionResult], n_kept: int, *, by: str, direction: str) -> list[ConditionResult]:
    """The best conditions by their mean, or by the worse end of the interval for it; best first.

    By the interval, one without an interval (a single replicate) comes after all that have one.
    """
    best = ranked(results, direction)
    if by == "interval":
        key, sign = ("ci_high", 1.0) if direction == "minimize" else ("ci_low", -1.0)
        ends = {r.number: r.summary.get(key) for r in best}
        best = sorted(best, key=lambda r: (ends[r.number] is None, sign * (ends[r.number] or 0.0)))
    return best[:n_kept]


def check_resume(sweep: Sweep, study: Study) -> None:
    """Refuse a stage that must go on from checkpoints with a study that cannot.

    Raises:
        SpecError: names the stage and the way out.
    """
    for index, stage in enumerate(sweep.stages):
        if index == 0 or stage.resume is not True:
            continue
        place = f"sweep {sweep.name}: stages.{index}.resume"
        if study.extends is None:
            raise SpecError(f"{place}: study '{study.name}' cannot go on from a shorter training; give resume: auto")
        if sweep.execution.population > 1:
            raise SpecError(f"{place}: needs replicates that train alone; give execution: {{population: 1}}")
        _, condition = next(sweep.search_space.probes(), ("", {}))
        old, new = (_config(study, sweep, i, condition) for i in (index - 1, index))
        if not study.extends(new, old):
            raise SpecError(
                f"{place}: to study '{study.name}' stage {index + 1} is no longer training of the same kind than "
                f"stage {index}, so it cannot go on from it; give resume: auto, or change its parameters"
            )


def state_to_start_from(context: SweepContext, trial: int, seed: int, config: BaseModel) -> Snapshot | None:
    """Where the stage before left a replicate; None where there is none, or this is not the same training."""
    earlier, study = context.earlier_stage, context.study
    if earlier is None or not isinstance(study, Study) or context.phase != "search":
        return None
    seeds = earlier.sweep.replicates.values
    if study.extends is None or seed not in seeds:
        return None
    condition = context.sweep.enqueue[trial]
    old = config_of(study, earlier.sweep, condition, seed)
    if not study.extends(config, old):
        return None
    part = f"{earlier.trials[trial]}-{seeds.index(seed)}"
    folder = checkpoint_folder(context.root, earlier.sweep, earlier.run_id, part)
    try:
        return Checkpoint(folder=folder).load(study.name, [old])
    except StudyError:
        return None  # of another config: the file of the stage before was changed by hand


def remove_states(root: Path, earlier: EarlierStage) -> None:
    """Remove what a stage left for the next one, when that is finished."""
    shutil.rmtree(checkpoints_of(root, earlier.sweep, earlier.run_id), ignore_errors=True)


def _config(study: Study, sweep: Sweep, index: int, condition: Mapping[str, Any]) -> BaseModel:
    stage = from_resolved(
        {key: v for key, v in resolved(sweep).items() if key != "stages"}
        | {"parameters": sweep.stage_parameters(index)}
    )
    return config_of(study, stage, condition, sweep.stage_seeds(index)[0])
