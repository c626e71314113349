"""Read a sweep from MLflow only: its conditions, replicates, curves and provenance.

The tags of a sweep's runs say what is a trial, a replicate, a seed, a phase.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rothamsted import tags
from rothamsted.analysis.conditions import in_order, make_condition, values_key
from rothamsted.analysis.constraints import violations
from rothamsted.analysis.curves import default_curves, read_series
from rothamsted.analysis.equal_conditions import counted_once
from rothamsted.analysis.growth_words import growth_marks
from rothamsted.analysis.json_tags import json_tag
from rothamsted.analysis.logged import BOOKKEEPING, check_metrics
from rothamsted.analysis.objectives import OBJECTIVE, not_finite, objective_key, objective_of
from rothamsted.analysis.parent_words import parent_marks
from rothamsted.analysis.race_words import race_mark
from rothamsted.analysis.read_promotions import read_promotions
from rothamsted.analysis.scored import score_of, with_score
from rothamsted.analysis.sweep_record import (
    design_of,
    how_to_reproduce,
    is_complete,
    looked_by,
    progress_mark,
    provenance_of,
    stage_mark,
    stages_of,
)
from rothamsted.analysis.sweep_runs import SweepRuns, read_sweep_runs
from rothamsted.analysis.typed import factors_of, typed_in
from rothamsted.analysis.values import Condition, Dataset, Phase, Replicate, Series
from rothamsted.expression import Expression
from rothamsted.metric import declared
from rothamsted.records import Outcome, RunStatus
from rothamsted.space import own_values
from rothamsted.spec import Objective, Sweep
from rothamsted.tracking import FoundRun

__all__ = ["SweepRuns", "read_sweep", "read_sweep_runs", "values_of_trial"]

_ENDED = (Outcome.FINISHED, Outcome.DIVERGED, Outcome.FAILED)


def read_sweep(
    reference: str,
    *,
    uri: str,
    objective: Objective | None = None,
    curves: Collection[str] | None = None,
    is_direction_guessed: bool = False,
    has_samples: bool = False,
) -> Dataset:
    """Return the dataset of a sweep, complete or not.

    Args:
        reference: Name of the sweep, or id of its run.
        uri: Tracking URI.
        objective: An objective to use instead of the sweep's own; its metric may be arithmetic on metrics, see
            `score_of`.
        is_direction_guessed: Whether a direction that the study declares wins over the objective's.
        curves: Metrics to read with their curves; None for the objective's, its partner's and the learning rate's.
        has_samples: Whether the samples seen at each step are read too.

    Raises:
        StoreError: There is no such sweep or metric, or the record cannot be read.
    """
    found = read_sweep_runs(reference, uri=uri)
    known = sorted({name for run in found.replicates for name in run.metrics})
    place = f"sweep {found.sweep.name}"
    score = _score(objective, found.sweep, known, place, is_direction_guessed=is_direction_guessed)
    if score is not None:  # read as the sweep has it, with the curves that the score is made of
        objective, curves = None, list(dict.fromkeys([*Expression(score.expression or "").names, *(curves or [])]))
    objectives = _objectives(found, objective, is_direction_guessed=is_direction_guessed)
    wanted = objectives[0]
    check_metrics([*([wanted.metric] if objective is not None else []), *(curves or [])], known, place)
    names = list(dict.fromkeys([*(o.metric for o in objectives), *(curves or default_curves(wanted.metric, known))]))
    starts = {run.run_id: run.start_ms for run in found.replicates}
    series = read_series(starts, [name for name in names if name in known], uri=uri, has_samples=has_samples)
    conditions, number_of = _conditions(found)
    is_own, is_foreign = objective is None, found.sweep.is_foreign
    replicates = [
        _replicate(run, number_of, series[run.run_id], objectives, is_own=is_own, is_foreign=is_foreign)
        for run in found.replicates
    ]
    replicates = [replace(one, varied=_varied(one, found.sweep)) for one in replicates]
    once = counted_once(conditions, replicates, found.sweep.space)
    stages = stages_of(found.run, uri=uri)
    marks = (
        found.mark,
        progress_mark(found),
        stage_mark(stages),
        race_mark(once.conditions, level=found.sweep.statistics.level),
        *once.marks,
        *growth_marks(found.growths),
        *parent_marks(found.sweep),
        _never_mark(wanted, known),
    )
    dataset = Dataset(
        name=found.sweep.name,
        kind="sweep",
        objective=wanted,
        factors=tuple(factors_of(once.conditions, found.sweep.space)),
        conditions=once.conditions,
        replicates=in_order(once.replicates),
        question=found.question,
        run_id=found.run.run_id,
        experiment_id=found.run.experiment_id,
        fixed=found.sweep.stage_parameters(0),
        design=design_of(found.sweep),
        looked_by=looked_by(found.sweep),
        sampler=found.sweep.sampler.name,
        task=found.sweep.task,
        provenance={**provenance_of(found.run), **stages},
        how_to_reproduce=how_to_reproduce(found),
        is_complete=is_complete(found),
        marks=tuple(mark for mark in marks if mark),
        promotions=read_promotions(found.run.run_id, uri=uri),
        others=tuple(objectives[1:]),
        statistics=found.sweep.statistics,
        metrics=found.metrics,
        unconfirmed=frozenset(once.number(one) for one in _unconfirmed(found, replicates, number_of)),
        varied=found.sweep.varied,
        crossed=found.sweep.replicates.crossed,
        n_repeated=len(once.moved),
        started=found.run.tags.get(tags.STARTED, ""),
    )
    return dataset if score is None else with_score(dataset, score)


def _score(
    objective: Objective | None, sweep: Sweep, known: Collection[str], place: str, *, is_direction_guessed: bool
) -> Objective | None:
    """Another composite score than the sweep's own, where one is asked for."""
    if objective is None:
        return None
    own = next((one for one in sweep.objectives if one.expression == objective.metric), None)
    if own is not None and is_direction_guessed:
        objective, is_direction_guessed = objective.model_copy(update={"direction": own.direction}), False
    return score_of(objective, known, place, is_direction_guessed=is_direction_guessed)


