"""Print the plan of a sweep before it runs, with its time measured on one replicate: `rothamsted check`.

Nothing is created in any database.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from rothamsted.analysis.parent_words import parent_marks, parent_words
from rothamsted.analysis.replicates_words import apart_words, replicates_words, units_words
from rothamsted.analysis.sweep_record import exhausted_text
from rothamsted.catalog import SAMPLERS
from rothamsted.foreign.command_line import CommandLine
from rothamsted.search.storage_url import parsed_url
from rothamsted.space import domain_words, unplaced
from rothamsted.space.values import listed
from rothamsted.spec import Plan, Sweep, n_workers, plan
from rothamsted.spec.schema import Objective
from rothamsted.statistics.centres import MEAN, words_of
from rothamsted.studies import Study
from rothamsted.studies.function.printed import hidden
from rothamsted.studies.repeated import repeat
from rothamsted.sweeping.foreign_study import ForeignStudy, warnings_of
from rothamsted.sweeping.open.asked import ask_target
from rothamsted.sweeping.open.estimate import MOST_SECONDS, middle_of, tried
from rothamsted.sweeping.open.warm_start import known_from
from rothamsted.tracking.address import check_address, tracking_uri
from rothamsted.wording import plain_count


def print_plan(sweep: Sweep, study: Study | ForeignStudy, *, console: Console, is_timed: bool = True) -> None:
    """Validate a sweep against its study and data, then print conditions, replicates, runs and time.

    Raises:
        UserError: as `open_sweep`. Of databases only the addresses are checked.
    """
    check_address(tracking_uri())
    parsed_url(sweep.storage)
    digest, _ = ask_target(sweep, study)
    size = plan(sweep)
    rows = {
        "sweep": f"{sweep.name} ({_target(study)})",
        "objective": ", ".join(f"{o.direction} {_score(o)}" for o in sweep.objectives),
        **({"constraints": ", ".join(sweep.constraints)} if sweep.constraints else {}),
        "sampler": f"{sweep.sampler.name}, seed {sweep.sampler.seed}",
        **_stopping(sweep),
        **_beginning(sweep),
        **({"parameters": parent_words(sweep)} if parent_words(sweep) else {}),
        **_space(sweep),
        "conditions": exhausted_text(sweep) if sweep.is_exhausting else str(size.n_conditions),
        **_task(sweep),
        "replicates": _replicates(sweep, size),
        **_stages(sweep, size),
        **_confirmation(sweep, size),
        **_models(sweep),
        "MLflow runs": _runs(sweep, size),
        "workers": str(n_workers(sweep)),
        "data": f"sha256 {digest[:12]}…" if digest else "no digest is given",
    }
    warnings = [*parent_marks(sweep), *_unplaced(sweep, study), *warnings_of(sweep, study)]
    if is_timed:
        with hidden():
            seen = tried(sweep, study, size)
        rows["estimated time"] = seen.time
        warnings += seen.warnings
        if isinstance(study, Study) and study.function is not None:
            with hidden():
                again = repeat(study, middle_of(sweep, study), timeout_seconds=MOST_SECONDS)
            rows["repeated"] = "not the same: see below" if again.differs else f"the same bits ({again.how})"
            warnings += (again.differs,) if again.differs else ()
    width = max(16, *(len(key) + 2 for key in rows))
    for key, value in rows.items():
        console.print(f"{key + ':':<{width}}{value}", markup=False, highlight=False, soft_wrap=True)
    for line in warnings:
        console.print(f"warning: {line}", markup=False, highlight=False, soft_wrap=True)
    console.print("the sweep file is valid", highlight=False)


def _target(study: Study | ForeignStudy) -> str:
    if isinstance(study, Study):
        return f"study {study.name}"
    project = study.project
    if isinstance(project, CommandLine):
        return f"command {project.command.text}"
    commit = f", commit {project.commit[:12]}" if project.commit else ""
    return f"entry point {project.entry_point} of project {project.uri}{commit}"


def _score(objective: Objective) -> str:
    over = "" if objective.over == MEAN else f", {words_of(objective.over)} over seeds"
    return f"{objective.metric}{'' if objective.expression is None else f' = {objective.expression}'}{over}"


def _stopping(sweep: Sweep) -> dict[str, str]:
    """What ends training before its end."""
    rows: dict[str, str] = {}
    if sweep.pruner is not None:
        rows["pruner"] = _pruner(sweep.pruner.plain)
    if sweep.early_stopping is not None and sweep.stopping is not None:
        early, (metric, direction) = sweep.early_stopping, sweep.stopping
        better = f" by more than {early.min_delta:g}" if early.min_delta else ""
        end = f"when {metric} ({direction}) has not improved{better} for {plain_count(early.patience, 'measurement')}"
        rows["early stopping"] = end
    return rows


def _pruner(plain: Mapping[str, Any]) -> str:
    options = [
        f"{key} ({_pruner(value)})"
        if isinstance(value, Mapping)
        else f"{key} {value if isinstance(value, str) else format(value, 'g')}"
        for key, value in plain.items()
        if key != "name"
    ]
    return ", ".join([str(plain["name"]), *options])


def _beginning(sweep: Sweep) -> dict[str, str]:
    """What the sampler starts from.

    Raises:
        StoreError: the earlier sweep cannot be started from.
    """
    rows = {"enqueued": f"{len(sweep.enqueue)}, tried first"} if sweep.enqueue else {}
    known = known_from(sweep)
    if known is not None and sweep.warm_start is not None:
        rows["warm start"] = f"from {plain_count(len(known), 'condition')} of sweep {sweep.warm_start.sweep}"
    return rows


def _space(sweep: Sweep) -> dict[str, str]:
    """Each domain, with its kind and how many values it has."""
    is_cut = SAMPLERS[sweep.sampler.name].needs_finite_space
    return {f"space.{name}": domain_words(domain, is_cut=is_cut) for name, domain in sweep.space.items()}


def _unplaced(sweep: Sweep, study: Study | ForeignStudy) -> list[str]:
    """Points that a range of whole numbers has no place for."""
    knows_kind = isinstance(study, Study)
    lines = [unplaced(name, domain, knows_kind=knows_kind) for name, domain in sweep.space.items()]
    return [line for line in lines if line]


def _task(sweep: Sweep) -> dict[str, str]:
    """Which factor is the task, and how scores of different tasks are put together."""
    if sweep.task is None:
        return {}
    scale = {"range": "the range of the conditions' means", "none": "none, scores stay as they are"}
    given = scale.get(sweep.task.scale, "as given") if isinstance(sweep.task.scale, str) else "as given"
    return {"task": f"{sweep.task.factor}: conditions are compared over its values; scale of each: {given}"}


def _stages(sweep: Sweep, size: Plan) -> dict[str, str]:
    """What follows the first stage."""
    if not sweep.stages:
        return {}
    kept = ", then ".join(f"the best {min(stage.keep or 0, size.n_conditions)}" for stage in sweep.stages[1:])
    return {"later stages": f"{plain_count(size.n_stage_trainings, 'more replicate')} ({kept})"}


def _replicates(sweep: Sweep, size: Plan) -> str:
    seeds, racing = sweep.replicates.values, sweep.replicates.racing
    if sweep.replicates.crossed:
        return f"{size.n_trainings} ({replicates_words(sweep, seeds)}; {apart_words(sweep.replicates.crossed)})"
    if racing is None and sweep.replicates.vary is not None:
        return f"{size.n_trainings} (each condition on {units_words(sweep.varied, len(seeds))}: {listed(seeds)})"
    if racing is None:
        return f"{size.n_trainings} ({len(seeds)} a condition, seeds {listed(seeds)})"
    narrow = f", until an interval is narrower than {racing.narrower_than:g}" if racing.narrower_than else ""
    return (
        f"{size.n_trainings} to {size.n_trainings_most} (a race: {racing.min} to {racing.max} a condition, "
        f"{racing.step} a round, seeds {seeds[0]} to {seeds[-1]}{narrow})"
    )


def _confirmation(sweep: Sweep, size: Plan) -> dict[str, str]:
    if sweep.confirm is None:
        return {}
    which = "the best condition" if size.n_confirmed == 1 else f"each of the best {size.n_confirmed} conditions"
    return {"confirmation": f"{size.n_confirm_trainings} more ({which} with fresh seeds {listed(sweep.confirm_seeds)})"}


def _models(sweep: Sweep) -> dict[str, str]:
    """Whose trained models will be logged; nothing where nobody's are."""
    confirmed = ["every confirmed replicate"] if sweep.confirm is not None else []
    search = {"all": ["every replicate of the search"], "best": ["each condition that is the best when it ends"]}
    has_none = sweep.models == "none" or sweep.is_foreign
    whose = [] if has_none else [*search.get(sweep.models or "", []), *confirmed]
    return {"models": f"of {' and of '.join(whose)}"} if whose else {}


def _runs(sweep: Sweep, size: Plan) -> str:
    n_most = "" if size.n_runs == size.n_runs_most else f" to {size.n_runs_most}"
    parts = ["1 sweep", plain_count(size.n_conditions, "trial")]
    if len(sweep.replicates.values) > 1:
        to = "" if size.n_trainings == size.n_trainings_most else f" to {size.n_trainings_most}"
        parts.append(f"{size.n_trainings}{to} replicates")
    if size.n_stage_runs:
        parts.append(f"{size.n_stage_runs} of later stages")
    if size.n_confirmed:
        parts.append(f"{size.n_confirmed} confirmed with {size.n_confirm_trainings} replicates")
    return f"{size.n_runs}{n_most} ({', '.join(parts)})"
