"""Join what both databases have of a sweep by ids: its search, its confirmation, and its runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rothamsted import tags
from rothamsted.errors import SpecError
from rothamsted.search.care import SearchFacts
from rothamsted.search.listed import ListedSearch, is_living
from rothamsted.search.sql.care import TrialFacts
from rothamsted.search.sql.leases import RUNS
from rothamsted.spec import Sweep, from_resolved
from rothamsted.sweeping.stage import first_stage
from rothamsted.tracking.care import RecordFacts
from rothamsted.tracking.sql.care import RunFacts

SWEEP_ROLES = ("sweep", "contest")
TRIAL_RUN = "trial"  # beside the replicates' numbers, among the ids of a trial's runs


@dataclass(frozen=True, kw_only=True)
class Unit:
    """Holds a sweep, a later stage or a contest.

    Attributes:
        name: of it.
        search: what the search database has; None: nothing.
        confirmation: the same of its confirmation.
        trials, fresh: of the search, and of its confirmation.
        runs: all of its runs except its own, also deleted ones.
        run: its own run; None: there is none.
        holder: a living process that decides for it or works on it; empty: none.
    """

    name: str
    search: ListedSearch | None
    confirmation: ListedSearch | None
    trials: Sequence[TrialFacts]
    fresh: Sequence[TrialFacts]
    runs: Sequence[RunFacts]
    run: RunFacts | None
    holder: str

    @property
    def run_id(self) -> str:
        """Return the id of its own run, as the search has it; else as the record has it."""
        if self.search is not None:
            return own_run_id(self.search)
        return self.run.run_id if self.run is not None else ""

    @property
    def study_ids(self) -> list[int]:
        """Return the ids of its searches."""
        return [one.study_id for one in (self.search, self.confirmation) if one is not None]

    @cached_property
    def sweep(self) -> Sweep | None:
        """Return its resolved file; None: this version cannot read it."""
        if self.search is None:
            return None
        try:
            return first_stage(from_resolved(self.search.spec))
        except SpecError:
            return None

    @property
    def is_passed(self) -> bool:
        """Say whether it is a stage whose next one has been decided: no command trains anything of it again."""
        return self.search is not None and tags.NEXT_STAGE in self.search.attributes

    @cached_property
    def named(self) -> frozenset[str]:
        """Return the ids of all runs that the search names."""
        found = {self.run_id}
        for trial in (*self.trials, *self.fresh):
            found.add(str(trial.attributes.get(tags.RUN_ID, "")))
            found.update(map(str, trial.attributes.get(RUNS, {}).values()))
            found.update(str(one["run_id"]) for one in trial.replicates)
            found.add(str(trial.attributes.get(tags.CONFIRMS, {}).get("run_id", "")))
        return frozenset(found - {""})

    @property
    def confirmed(self) -> Mapping[str, Mapping[str, Any]]:
        """Map each trial of the search to the result of its confirmation, for those that are closed."""
        return {} if self.confirmation is None else self.confirmation.attributes.get(tags.CONFIRMED, {})


def own_run_id(search: ListedSearch) -> str:
    """Return the id of a sweep's run, also of one whose start was killed before it was over; empty: it has none yet."""
    said = search.attributes
    return str(said.get(tags.RUN_ID) or said.get(tags.OPENING, {}).get("run_id", ""))


def units_of(search: SearchFacts, record: RecordFacts, *, is_alive: Callable[[str], bool]) -> list[Unit]:
    """List every sweep, stage and contest that one of both databases has, in the order of the searches."""
    confirmations = {
        one.attributes[tags.CONFIRMATION_OF]: one for one in search.searches if tags.CONFIRMATION_OF in one.attributes
    }
    own = [one for one in search.searches if tags.CONFIRMATION_OF not in one.attributes]
    of_root = _by_root(record, own)
    found = [_unit(one, confirmations.get(one.name), search, record, of_root, is_alive) for one in own]
    known = {one.run_id for one in found}
    for run in record.runs.values():
        if run.role in SWEEP_ROLES and run.run_id not in known and not run.is_deleted:
            found.append(
                Unit(
                    name=run.tags[tags.SWEEP],
                    search=None,
                    confirmation=None,
                    trials=(),
                    fresh=(),
                    runs=of_root.get(run.run_id, ()),
                    run=run,
                    holder="",
                )
            )
    return found


def _unit(
    one: ListedSearch,
    confirmation: ListedSearch | None,
    search: SearchFacts,
    record: RecordFacts,
    of_root: Mapping[str, Sequence[RunFacts]],
    is_alive: Callable[[str], bool],
) -> Unit:
    run_id = own_run_id(one)
    trials, fresh = search.of(one), search.of(confirmation)
    run = record.runs.get(run_id)
    return Unit(
        name=one.name,
        search=one,
        confirmation=confirmation,
        trials=trials,
        fresh=fresh,
        runs=of_root.get(run_id, ()) if run_id else (),
        run=run,
        holder=_holder(one, (*trials, *fresh), search.now, is_alive),
    )


def _holder(one: ListedSearch, trials: Sequence[TrialFacts], now: float, is_alive: Callable[[str], bool]) -> str:
    """A living process that holds the sweep or one of its trials, by the database's clock."""
    if is_living(one.lease, now) and is_alive(one.lease["holder"]):
        return str(one.lease["holder"])
    for trial in trials:
        if trial.state == "running" and trial.lease and is_held(trial, now, is_alive):
            return str(json.loads(trial.lease)["worker"])
    return ""


def is_held(trial: TrialFacts, now: float, is_alive: Callable[[str], bool]) -> bool:
    """Say whether a living process holds a trial."""
    lease = json.loads(trial.lease) if trial.lease else {}
    try:
        return bool(lease.get("worker")) and lease["expires"] > now and is_alive(lease["worker"])
    except (KeyError, TypeError, ValueError, AttributeError):  # no lease of ours: whoever wrote it holds nothing
        return False


def _by_root(record: RecordFacts, searches: Sequence[ListedSearch]) -> dict[str, list[RunFacts]]:
    """The runs below each sweep's run, that one left out.

    A run whose chain of parents is broken belongs to the newest search of its sweep's name.
    """
    newest = {one.name: own_run_id(one) for one in searches}
    roots = {own_run_id(one) for one in searches} - {""}
    found: dict[str, list[RunFacts]] = {}
    for run in record.runs.values():
        if run.role in SWEEP_ROLES or run.role == "continuation":
            continue
        root = _root(run, record, roots) or newest.get(run.tags[tags.SWEEP], "")
        found.setdefault(root, []).append(run)
    return found


def _root(run: RunFacts, record: RecordFacts, roots: Collection[str]) -> str:
    """The id of the sweep's run above a run, which may itself be gone; empty: nobody can say."""
    seen: set[str] = set()
    parent_id = run.parent_id
    while parent_id and parent_id not in seen:
        above = record.runs.get(parent_id)
        if parent_id in roots or (above is not None and above.role in SWEEP_ROLES):
            return parent_id
        seen.add(parent_id)
        parent_id = above.parent_id if above is not None else ""
    return ""
