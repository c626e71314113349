"""A sweep of ours read back from MLflow alone: its conditions, replicates, curves, and where they come from.

Apart from reading strangers' runs: a sweep says by its tags what is a trial, a replicate, a seed, a phase.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rothamsted import tags, tracking
from rothamsted.analysis.curves import BOOKKEEPING, default_curves, read_series
from rothamsted.analysis.find import find_sweep
from rothamsted.analysis.objectives import objective_of
from rothamsted.analysis.read_promotions import read_promotions
from rothamsted.analysis.typed import factors_of, label, typed, typed_in
from rothamsted.analysis.values import Condition, Dataset, Objective, Phase, Replicate, Series
from rothamsted.errors import StoreError
from rothamsted.records import Outcome, RunStatus
from rothamsted.spec import Sweep, from_resolved
from rothamsted.spec.comment import opening_comment
from rothamsted.tracking import FoundRun

_DROPPED = re.compile(r"dropped after (\d+)")
_PROVENANCE = {
    "mlflow.source.git.commit": "git commit",
    "rothamsted.git_dirty": "uncommitted changes",
    "rothamsted.data_digest": "data digest",
    "rothamsted.host": "host",
    "mlflow.user": "user",
    "mlflow.source.name": "command",
}


@dataclass(frozen=True, kw_only=True)
class SweepRuns:
    """The runs of one sweep, sorted by what they are."""

    sweep: Sweep
    run: FoundRun
    trials: Mapping[str, FoundRun]  # run id -> run of a trial, which may be its only replicate
    replicates: Sequence[FoundRun]  # the last sitting of each
    question: str
    mark: str  # where the sweep's name was not enough


def read_sweep(
    reference: str,
    *,
    uri: str,
    objective: Objective | None = None,
    curves: Collection[str] | None = None,
) -> Dataset:
    """Return the dataset of a sweep, as it stands.

    Args:
        reference: Name of the sweep, or id of its run.
        uri: Tracking URI.
        objective: Another one than the sweep's own.
        curves: Metrics to read with their curves; None for the objective's, its partner's and the learning rate's.

    Raises:
        StoreError: No such sweep, no such metric, or a record that cannot be read.
    """
    found = read_sweep_runs(reference, uri=uri)
    known = sorted({name for run in found.replicates for name in run.metrics})
    wanted = objective or Objective(**found.sweep.objective.model_dump(include={"metric", "direction", "reduce"}))
    check_metrics([wanted.metric, *(curves or [])], known, f"sweep {found.sweep.name}")
    names = list(dict.fromkeys([wanted.metric, *(curves or default_curves(wanted.metric, known))]))
    starts = {run.run_id: run.start_ms for run in found.replicates}
    series = read_series(starts, [name for name in names if name in known], uri=uri)
    conditions, number_of = _conditions(found)
    replicates = [
        _replicate(run, number_of, series[run.run_id], wanted, is_own=objective is None) for run in found.replicates
    ]
    domains = found.sweep.space
    return Dataset(
        name=found.sweep.name,
        kind="sweep",
        objective=wanted,
        factors=tuple(factors_of(conditions, domains)),
        conditions=tuple(conditions),
        replicates=tuple(sorted(replicates, key=lambda r: (r.condition, r.phase == "confirm", _seed_order(r.seed)))),
        question=found.question,
        run_id=found.run.run_id,
        experiment_id=found.run.experiment_id,
        design=_design(found.sweep),
        provenance={name: found.run.tags[tag] for tag, name in _PROVENANCE.items() if tag in found.run.tags},
        how_to_reproduce=_how_to_reproduce(found),
        is_complete=_is_complete(found),
        marks=tuple(mark for mark in (found.mark, _progress_mark(found), _race_mark(conditions)) if mark),
        promotions=read_promotions(found.run.run_id, uri=uri),
    )


def read_sweep_runs(reference: str, *, uri: str) -> SweepRuns:
    """Return the runs of a sweep with its resolved file."""
    run, mark = find_sweep(reference, uri=uri)
    text = tracking.read_text(run.run_id, "sweep/resolved.json", uri=uri)
    if text is None:
        raise StoreError(
            f"sweep {reference}: its run {run.run_id} has no artifact sweep/resolved.json; was it deleted?"
        )
    sweep = from_resolved(json.loads(text))
    below = tracking.find_runs([run.experiment_id], {tags.SWEEP: sweep.name}, uri=uri)
    trials = {
        one.run_id: one
        for one in below
        if one.tags.get(tags.ROLE) == "trial" and one.tags.get("mlflow.parentRunId") == run.run_id
    }
    alone = [trial for trial in trials.values() if tags.REPLICATE in trial.tags]
    nested = [one for one in below if one.tags.get("mlflow.parentRunId") in trials and tags.REPLICATE in one.tags]
    files = [path for path in tracking.list_files(run.run_id, "sweep", uri=uri) if path.endswith((".yaml", ".yml"))]
    source = tracking.read_text(run.run_id, files[0], uri=uri) if files else None
    return SweepRuns(
        sweep=sweep,
        run=run,
        trials=trials,
        replicates=_last_sittings([*alone, *nested]),
        question=opening_comment(source or ""),
        mark=mark,
    )


def check_metrics(wanted: Collection[str], known: Collection[str], place: str) -> None:
    """Refuse a metric that no replicate has logged.

    Raises:
        StoreError: with the metrics that exist; nothing is refused where there is none at all.
    """
    results = sorted(set(known) - BOOKKEEPING)
    for name in wanted:
        if known and name not in known:
            raise StoreError(f"{place}: no replicate has the metric '{name}'; logged: {', '.join(results)}")


def _last_sittings(runs: Sequence[FoundRun]) -> list[FoundRun]:
    """One run a replicate: of several attempts the one with a result, else the last."""
    chosen: dict[tuple[str, str, str], FoundRun] = {}
    for run in sorted(runs, key=lambda run: run.start_ms):
        parent = run.tags["mlflow.parentRunId"] if run.tags[tags.ROLE] != "trial" else run.run_id
        place = (run.tags.get(tags.PHASE, "search"), parent, run.tags[tags.REPLICATE])
        before = chosen.get(place)
        if before is None or before.tags.get(tags.OUTCOME) not in (Outcome.FINISHED, Outcome.DIVERGED):
            chosen[place] = run
    return list(chosen.values())


def _conditions(found: SweepRuns) -> tuple[list[Condition], dict[str, int]]:
    """The conditions, and for each trial's run the number of its condition.

    A trial that confirms has its own run and number: it belongs to the condition with the same values.
    """
    conditions: dict[int, Condition] = {}
    number_of: dict[str, int] = {}
    by_values: dict[str, int] = {}
    trials = sorted(found.trials.values(), key=lambda t: (t.tags.get(tags.PHASE) == "confirm", int(t.tags[tags.TRIAL])))
    for trial in trials:
        values = {
            name: typed_in(trial.params[name], domain)
            for name, domain in found.sweep.space.items()
            if name in trial.params
        }
        key = json.dumps(values, sort_keys=True, default=str)
        number = int(trial.tags[tags.TRIAL])
        if trial.tags.get(tags.PHASE) == "confirm":
            number = by_values.get(key, number)
        by_values.setdefault(key, number)
        number_of[trial.run_id] = number
        if number not in conditions:
            conditions[number] = _condition(number, values, trial)
    return [conditions[number] for number in sorted(conditions)], number_of


def _replicate(
    run: FoundRun,
    number_of: Mapping[str, int],
    series: Mapping[str, Series],
    objective: Objective,
    *,
    is_own: bool,
) -> Replicate:
    trial = run.run_id if run.run_id in number_of else run.tags["mlflow.parentRunId"]
    outcome = _outcome(run)
    value = math.nan
    if outcome == Outcome.FINISHED:
        own = run.metrics.get("objective") if is_own else None
        value = own if own is not None else objective_of(series.get(objective.metric), objective)
    phase: Phase = "confirm" if run.tags.get(tags.PHASE) == "confirm" else "search"
    return Replicate(
        run_id=run.run_id,
        condition=number_of[trial],
        seed=run.tags.get(tags.SEED, ""),
        outcome=outcome,
        objective=value,
        seconds=math.nan if run.end_ms is None else (run.end_ms - run.start_ms) / 1000.0,
        phase=phase,
        reason=run.tags.get(tags.REASON, ""),
        metrics={name: number for name, number in run.metrics.items() if name not in BOOKKEEPING},
        series=series,
        started_ms=run.start_ms,
    )


def _outcome(run: FoundRun) -> str:
    known = run.tags.get(tags.OUTCOME)
    if run.status == RunStatus.RUNNING or known is None:
        return "running" if run.status == RunStatus.RUNNING else Outcome.INTERRUPTED.value
    return known


def _design(sweep: Sweep) -> dict[str, str]:
    seeds = sweep.replicates.values
    shown = ", ".join(map(str, seeds)) if len(seeds) <= 12 else f"{seeds[0]} ... {seeds[-1]} ({len(seeds)})"
    design = {
        "study": sweep.study,
        "sampler": f"{sweep.sampler.name}, seed {sweep.sampler.seed}",
        "replicates": f"{len(seeds)} a condition, the same seeds in each: {shown}",
    }
    for name, value in sweep.parameters.items():
        design[f"fixed: {name}"] = str(value)
    return design


def _how_to_reproduce(found: SweepRuns) -> tuple[str, ...]:
    command = found.run.tags.get("mlflow.source.name", "")
    commit = found.run.tags.get("mlflow.source.git.commit")
    lines = [f"git checkout {commit}"] if commit else []
    project = "mlflow run . -e sweep -P config=FILE"
    return (
        *lines,
        f"{project}    # FILE: artifact sweep/ of run {found.run.run_id}",
        f"# it was started as: {command}",
    )


def _is_complete(found: SweepRuns) -> bool:
    """Finished, or nothing left to do although MLflow's outer run is still open around the sweep."""
    return found.run.status == RunStatus.FINISHED or _n_ended(found) >= found.sweep.n_trials