def _objectives(found: SweepRuns, objective: Objective | None, *, is_direction_guessed: bool) -> list[Objective]:
    """The sweep's own objectives, or the one that is asked for in their place, in the direction that is declared."""
    if objective is None:
        return list(found.sweep.objectives)
    said = declared(found.metrics, objective.metric).direction if is_direction_guessed else None
    return [objective.model_copy(update={"direction": said or objective.direction})]


def _varied(replicate: Replicate, sweep: Sweep) -> dict[str, int]:
    """What a replicate set; nothing of one whose seed is not on record."""
    return sweep.varied_by(int(replicate.seed)) if replicate.seed.isdecimal() else {}


def _unconfirmed(found: SweepRuns, replicates: Sequence[Replicate], number_of: Mapping[str, int]) -> frozenset[int]:
    """The conditions whose confirmation has begun but still lacks replicates."""
    begun = {number_of[t.run_id] for t in found.trials.values() if t.tags.get(tags.PHASE) == "confirm"}
    n_ended = Counter(r.condition for r in replicates if r.phase == "confirm" and r.outcome in _ENDED)
    return frozenset(number for number in begun if n_ended[number] < len(found.sweep.confirm_seeds))


def _never_mark(wanted: Objective, known: Collection[str]) -> str:
    """Why no replicate of the sweep's own objective has a score, where it was never logged."""
    if not known or wanted.metric in known or OBJECTIVE in known:
        return ""
    logged = ", ".join(sorted(set(known) - BOOKKEEPING)) or "nothing but bookkeeping"
    return f"No replicate has logged {wanted.metric}; logged: {logged}."


def _conditions(found: SweepRuns) -> tuple[list[Condition], dict[str, int]]:
    """The conditions, and for each trial's run the number of its condition.

    A trial that confirms has a run of its own and the number of its condition.
    """
    conditions: dict[int, Condition] = {}
    number_of: dict[str, int] = {}
    last = _last_values(found)
    by_values: dict[Hashable, int] = {}
    trials = sorted(found.trials.values(), key=lambda t: (t.tags.get(tags.PHASE) == "confirm", int(t.tags[tags.TRIAL])))
    for trial in trials:
        values, number = values_of_trial(trial, found.sweep), int(trial.tags[tags.TRIAL])
        key = values_key(values)
        if trial.tags.get(tags.PHASE) == "confirm":
            is_known = number in conditions and values_key(conditions[number].values) == key
            number = number if is_known else by_values.get(key, number)
            if number in conditions:
                conditions[number] = replace(conditions[number], confirm_run_id=trial.run_id)
        by_values.setdefault(key, number)
        number_of[trial.run_id] = number
        if number not in conditions:
            broken = violations(found.sweep.constraints, last.get(trial.run_id, []))
            conditions[number] = _condition(number, values, trial, broken)
    return list(conditions.values()), number_of


