"""Read the runs and sweeps of a comparison: each becomes one condition with its replicates.

They need not share a sweep or a study.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rothamsted import tags, tracking
from rothamsted.analysis.curves import default_curves, read_series
from rothamsted.analysis.find import find_compared
from rothamsted.analysis.json_tags import json_tag
from rothamsted.analysis.logged import BOOKKEEPING
from rothamsted.analysis.objectives import not_finite, objective_of
from rothamsted.analysis.ranking import ranked
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.analysis.search_scores import search_of
from rothamsted.analysis.typed import factors_of, fixed_parameters, label, typed
from rothamsted.analysis.values import Condition, Dataset, Objective, Replicate, SearchScores
from rothamsted.errors import StoreError
from rothamsted.metric import Metric
from rothamsted.spec import Statistics
from rothamsted.tracking import FoundRun

_STATUS = {"FINISHED": "finished", "FAILED": "failed", "KILLED": "interrupted"}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Holds one of the runs or sweeps that are compared."""

    name: str
    kind: str  # run, condition, sweep
    about: str  # what stands for it
    run_id: str
    parameters: Mapping[str, Any]
    replicates: tuple[Replicate, ...]
    objective: Objective | None  # of its sweep; None for a run that is in none
    metrics: Mapping[str, Metric] = field(default_factory=dict)  # what the study of its sweep declares
    search: SearchScores | None = None  # of a sweep: what all its conditions scored
    is_held: bool = False  # a dataset that was given: its replicates have their curves, and may be in no store
    statistics: Statistics | None = None  # how a sweep's file wants it analysed; None for a run that is in none


def read_compared(
    references: Sequence[str | Dataset],
    *,
    uri: str,
    objective: Objective | None = None,
    over: str | None = None,
    names: Sequence[str] = (),
) -> tuple[Dataset, tuple[Subject, ...]]:
    """Return the dataset with one condition for each subject, in their order.

    Of a sweep its best condition is compared: its confirmed replicates if it has some, else those of the search. Of a
    trial's run its replicates are compared. Any other run is compared itself.

    Args:
        references: Names of sweeps, names or ids of runs, datasets; two or more.
        uri: Tracking URI.
        objective: What is compared; None if the subjects agree on one.
        over: The number of a condition, as `objective.over`; it also picks the best condition of a sweep. None: as the
            objective says.
        names: Names of the subjects, in their order; None: their own.

    Raises:
        StoreError: There is nothing or several runs of a name, or no metric in common.
    """
    if len(references) < 2:
        raise StoreError("compare: name two or more runs or sweeps, runs=a,b")
    twice = [one for i, one in enumerate(references) if isinstance(one, str) and one in references[:i]]
    if twice:
        raise StoreError(f"compare: '{twice[0]}' is named twice; name each once")
    if objective is not None and over is not None:
        objective = objective.model_copy(update={"over": over})
    subjects = [_independent(_find(reference, objective, over, uri=uri)) for reference in references]
    subjects = [replace(one, name=name) for one, name in zip(subjects, names, strict=True)] if names else subjects
    wanted = objective or _common_objective(subjects)
    if over is not None:
        wanted = wanted.model_copy(update={"over": over})
    starts = {r.run_id: r.started_ms for subject in subjects if not subject.is_held for r in subject.replicates}
    known = {name for subject in subjects for r in subject.replicates for name in r.metrics}
    if wanted.metric not in known:
        raise StoreError(f"compare: none of them has the metric '{wanted.metric}'; logged: {', '.join(sorted(known))}")
    series = read_series(starts, default_curves(wanted.metric, known), uri=uri) if starts else {}
    conditions, replicates = [], []
    for number, subject in enumerate(subjects):
        conditions.append(
            Condition(number=number, values=subject.parameters, label=subject.name, run_id=subject.run_id)
        )
        for r in subject.replicates:
            own = r.series if subject.is_held else series[r.run_id]
            is_finished = r.outcome == "finished"
            is_known = subject.objective == wanted and math.isfinite(r.objective)
            value = r.objective if is_known else objective_of(own.get(wanted.metric), wanted) if is_finished else None
            if why := not_finite([value], [wanted.metric]):
                r, value = replace(r, outcome="diverged", reason=why), None
            score = math.nan if value is None else value
            replicates.append(replace(r, condition=number, objective=score, series=own, phase="search"))
    dataset = Dataset(
        name=" vs ".join(subject.name for subject in subjects),
        kind="runs",
        objective=wanted,
        factors=tuple(factors_of(conditions)),
        conditions=tuple(conditions),
        replicates=tuple(replicates),
        metrics=_agreed([subject.metrics for subject in subjects]),
        searches=tuple(subject.search for subject in subjects if subject.search is not None),
        statistics=_agreed_statistics([one.statistics for one in subjects if one.statistics is not None]),
        marks=_disagreements(subjects),
    )
    return dataset, tuple(subjects)


def _find(reference: str | Dataset, objective: Objective | None, over: str | None, *, uri: str) -> Subject:
    if isinstance(reference, Dataset):
        return replace(_of_dataset(reference, over), is_held=True)
    run = find_compared(reference, uri=uri)
    if reference != run.run_id and run.tags.get(tags.ROLE) == "sweep" and run.tags.get(tags.SWEEP) == reference:
        return _of_sweep(reference, objective, over, uri=uri)
    if run.tags.get(tags.ROLE) != "sweep":
        return _of_run(run, uri=uri)
    return _of_sweep(run.run_id, objective, over, uri=uri)


