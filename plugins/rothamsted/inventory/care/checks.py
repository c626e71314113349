"""What is wrong with one sweep that nobody works on: its search, its runs and their ties. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rothamsted import tags
from rothamsted.inventory.care.damage import Damage, RecordChange, SearchChange
from rothamsted.inventory.care.units import SWEEP_ROLES, TRIAL_RUN, Unit, is_held
from rothamsted.records import Outcome, RunStatus
from rothamsted.search.sql.care import TrialFacts
from rothamsted.search.sql.leases import RUNS
from rothamsted.search.sql.repeats import REPEAT_OF
from rothamsted.tracking.care import RecordFacts
from rothamsted.tracking.sql.care import RunFacts

_RESULTS = (Outcome.FINISHED, Outcome.DIVERGED, Outcome.PRUNED)
AGAIN = "it waits again: the sweep's command trains it"
RESTORED = "it is restored"


def check_ties(unit: Unit, record: RecordFacts) -> Iterator[Damage]:
    """What the search names and the record lacks, and the reverse."""
    if unit.search is None:
        return
    yield from _own_run(unit, record)
    for study_id, trials in _searches(unit):
        for trial in trials:
            yield from _runs_of_trial(unit, study_id, trial, record)
    yield from _confirmation_runs(unit, record)
    yield from _unnamed(unit)
    for run in unit.runs:
        if not run.is_deleted and run.parent_id and not record.is_active(run.parent_id):
            yield from _orphan(unit, run, record)


def check_leases(unit: Unit, now: float, *, is_alive: Callable[[str], bool]) -> Iterator[Damage]:
    """What holders left that are gone: of the sweep, of its trials, and runs that say they run."""
    if unit.search is None:
        return
    if unit.search.lease.get("how") == "deciding":
        holder = str(unit.search.lease.get("holder", ""))
        yield Damage(
            kind="stale sweep",
            sweep=unit.name,
            what=f"lease of {holder}",
            why="it ended without a word",
            repair="the sweep counts as left unfinished",
            changes=[SearchChange(how="leave", study_id=unit.search.study_id)],
        )
    for study_id, trials in _searches(unit):
        for trial in trials:
            yield from _lease_of(unit, study_id, trial, now, is_alive)


def check_running(unit: Unit, told: frozenset[str]) -> Iterator[Damage]:
    """Runs that say that they run, while nobody works on the sweep.

    Args:
        unit: the sweep.
        told: runs whose end the search knows: they are different results.
    """
    own = [unit.run] if unit.run is not None else []
    for run in (*own, *unit.runs):
        if run.status != RunStatus.RUNNING or run.is_deleted or run.run_id in told:
            continue
        yield Damage(
            kind="stale run",
            sweep=unit.name,
            what=_named(run),
            repair="it ends as KILLED; its replicate goes on in it",
            changes=[RecordChange(run_id=run.run_id, status=RunStatus.KILLED)],
        )


# ---- ties ----


def _own_run(unit: Unit, record: RecordFacts) -> Iterator[Damage]:
    if not unit.run_id or record.is_kept(unit.run_id):
        return
    is_back = record.is_deleted(unit.run_id)
    yield Damage(
        kind="search without run",
        sweep=unit.name,
        what=f"run {unit.run_id}",
        why=_how_gone(unit.run_id, record),
        repair=RESTORED if is_back else "",
        way_out="" if is_back else f"rothamsted delete {unit.name} removes what is left of it",
        changes=[RecordChange(run_id=unit.run_id, is_deleted=False)] if is_back else (),
    )


def _runs_of_trial(unit: Unit, study_id: int, trial: TrialFacts, record: RecordFacts) -> Iterator[Damage]:
    """The runs that a trial was told with, and that are not there; what is missing is trained again."""
    if REPEAT_OF in trial.attributes:
        return
    keys = {str(one["replicate"]): str(one["run_id"]) for one in trial.replicates}
    own = str(trial.attributes.get(tags.RUN_ID, ""))
    if own and own not in keys.values():
        keys[TRIAL_RUN] = own
    to_make = set() if trial.is_over else set(trial.attributes.get(RUNS, {}).values())
    gone = {key: run_id for key, run_id in keys.items() if not record.is_kept(run_id) and run_id not in to_make}
    lost = {key: run_id for key, run_id in gone.items() if not record.is_deleted(run_id)}
    again = _again(unit, study_id, trial, lost)
    for key, run_id in gone.items():
        part = "its run" if key == TRIAL_RUN else f"replicate {key}"
        is_back = key not in lost
        yield Damage(
            kind="trial without run",
            sweep=unit.name,
            what=f"{_trial(unit, study_id, trial)}, {part}, run {run_id}",
            why=_how_gone(run_id, record),
            repair=RESTORED if is_back else AGAIN if again else "",
            way_out="" if is_back or again else "nothing trains it again: take it from a copy of the database",
            changes=[RecordChange(run_id=run_id, is_deleted=False)] if is_back else again,
        )


def _how_gone(run_id: str, record: RecordFacts) -> str:
    if record.is_deleted(run_id):
        return "deleted"
    return "its tags are gone" if run_id in record.others else "missing"


def _again(unit: Unit, study_id: int, trial: TrialFacts, runs: dict[str, str]) -> list[SearchChange]:
    """What lets a trial wait again; nothing where no command would train it."""
    if not runs or unit.is_passed or trial.state not in ("complete", "fail") or unit.search is None:
        return []
    changes = [SearchChange(how="wait again", study_id=study_id, number=trial.number, runs=tuple(sorted(runs.items())))]
    item = trial.attributes.get(tags.CONFIRMS)
    if item is not None:
        changes.append(SearchChange(how="drop confirmed", study_id=study_id, trials=(str(item["trial"]),)))
    return [*changes, SearchChange(how="leave", study_id=unit.search.study_id)]


def _confirmation_runs(unit: Unit, record: RecordFacts) -> Iterator[Damage]:
    """The runs of confirmed conditions, which the coordinator opens and closes."""
    if unit.confirmation is None or unit.search is None:
        return
    found = {
        str(one.attributes[tags.CONFIRMS]["trial"]): str(one.attributes[tags.CONFIRMS]["run_id"])
        for one in unit.fresh
        if tags.CONFIRMS in one.attributes
    }
    for trial, run_id in found.items():
        if record.is_kept(run_id) or trial not in unit.confirmed:
            continue
        is_back = record.is_deleted(run_id)
        study_id = unit.confirmation.study_id
        again = [
            SearchChange(how="drop confirmed", study_id=study_id, trials=(trial,)),
            SearchChange(how="leave", study_id=unit.search.study_id),
        ]
        yield Damage(
            kind="trial without run",
            sweep=unit.name,
            what=f"confirmation of trial {trial}, run {run_id}",
            why=_how_gone(run_id, record),
            repair=RESTORED if is_back else "the sweep's command makes it again from its replicates",
            changes=[RecordChange(run_id=run_id, is_deleted=False)] if is_back else again,
        )


def _unnamed(unit: Unit) -> Iterator[Damage]:
    """Runs with a result that the search does not name, and runs of trials that it does not have."""
    numbers = {trial.number for trial in unit.trials}
    told = {(phase, trial, one["replicate"]) for phase, trial, one in told_replicates(unit)}
    claimed = {trial.number for trial in unit.trials if trial.state == "running" and RUNS not in trial.attributes}
    for run in unit.runs:
        number = int(run.tags.get(tags.TRIAL, -1))
        if run.is_deleted or run.run_id in unit.named:
            continue
        is_result = run.tags.get(tags.OUTCOME) in _RESULTS and run.status != RunStatus.RUNNING
        if number in numbers and (not is_result or number in claimed):
            continue  # an attempt that failed or was begun anew; or what its next holder looks for by its tags
        place = (run.tags.get(tags.PHASE, "search"), number, int(run.tags.get(tags.REPLICATE, -1)))
        is_double = place in told
        yield Damage(
            kind="doubled replicate" if is_double else "run without trial",
            sweep=unit.name,
            what=_named(run),
            why=f"of trial {number}" if number in numbers else f"there is no trial {number}",
            repair="it is marked deleted, as in MLflow's UI",
            changes=[RecordChange(run_id=run.run_id, is_deleted=True)],
        )


def _orphan(unit: Unit, run: RunFacts, record: RecordFacts) -> Iterator[Damage]:
    """A run whose parent is gone; where the search names the parent, that is said there, and brings it back."""
    if run.parent_id in unit.named or run.parent_id == unit.run_id or run.run_id not in unit.named:
        return
    is_back = record.is_deleted(run.parent_id)
    yield Damage(
        kind="run without parent",
        sweep=unit.name,
        what=_named(run),
        why=f"run {run.parent_id} is {'deleted' if is_back else 'missing'}",
        repair="it is restored" if is_back else f"it is put below the sweep's run {unit.run_id}",
        changes=[
            RecordChange(run_id=run.parent_id, is_deleted=False)
            if is_back
            else RecordChange(run_id=run.run_id, tags={"mlflow.parentRunId": unit.run_id})
        ],
    )


def told_replicates(unit: Unit) -> Iterator[tuple[str, int, dict]]:
    """Phase, trial of the search, and what was told, of every replicate."""
    is_contest = unit.search is not None and tags.CONTEST in unit.search.attributes
    for trial in unit.trials:
        if REPEAT_OF not in trial.attributes:
            for one in trial.replicates:
                yield "contest" if is_contest else "search", trial.number, dict(one)
    for trial in unit.fresh:
        for one in trial.replicates:
            yield "confirm", int(trial.attributes[tags.CONFIRMS]["trial"]), dict(one)


# ---- leases ----


def _lease_of(
    unit: Unit, study_id: int, trial: TrialFacts, now: float, is_alive: Callable[[str], bool]
) -> Iterator[Damage]:
    lease = json.loads(trial.lease) if trial.lease else {}
    what = _trial(unit, study_id, trial)
    if trial.state == "running" and REPEAT_OF not in trial.attributes:
        is_given_back = bool(trial.lease) and not lease.get("worker")
        if is_given_back or is_held(trial, now, is_alive):
            return
        is_ours = bool(trial.lease) or trial.token > 0
        yield Damage(
            kind="stale trial",
            sweep=unit.name,
            what=what,
            why=f"the lease of {lease['worker']} is over" if trial.lease else "without a lease",
            repair="it is given back: the sweep's command goes on with it" if is_ours else "",
            way_out="" if is_ours else "another program asked for it; tell it there",
            changes=[SearchChange(how="give back", study_id=study_id, number=trial.number)] if is_ours else (),
        )
    elif trial.lease and trial.state != "running":
        yield Damage(
            kind="lease left",
            sweep=unit.name,
            what=what,
            why=f"{trial.state.upper()}, held by {lease.get('worker') or 'nobody'}",
            repair="the lease is removed",
            changes=[SearchChange(how="remove lease", study_id=study_id, number=trial.number)],
        )


# ---- without a search ----


def check_alone(unit: Unit, recorded_storage: str, storage: str) -> Iterator[Damage]:
    """A sweep's run that no search here knows; one whose search is elsewhere is not judged.

    Args:
        unit: the sweep.
        recorded_storage: where its file says its search is; empty: not known.
        storage: the search database that is looked over.
    """
    if unit.search is not None or unit.run is None or not _is_same(recorded_storage, storage):
        return
    yield Damage(
        kind="run without search",
        sweep=unit.name,
        what=_named(unit.run),
        why=f"{len(unit.runs)} runs below it" if unit.runs else "",
        way_out=f"its results can be analysed; rothamsted delete {unit.name} removes them",
    )


def _is_same(recorded: str, storage: str) -> bool:
    """Whether two addresses are one database: SQLite files by their path, others by their text without secrets."""
    from rothamsted.masking import masked
    from rothamsted.places import sqlite_file

    one, other = sqlite_file(recorded), sqlite_file(storage)
    if one is not None and other is not None:
        return Path(other.parent, one).resolve() == other.resolve()
    return not recorded or masked(recorded) == masked(storage)


def _searches(unit: Unit) -> Iterator[tuple[int, Sequence[TrialFacts]]]:
    if unit.search is not None:
        yield unit.search.study_id, unit.trials
    if unit.confirmation is not None:
        yield unit.confirmation.study_id, unit.fresh


def _trial(unit: Unit, study_id: int, trial: TrialFacts) -> str:
    is_fresh = unit.confirmation is not None and study_id == unit.confirmation.study_id
    return f"{'confirmation, trial' if is_fresh else 'trial'} {trial.number}"


def _named(run: RunFacts) -> str:
    return f"run {run.run_id} ({run.role if run.role in SWEEP_ROLES else run.name})"
