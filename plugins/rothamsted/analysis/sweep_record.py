"""Read the record of a sweep beside its numbers: design, provenance, stages, progress.

Tables and pages show these words as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rothamsted import tags, tracking
from rothamsted.analysis.commands import fetch_line, is_entry_point, name_beside, project_of, resolved_path, run_line
from rothamsted.analysis.parent_words import parent_words
from rothamsted.analysis.progress_words import SO_FAR, ended_words
from rothamsted.analysis.replicates_words import replicates_words
from rothamsted.analysis.sweep_runs import SweepRuns
from rothamsted.catalog import SAMPLERS
from rothamsted.records import Outcome, RunStatus
from rothamsted.spec import Sweep
from rothamsted.tracking import FoundRun

_PROVENANCE = {
    "mlflow.source.git.commit": "git commit",
    "rothamsted.git_dirty": "uncommitted changes",
    "rothamsted.project": "project",
    "rothamsted.command": "trained command",
    "rothamsted.project_commit": "project's git commit",
    "rothamsted.data_digest": "data digest",
    "rothamsted.host": "host",
    "mlflow.user": "user",
    "mlflow.source.name": "command",
}
_STAGE_NAME = re.compile(r"(.+)\.stage(\d+)")


def design_of(sweep: Sweep) -> dict[str, str]:
    """Say what was searched and how. For a sweep with stages it is the first stage, of which its own runs are."""
    seeds = sweep.stage_seeds(0)
    design = {
        **_target(sweep),
        "sampler": f"{sweep.sampler.name}, seed {sweep.sampler.seed}",
        **({"conditions": exhausted_text(sweep)} if sweep.is_exhausting else {}),
        **({"pruner": _settings(sweep.pruner.plain)} if sweep.pruner is not None else {}),
        **({"early stopping": _early(sweep)} if sweep.early_stopping is not None else {}),
        **({"constraints": "; ".join(sweep.constraints)} if sweep.constraints else {}),
        "replicates": replicates_words(sweep, seeds),
    }
    if sweep.confirm is not None:
        n_best = min(sweep.confirm.keep, sweep.n_trials)
        design["confirmation"] = f"the best {n_best} again, on {len(sweep.confirm_seeds)} fresh seeds each"
    if words := parent_words(sweep):
        design["parameters from"] = words
    if sweep.stages:
        design["stages"] = f"{len(sweep.stages)}; these are the runs of the first"
    for name, value in sweep.stage_parameters(0).items():
        design[f"fixed: {name}"] = str(value)
    return design


def exhausted_text(sweep: Sweep) -> str:
    """Say how many conditions a space has, if the file asks for more: the search ends when all are done."""
    return f"all {sweep.n_trials} of the space, which has no more (trials: {sweep.trials})"


def looked_by(sweep: Sweep) -> tuple[str, ...]:
    """Return the parts of a sweep's search that looked at results, in their order; see `dependence`."""
    is_later = _STAGE_NAME.fullmatch(sweep.name) is not None
    sampler = sweep.sampler.name
    return (
        *(["stages"] if is_later else []),
        *([sampler] if not is_later and SAMPLERS[sampler].adaptive else []),
        *(["pruning"] if sweep.pruner is not None else []),
        *(["racing"] if sweep.replicates.racing is not None else []),
    )


def _target(sweep: Sweep) -> dict[str, str]:
    """What is trained: a study of ours, an entry point of a stranger's project, or a command."""
    if sweep.study is not None:
        return {"study": sweep.study}
    version = {"version": sweep.version} if sweep.version else {}
    seed = {"seed parameter": sweep.seed_parameter or "none: all replicates run the same command"}
    if sweep.command is not None:
        return {"command": sweep.command, **seed}
    return {"project": str(sweep.project), "entry point": sweep.entry_point or "main", **version, **seed}


def _settings(plain: Mapping[str, Any]) -> str:
    """Name and options in a line: "median, n_warmup_steps 5"."""
    shown = [f"{key} {value}" for key, value in plain.items() if key not in ("name", "wrapped")]
    wrapped = [f"of {_settings(plain['wrapped'])}"] if isinstance(plain.get("wrapped"), Mapping) else []
    return ", ".join([str(plain["name"]), *wrapped, *shown])