def _n_ended(found: SweepRuns) -> int:
    searched = [trial for trial in found.trials.values() if trial.tags.get(tags.PHASE) != "confirm"]
    return sum(trial.status in (RunStatus.FINISHED, RunStatus.FAILED) for trial in searched)


def _progress_mark(found: SweepRuns) -> str:
    if _is_complete(found):
        return ""
    state = "still running" if found.run.status == RunStatus.RUNNING else f"not finished ({found.run.status})"
    ended = f"{_n_ended(found)} of {found.sweep.n_trials} conditions have ended"
    return f"This sweep is {state}: {ended}; analysed as it stands."


def _condition(number: int, values: Mapping[str, Any], trial: FoundRun) -> Condition:
    race = trial.tags.get(tags.RACE, "")
    dropped = _DROPPED.fullmatch(race)
    return Condition(
        number=number,
        values=values,
        label=label(values),
        run_id=trial.run_id,
        race=race,
        dropped_after=int(dropped[1]) if dropped else 0,
    )


def _race_mark(conditions: Sequence[Condition]) -> str:
    """How many conditions a race gave up early."""
    n_raced, n_dropped = sum(bool(c.race) for c in conditions), sum(c.dropped_after > 0 for c in conditions)
    if not n_dropped:
        return ""
    return f"The race dropped {n_dropped} of {n_raced} conditions early: they have fewer replicates, and rank last."


def _seed_order(seed: str) -> tuple[int, float, str]:
    number = typed(seed)
    return (0, float(number), "") if isinstance(number, int | float) else (1, 0.0, seed)