def values_of_trial(trial: FoundRun, sweep: Sweep) -> dict[str, Any]:
    """Return the values of a trial's condition: from its tag if its params are ambiguous, else from its params."""
    if tags.CONDITION in trial.tags:
        told = json_tag(trial, tags.CONDITION)
        return own_values({name: told[name] for name in sweep.space if name in told}, sweep.space)
    known = {name: domain for name, domain in sweep.space.items() if name in trial.params}
    return {name: typed_in(trial.params[name], domain) for name, domain in known.items()}


def _last_values(found: SweepRuns) -> dict[str, list[Mapping[str, float]]]:
    """The last value of every metric of the search's finished replicates, by the run of their trial."""
    last: dict[str, list[Mapping[str, float]]] = {}
    for run in found.replicates:
        if _outcome(run) == Outcome.FINISHED and run.tags.get(tags.PHASE) != "confirm":
            trial = run.run_id if run.run_id in found.trials else run.tags["mlflow.parentRunId"]
            last.setdefault(trial, []).append(run.metrics)
    return last


def _replicate(
    run: FoundRun,
    number_of: Mapping[str, int],
    series: Mapping[str, Series],
    objectives: Sequence[Objective],
    *,
    is_own: bool,
    is_foreign: bool,
) -> Replicate:
    trial = run.run_id if run.run_id in number_of else run.tags["mlflow.parentRunId"]
    outcome, why = _outcome(run), ""
    scores = [math.nan]
    if outcome == Outcome.FINISHED:
        told = [run.metrics.get(objective_key(i, o.metric)) if is_own else None for i, o in enumerate(objectives)]
        curves = [objective_of(series.get(o.metric), o, counts_step_0=is_foreign) for o in objectives]
        found = [curve if own is None else own for own, curve in zip(told, curves, strict=True)]
        if why := not_finite(found, [o.metric for o in objectives]):
            outcome = Outcome.DIVERGED.value
        else:
            scores = [math.nan if score is None else score for score in found]
    phase: Phase = "confirm" if run.tags.get(tags.PHASE) == "confirm" else "search"
    reason = why or run.tags.get(tags.PRUNED_BECAUSE if outcome == Outcome.PRUNED else tags.REASON, "")
    reason = "" if outcome == Outcome.FINISHED else reason  # one that was stopped, and went on, still says why
    results = {k: v for k, v in run.metrics.items() if k not in BOOKKEEPING and not k.startswith(f"{OBJECTIVE}.")}
    return Replicate(
        run_id=run.run_id,
        condition=number_of[trial],
        seed=run.tags.get(tags.SEED, ""),
        outcome=outcome,
        objective=scores[0],
        seconds=math.nan if run.end_ms is None else (run.end_ms - run.start_ms) / 1000.0,
        phase=phase,
        reason=reason,
        metrics=results,
        series=series,
        started_ms=run.start_ms,
        others=tuple(scores[1:]),
        stopped_early=run.tags.get(tags.STOPPED_EARLY, "") if outcome == Outcome.FINISHED else "",
        ended_ms=run.end_ms or 0,
        number=int(run.tags.get(tags.REPLICATE, 0)),
        attempt=int(run.tags.get(tags.ATTEMPT, 1)),
        model=run.tags.get(tags.MODEL, ""),
        model_problem=run.tags.get(tags.MODEL_PROBLEM, ""),
    )


def _outcome(run: FoundRun) -> str:
    known = run.tags.get(tags.OUTCOME)
    if run.status == RunStatus.RUNNING or known is None:
        return "running" if run.status == RunStatus.RUNNING else Outcome.INTERRUPTED.value
    return known


def _condition(
    number: int, values: Mapping[str, Any], trial: FoundRun, broken: tuple[tuple[str, float], ...]
) -> Condition:
    is_pruned = trial.tags.get(tags.OUTCOME) == Outcome.PRUNED
    return make_condition(
        number,
        values,
        run_id=trial.run_id,
        race=trial.tags.get(tags.RACE, ""),
        pruned=trial.tags.get(tags.PRUNED_BECAUSE, "for a reason that is not on record") if is_pruned else "",
        violations=broken,
    )
