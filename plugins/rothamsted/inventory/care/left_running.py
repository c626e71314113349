"""Find what ended processes left: leases, and runs that are marked as running. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from rothamsted.inventory.care.checks import named, searches_of, trial_words
from rothamsted.inventory.care.damage import Damage, RecordChange, SearchChange
from rothamsted.inventory.care.units import Unit, is_held
from rothamsted.records import RunStatus
from rothamsted.search.sql.care import TrialFacts
from rothamsted.search.sql.repeats import REPEAT_OF


def check_leases(unit: Unit, now: float, *, is_alive: Callable[[str], bool]) -> Iterator[Damage]:
    """Find leases of ended holders, of the sweep and of its trials, and runs that are marked as running."""
    if unit.search is None:
        return
    if unit.search.lease.get("how") == "deciding":
        holder = str(unit.search.lease.get("holder", ""))
        yield Damage(
            kind="stale sweep",
            sweep=unit.name,
            what=f"lease of {holder}",
            why="it ended without giving its lease back",
            repair="the sweep counts as left unfinished",
            changes=[SearchChange(how="leave", study_id=unit.search.study_id)],
        )
    for study_id, trials in searches_of(unit):
        for trial in trials:
            yield from _lease_of(unit, study_id, trial, now, is_alive)


def check_running(unit: Unit, told: frozenset[str]) -> Iterator[Damage]:
    """Find runs that are marked as running although no process works on the sweep.

    Args:
        unit: the sweep.
        told: runs with an end in the search, which are reported as different results.
    """
    own = [unit.run] if unit.run is not None else []
    for run in (*own, *unit.runs):
        if run.status != RunStatus.RUNNING or run.is_deleted or run.run_id in told:
            continue
        yield Damage(
            kind="stale run",
            sweep=unit.name,
            what=named(run),
            repair="it ends as KILLED, and goes on in the same run with its sweep",
            changes=[RecordChange(run_id=run.run_id, status=RunStatus.KILLED)],
        )


def _lease_of(
    unit: Unit, study_id: int, trial: TrialFacts, now: float, is_alive: Callable[[str], bool]
) -> Iterator[Damage]:
    lease = json.loads(trial.lease) if trial.lease else {}
    what = trial_words(unit, study_id, trial)
    if trial.state == "running" and REPEAT_OF not in trial.attributes:
        is_given_back = bool(trial.lease) and not lease.get("worker")
        if is_given_back or is_held(trial, now, is_alive):
            return
        is_ours = bool(trial.lease) or trial.token > 0
        yield Damage(
            kind="stale trial",
            sweep=unit.name,
            what=what,
            why=f"the lease of {lease.get('worker')} is over" if trial.lease else "without a lease",
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