def _early(sweep: Sweep) -> str:
    metric, direction = sweep.stopping or ("", "")
    early = sweep.early_stopping
    patience = f"after {early.patience} measurements without improvement" if early else ""
    return f"{metric} ({direction}), {patience}" + (f" of more than {early.min_delta:g}" if early else "")


def provenance_of(run: FoundRun) -> dict[str, str]:
    """Return the provenance of the numbers, as far as the sweep's run has it."""
    return {name: run.tags[tag] for tag, name in _PROVENANCE.items() if tag in run.tags}


def stages_of(run: FoundRun, *, uri: str) -> dict[str, str]:
    """Return the stages before and after a sweep, each with its name and run; empty without stages."""
    name, first_id = run.tags.get(tags.SWEEP, ""), run.tags.get(tags.STAGE_OF, run.run_id)
    found = _STAGE_NAME.fullmatch(name) if tags.STAGE_OF in run.tags else None
    base, number = (found[1], int(found[2])) if found else (name, 1)
    later = tracking.find_runs([run.experiment_id], {tags.ROLE: "sweep", tags.STAGE_OF: first_id}, uri=uri)
    run_ids = {base: first_id} | {one.tags.get(tags.SWEEP, ""): one.run_id for one in later}
    before = "" if number == 1 else base if number == 2 else f"{base}.stage{number - 1}"
    after = run.tags.get(tags.NEXT_SWEEP, f"{base}.stage{number + 1}")
    shown = {"stage before": before, "next stage": after}
    return {word: f"{other}, run {run_ids[other]}" for word, other in shown.items() if other in run_ids}


def stage_mark(stages: dict[str, str]) -> str:
    """Say which sweep goes on with the best conditions of this one."""
    if "next stage" not in stages:
        return ""
    return f"The best conditions of this sweep were trained again in the next stage, sweep {stages['next stage']}."


def how_to_reproduce(found: SweepRuns) -> tuple[str, ...]:
    """Return command lines that make such runs again, from the resolved file, under another name.

    Run them in the project's folder, with MLflow's tracking store set as for the sweep.
    """
    commit = found.run.tags.get("mlflow.source.git.commit")
    again = {"config": resolved_path(found.sweep.name), "name": name_beside(found.sweep.name, "again")}
    is_dirty = found.run.tags.get("rothamsted.git_dirty") == "true"
    project = project_of(found.run.tags.get(tags.STARTED, ""), commit or "")
    return (
        *(["# The code had changes that were not committed: the commit alone may give other numbers."] * is_dirty),
        *([f"# The file has the values that were taken: {words}."] if (words := parent_words(found.sweep)) else []),
        *([f"git checkout {commit}"] if commit and project == "." else []),
        fetch_line(found.sweep.name, found.run.run_id),
        run_line("sweep", again, is_in_project=is_entry_point(found.sweep.study), project=project),
    )


def is_complete(found: SweepRuns) -> bool:
    """Return whether a sweep finished, or has nothing left to do although MLflow's outer run is still open."""
    return found.run.status == RunStatus.FINISHED or _n_ended(found) >= found.sweep.n_trials


def _n_ended(found: SweepRuns) -> int:
    return sum(_has_ended(trial) for trial in found.trials.values() if trial.tags.get(tags.PHASE) != "confirm")


def _has_ended(trial: FoundRun) -> bool:
    """Whether nothing is left to do: a pruned trial's run is KILLED for good, an interrupted one's is not."""
    is_pruned = trial.tags.get(tags.OUTCOME) == Outcome.PRUNED and trial.status == RunStatus.KILLED
    return is_pruned or trial.status in (RunStatus.FINISHED, RunStatus.FAILED)


def progress_mark(found: SweepRuns) -> str:
    """Say how far an incomplete sweep is; empty for a complete one."""
    if is_complete(found):
        return ""
    state = "still running" if found.run.status == RunStatus.RUNNING else f"not finished ({found.run.status})"
    return f"This sweep is {state}: {ended_words(_n_ended(found), found.sweep.n_trials)}; {SO_FAR}."