def _independent(subject: Subject) -> Subject:
    """The subject, unless its replicates are combinations of few numbers: samples of independent ones are compared.

    Raises:
        StoreError: they are crossed.
    """
    varied = [one.varied for one in subject.replicates]
    names = list(varied[0]) if varied else []
    if len(names) > 1 and any(len({one.get(name) for one in varied}) < len(varied) for name in names):
        raise StoreError(
            f"compare: replicates of {subject.name} are crossed ({', '.join(names)}), and compare needs independent "
            "ones; confirm its best condition on fresh numbers (-P confirm.replicates=10), or give a sweep with "
            f"replicates.vary: [{', '.join(names)}]"
        )
    return subject


def _of_sweep(reference: str, objective: Objective | None, over: str | None, *, uri: str) -> Subject:
    return _of_dataset(read_sweep(reference, uri=uri, objective=objective), over)


def _of_dataset(dataset: Dataset, over: str | None) -> Subject:
    """The best condition of a sweep stands for it."""
    if dataset.task is not None:
        way = f"rothamsted analyze --sweep {dataset.name} compares its conditions"
        raise StoreError(
            f"compare: sweep {dataset.name} is over tasks ({dataset.task.factor}): no single run is its best; {way}"
        )
    if over is not None:
        dataset = replace(dataset, objective=dataset.objective.model_copy(update={"over": over}))
    order = ranked(dataset)
    if not order:
        raise StoreError(f"compare: sweep {dataset.name} has no condition with a score; leave it out")
    best = next(c for c in dataset.conditions if c.number == order[0])
    members = [r for r in dataset.replicates if r.condition == best.number]
    fresh = [r for r in members if r.phase == "confirm"]
    what = f"its best condition, {best.label}"
    about = f"{what}, {len(fresh)} fresh seeds" if fresh else f"{what}, as the search saw it (optimistic)"
    return Subject(
        name=dataset.name,
        kind="sweep",
        about=about,
        run_id=dataset.run_id,
        parameters={**fixed_parameters(dataset), **best.values},
        replicates=tuple(fresh or members),
        objective=dataset.objective,
        metrics=dataset.metrics,
        search=search_of(dataset),
        statistics=dataset.statistics,
    )


def _of_run(run: FoundRun, *, uri: str) -> Subject:
    is_trial = run.tags.get(tags.ROLE) in tags.TRIAL_ROLES and tags.REPLICATE not in run.tags
    below = [run]
    if is_trial:
        below = tracking.find_runs([run.experiment_id], {"mlflow.parentRunId": run.run_id}, uri=uri)
    seeded = {name: typed(text) for name, text in run.params.items()}
    if is_trial:
        seeded.pop("seed", None)
    return Subject(
        name=run.name if not is_trial else f"{run.tags.get(tags.SWEEP, '')} {run.name}".strip(),
        kind="condition" if is_trial else "run",
        about=label({k: v for k, v in seeded.items() if k != "seed"}) if is_trial else "",
        run_id=run.run_id,
        parameters=seeded,
        replicates=tuple(_replicate(one) for one in below),
        objective=None,
    )


def _replicate(run: FoundRun) -> Replicate:
    return Replicate(
        run_id=run.run_id,
        condition=0,
        seed=run.tags.get(tags.SEED, run.params.get("seed", "")),
        outcome=run.tags.get(tags.OUTCOME, _STATUS.get(run.status, "running")),
        objective=math.nan,
        seconds=math.nan if run.end_ms is None else (run.end_ms - run.start_ms) / 1000.0,
        metrics={name: value for name, value in run.metrics.items() if name not in BOOKKEEPING},
        started_ms=run.start_ms,
        varied=json_tag(run, tags.VARIED),
    )


def _agreed(declarations: Sequence[Mapping[str, Metric]]) -> dict[str, Metric]:
    """What all that declare a metric say alike; runs that are not of a sweep declare nothing."""
    merged = {name: one for own in declarations for name, one in own.items()}
    return {name: one for name, one in merged.items() if all(own.get(name, one) == one for own in declarations)}


def _agreed_statistics(said: Sequence[Statistics]) -> Statistics:
    """Level and interval that all sweeps ask for: a condition's interval is then the one of its own sweep."""
    usual = Statistics()
    agreed = {
        key: getattr(said[0], key)
        for key in ("level", "interval")
        if said and all(getattr(one, key) == getattr(said[0], key) for one in said)
    }
    return usual.model_copy(update=agreed)


def _disagreements(subjects: Sequence[Subject]) -> tuple[str, ...]:
    """That sweeps' files ask for several levels or kinds of interval, so that some have another one in their report."""
    said = {}
    for key in ("level", "interval"):
        asked = {one.name: getattr(one.statistics, key) for one in subjects if one.statistics is not None}
        if len(set(asked.values())) > 1:
            said[key] = ", ".join(f"{name}: {value}" for name, value in asked.items())
    return tuple(
        f"Their files ask for different statistics.{key} ({values}). One is used for all here, so some intervals "
        f"differ from those in the reports of the sweeps; {key}=VALUE chooses it."
        for key, values in said.items()
    )


def _common_objective(subjects: Sequence[Subject]) -> Objective:
    known = [subject.objective for subject in subjects if subject.objective is not None]
    if known and all(one == known[0] for one in known):
        return known[0]
    in_common = set.intersection(*({name for r in s.replicates for name in r.metrics} for s in subjects))
    names = ", ".join(sorted(in_common)) or "none"
    raise StoreError(f"compare: which metric? give metric=NAME (and direction=); in common: {names}")
