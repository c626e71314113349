"""Read the record of a replicate: its parameters, its code, and its measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rothamsted import tags, tracking
from rothamsted.errors import StoreError
from rothamsted.records import Measured, Outcome
from rothamsted.spec import Sweep, from_resolved
from rothamsted.studies import CONFIG_FILE
from rothamsted.sweeping.histories import as_history
from rothamsted.tracking import FoundRun

Points = Mapping[tuple[int, str], float]  # (step, metric) -> value
_MOST_ABOVE = 4  # runs above a replicate: its trial, a stage, the sweep, an outer run
_FOLDERS = {"sweep": "sweep/", "contest": "contest/"}  # role of the run above -> where its files are


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """Holds one replicate as it is on record.

    Attributes:
        run: its run.
        config: what it was trained with, every field.
        seed: its seed; empty: not known.
        points: all that it measured.
        is_cut: it was stopped before its end, as hopeless or as no longer improving.
        study: the study's name, or the target that finds it.
        sweep: what it belongs to; None: it was trained by hand.
        commit: of its code; empty: not in git.
        is_dirty: whether the commit was not all of the code.
        changes: what the commit lacked; empty: nothing, or it was not kept.
        environment: a line a package.
        facts: where it was trained, by the names of `tags.ORIGIN`.
    """

    run: FoundRun
    config: Mapping[str, Any]
    seed: str
    points: Points
    is_cut: bool
    study: str
    sweep: Sweep | None
    commit: str
    is_dirty: bool
    changes: str
    environment: str
    facts: Mapping[str, str]


def replicates_of(run: FoundRun, *, uri: str) -> list[FoundRun]:
    """Find the trainings that a run stands for: itself, the replicates of a trial, or those of a sweep's winner.

    The winner is the best condition: its replicates of the search, then those on fresh seeds.

    Raises:
        StoreError: it stands for none.
    """
    role = run.tags.get(tags.ROLE, "")
    if role == "sweep":
        trials = [run.tags[name] for name in ("rothamsted.best_run", "rothamsted.confirmed_run") if name in run.tags]
        found = [tracking.find_run(one, uri=uri) for one in trials]
        replicates = [one for trial in found if trial is not None for one in replicates_of(trial, uri=uri)]
        if not replicates:
            raise StoreError(f"reproduce: sweep {run.name} has no best condition yet; look at rothamsted status")
        return replicates
    if role in tags.TRIAL_ROLES and tags.REPLICATE not in run.tags:
        below = tracking.find_runs([run.experiment_id], {"mlflow.parentRunId": run.run_id}, uri=uri)
        ended = [one for one in below if one.tags.get(tags.OUTCOME) in (Outcome.FINISHED, Outcome.DIVERGED)]
        return sorted(ended, key=lambda one: int(one.tags.get(tags.REPLICATE, "0")))
    return [run]


def read_recorded(run: FoundRun, *, uri: str) -> Recorded:
    """Read one replicate.

    Raises:
        StoreError: the run is no training of ours, has not ended, or its files are gone.
    """
    place = f"reproduce: run {run.run_id} ({run.name})"
    config = tracking.read_json(run.run_id, CONFIG_FILE, dict, uri=uri)
    outcome = run.tags.get(tags.OUTCOME, "")
    if config is None or not outcome:
        raise StoreError(
            f"{place}: has no {CONFIG_FILE} with an outcome: it is not a replicate of a sweep or a run by hand, or "
            "it still runs; name another run"
        )
    if outcome in (Outcome.FAILED, Outcome.INTERRUPTED):
        raise StoreError(f"{place}: it {outcome}, so there is no result that could be the same; name another run")
    above = _run_above(run, uri)
    source, folder = (run, "") if above is None else (above, _FOLDERS[above.tags[tags.ROLE]])
    facts = {**(tracking.read_json(source.run_id, folder + tags.ORIGIN_FILE, dict, uri=uri) or {})}
    is_dirty = facts.get(tags.DIRTY, source.tags.get(tags.DIRTY)) == "true"
    sweep = _sweep_of(above, uri)
    changes = tracking.read_text(source.run_id, folder + tags.CHANGES_FILE, uri=uri) if is_dirty else ""
    return Recorded(
        run=run,
        config=config,
        seed=run.tags.get(tags.SEED, str(config.get("seed", ""))),
        points=points_of(as_history(tracking.read_history([run.run_id], uri=uri)[run.run_id])),
        is_cut=outcome == Outcome.PRUNED or tags.STOPPED_EARLY in run.tags,
        study=(sweep.study if sweep is not None and sweep.study else "") or source.tags.get(tags.STUDY, ""),
        sweep=sweep,
        commit=source.tags.get(tags.COMMIT, ""),
        is_dirty=is_dirty,
        changes=changes or "",
        environment=tracking.read_text(source.run_id, folder + tags.ENVIRONMENT_FILE, uri=uri) or "",
        facts={**facts, **(tracking.read_json(run.run_id, tags.ORIGIN_FILE, dict, uri=uri) or {})},
    )


def _run_above(run: FoundRun, uri: str) -> FoundRun | None:
    """The run of the sweep or the contest that a replicate belongs to; None: it was trained by hand."""
    for _ in range(_MOST_ABOVE):
        parent = run.tags.get("mlflow.parentRunId")
        found = tracking.find_run(parent, uri=uri) if parent else None
        if found is None or found.tags.get(tags.ROLE) in _FOLDERS:
            return found
        run = found
    return None


def _sweep_of(run: FoundRun | None, uri: str) -> Sweep | None:
    """The sweep behind a run; of a contest, whose trainings are those of a study, none is needed."""
    if run is None or run.tags[tags.ROLE] != "sweep":
        return None
    plain = tracking.read_json(run.run_id, "sweep/resolved.json", dict, uri=uri)
    if plain is None:
        raise StoreError(
            f"reproduce: run {run.run_id} ({run.name}): its artifact sweep/resolved.json is gone; put it back"
        )
    return from_resolved(plain)


def points_of(history: Sequence[Measured]) -> dict[tuple[int, str], float]:
    """Return measurements as points, the epoch among them."""
    points = {(one.step, name): float(value) for one in history for name, value in one.metrics.items()}
    return points | {(one.step, "epoch"): float(one.epoch) for one in history if one.epoch is not None}


def names_of(points: Points) -> Sequence[str]:
    """Return the metrics among points, sorted."""
    return sorted({name for _, name in points})
