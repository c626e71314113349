"""Read the runs of one sweep from a tracking store, sorted by their tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from rothamsted import tags, tracking
from rothamsted.analysis.find import find_sweep
from rothamsted.analysis.growth_words import growth_marks
from rothamsted.errors import StoreError
from rothamsted.given_files import reading
from rothamsted.metric import Metric, metrics_from_plain
from rothamsted.records import Outcome
from rothamsted.spec import Sweep, from_resolved
from rothamsted.spec.comment import opening_comment
from rothamsted.tracking import FoundRun

_RESOLVED = "sweep/resolved.json"


@dataclass(frozen=True, kw_only=True)
class SweepRuns:
    """Holds the runs of one sweep, sorted by their kind."""

    sweep: Sweep
    run: FoundRun
    trials: Mapping[str, FoundRun]  # run id -> run of a trial, which may be its only replicate
    replicates: Sequence[FoundRun]  # the last session of each
    question: str
    mark: str  # where the sweep's name was not enough
    metrics: Mapping[str, Metric]  # what its study declared
    growths: Sequence[Mapping[str, Any]] = ()  # what was added when


def read_sweep_runs(reference: str, *, uri: str) -> SweepRuns:
    """Return the runs of a sweep with its resolved file."""
    run, mark = find_sweep(reference, uri=uri)
    resolved = tracking.read_json(run.run_id, _RESOLVED, dict, uri=uri)
    if resolved is None:
        raise StoreError(f"sweep {reference}: its run {run.run_id} has no artifact {_RESOLVED}; was it deleted?")
    with _reading(run.run_id, _RESOLVED):
        sweep = from_resolved(resolved)
    below = tracking.find_runs([run.experiment_id], {tags.SWEEP: sweep.name}, uri=uri)
    trials = {
        one.run_id: one
        for one in below
        if one.tags.get(tags.ROLE) in tags.TRIAL_ROLES and one.tags.get("mlflow.parentRunId") == run.run_id
    }
    alone = [trial for trial in trials.values() if tags.REPLICATE in trial.tags]
    nested = [one for one in below if one.tags.get("mlflow.parentRunId") in trials and tags.REPLICATE in one.tags]
    sessions = last_sessions([*alone, *nested])
    earlier = {one.run_id for one in alone} - {one.run_id for one in sessions}
    listed = tracking.list_files(run.run_id, "sweep", uri=uri)
    files = [path for path in listed if path.endswith((".yaml", ".yml"))]
    source = tracking.read_text(run.run_id, files[0], uri=uri) if files else None
    return SweepRuns(
        sweep=sweep,
        run=with_origin(run, uri=uri),
        trials={run_id: trial for run_id, trial in trials.items() if run_id not in earlier},
        replicates=sessions,
        question=opening_comment(source or ""),
        mark=mark,
        metrics=_metrics(run.run_id, listed, uri=uri),
        growths=_growths(run.run_id, listed, uri=uri),
    )


def with_origin(run: FoundRun, *, uri: str) -> FoundRun:
    """Return the run of a sweep with its digests and its machine among its tags, where older versions had them."""
    origin = tracking.read_json(run.run_id, f"sweep/{tags.ORIGIN_FILE}", dict, uri=uri)
    if origin is None:
        return run
    return replace(run, tags={**run.tags, **{key: value for key, value in origin.items() if isinstance(value, str)}})


def _metrics(run_id: str, listed: Sequence[str], *, uri: str) -> dict[str, Metric]:
    """What the study declared of its metrics; nothing where the record is older than that."""
    path = f"sweep/{tags.METRICS_FILE}"
    found = tracking.read_json(run_id, path, dict, uri=uri) if path in listed else None
    with _reading(run_id, path):
        return {} if found is None else metrics_from_plain(found)


def _growths(run_id: str, listed: Sequence[str], *, uri: str) -> list[Mapping[str, Any]]:
    """What was added to the sweep when."""
    path = f"sweep/{tags.GROWN_FILE}"
    found = (tracking.read_json(run_id, path, list, uri=uri) if path in listed else None) or []
    with _reading(run_id, path):
        growth_marks(found)  # what cannot be said is damaged
    return found


def _reading(run_id: str, path: str) -> AbstractContextManager[None]:
    return reading(f"run {run_id}: artifact {path}", way_out="put it back as it was", error=StoreError)


def last_sessions(runs: Sequence[FoundRun]) -> list[FoundRun]:
    """Return one run for each replicate: of several attempts the one with a result, else the last."""
    chosen: dict[tuple[str, str, str], FoundRun] = {}
    for run in sorted(runs, key=lambda run: run.start_ms):
        is_trial = run.tags[tags.ROLE] == "trial"  # the trial's only replicate: each attempt has a run of this role
        parent = f"trial {run.tags[tags.TRIAL]}" if is_trial else run.tags["mlflow.parentRunId"]
        place = (run.tags.get(tags.PHASE, "search"), parent, run.tags[tags.REPLICATE])
        before = chosen.get(place)
        if before is None or before.tags.get(tags.OUTCOME) not in (Outcome.FINISHED, Outcome.DIVERGED):
            chosen[place] = run
    return list(chosen.values())
