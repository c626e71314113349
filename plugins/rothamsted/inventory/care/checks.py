"""Check one sweep on which no process works: its search, its runs, and how they refer to each other. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rothamsted import tags
from rothamsted.inventory.care.damage import Damage, RecordChange, SearchChange
from rothamsted.inventory.care.units import SWEEP_ROLES, TRIAL_RUN, Unit
from rothamsted.records import Outcome, RunStatus
from rothamsted.search.sql.care import TrialFacts
from rothamsted.search.sql.leases import RUNS
from rothamsted.search.sql.repeats import REPEAT_OF
from rothamsted.tracking.care import RecordFacts
from rothamsted.tracking.sql.care import RunFacts

_RESULTS = (Outcome.FINISHED, Outcome.DIVERGED, Outcome.PRUNED)
MOST_DIGITS = 12  # of the number of a trial
AGAIN = "it waits again: the sweep's command trains it"
RESTORED = "it is restored"


def check_ties(unit: Unit, record: RecordFacts) -> Iterator[Damage]:
    """Find what the search names and the record lacks, and the reverse."""
    if unit.search is None:
        return
    yield from _own_run(unit, record)
    for study_id, trials in searches_of(unit):
        for trial in trials:
            yield from _runs_of_trial(unit, study_id, trial, record)
    yield from _confirmation_runs(unit, record)
    yield from _unnamed(unit)
    for run in unit.runs:
        if not run.is_deleted and run.parent_id and not record.is_active(run.parent_id):
            yield from _orphan(unit, run, record)


# ---- ties ----


def _own_run(unit: Unit, record: RecordFacts) -> Iterator[Damage]:
    is_started = unit.search is not None and tags.RUN_ID in unit.search.attributes
    if not is_started or record.is_kept(unit.run_id):
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
            what=f"{trial_words(unit, study_id, trial)}, {part}, run {run_id}",
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
        number = _number(run, tags.TRIAL)
        if run.is_deleted or run.run_id in unit.named:
            continue
        is_result = run.tags.get(tags.OUTCOME) in _RESULTS and run.status != RunStatus.RUNNING
        if number in numbers and (not is_result or number in claimed):
            continue  # an attempt that failed or was begun anew; or what its next holder looks for by its tags
        place = (run.tags.get(tags.PHASE, "search"), number, _number(run, tags.REPLICATE))
        is_double = place in told
        yield Damage(
            kind="doubled replicate" if is_double else "run without trial",
            sweep=unit.name,
            what=named(run),
            why=f"of trial {number}" if number in numbers else f"there is no trial {number}",
            repair="it is marked deleted, as in MLflow's UI",
            changes=[RecordChange(run_id=run.run_id, is_deleted=True)],
        )


def _number(run: RunFacts, tag: str) -> int:
    """A tag that is a number; -1: it is none, or not there."""
    text = run.tags.get(tag, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < MOST_DIGITS else -1


def _orphan(unit: Unit, run: RunFacts, record: RecordFacts) -> Iterator[Damage]:
    """A run whose parent is gone; where the search names the parent, that is said there, and brings it back."""
    if run.parent_id in unit.named or run.parent_id == unit.run_id or run.run_id not in unit.named:
        return
    is_back = record.is_deleted(run.parent_id)
    yield Damage(
        kind="run without parent",
        sweep=unit.name,
        what=named(run),
        why=f"run {run.parent_id} is {'deleted' if is_back else 'missing'}",
        repair="it is restored" if is_back else f"it is put below the sweep's run {unit.run_id}",
        changes=[
            RecordChange(run_id=run.parent_id, is_deleted=False)
            if is_back
            else RecordChange(run_id=run.run_id, tags={"mlflow.parentRunId": unit.run_id})
        ],
    )


def told_replicates(unit: Unit) -> Iterator[tuple[str, int, dict]]:
    """Return phase, trial and recorded result of every replicate."""
    is_contest = unit.search is not None and tags.CONTEST in unit.search.attributes
    for trial in unit.trials:
        if REPEAT_OF not in trial.attributes:
            for one in trial.replicates:
                yield "contest" if is_contest else "search", trial.number, dict(one)
    for trial in unit.fresh:
        for one in trial.replicates:
            yield "confirm", int(trial.attributes[tags.CONFIRMS]["trial"]), dict(one)


# ---- without a search ----


def check_alone(unit: Unit, recorded_storage: str, storage: str) -> Iterator[Damage]:
    """Find a sweep's run without a search here. If its search is elsewhere, it is not checked.

    Args:
        unit: the sweep.
        recorded_storage: the storage in its file; empty: not known.
        storage: the search database that is checked.
    """
    if unit.search is not None or unit.run is None or not _is_equal_address(recorded_storage, storage):
        return
    yield Damage(
        kind="run without search",
        sweep=unit.name,
        what=named(unit.run),
        why=f"{len(unit.runs)} runs below it" if unit.runs else "",
        way_out=f"its results can be analysed; rothamsted delete {unit.name} removes them",
    )


def _is_equal_address(recorded: str, storage: str) -> bool:
    """Whether two addresses are one database: SQLite files by their path, others by their text without secrets."""
    from rothamsted.masking import masked
    from rothamsted.places import sqlite_file

    one, other = sqlite_file(recorded), sqlite_file(storage)
    if one is not None and other is not None:
        return Path(other.parent, one).resolve() == other.resolve()
    return not recorded or masked(recorded) == masked(storage)


def searches_of(unit: Unit) -> Iterator[tuple[int, Sequence[TrialFacts]]]:
    """Yield the study id and the trials of the search, and of the confirmation."""
    if unit.search is not None:
        yield unit.search.study_id, unit.trials
    if unit.confirmation is not None:
        yield unit.confirmation.study_id, unit.fresh


def trial_words(unit: Unit, study_id: int, trial: TrialFacts) -> str:
    """Name a trial so that a person finds it."""
    is_fresh = unit.confirmation is not None and study_id == unit.confirmation.study_id
    return f"{'confirmation, trial' if is_fresh else 'trial'} {trial.number}"


def named(run: RunFacts) -> str:
    """Name a run so that a person finds it."""
    return f"run {run.run_id} ({run.role if run.role in SWEEP_ROLES else run.name})"
