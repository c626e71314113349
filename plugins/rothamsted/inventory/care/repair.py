"""Repair a sweep: it is checked again under the locks of its search, so that the repair is still right.

The record is repaired first, then the search, in one transaction of the search. After a kill in between, the same
repair is found and done again.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rothamsted import tracking
from rothamsted.errors import StoreError
from rothamsted.holders import is_alive
from rothamsted.inventory.care.damage import (
    Change,
    Damage,
    DeletedSearch,
    Delivery,
    FileChange,
    LostArtifact,
    MetricChange,
    PointChange,
    RecordChange,
    SearchChange,
)
from rothamsted.inventory.care.doctor import LookedOver
from rothamsted.inventory.care.units import Unit
from rothamsted.records import MetricPoint
from rothamsted.search.care import while_nobody_works
from rothamsted.search.deletion import delete_searches
from rothamsted.search.sql import care as sql
from rothamsted.search.sql.care import TrialFacts
from rothamsted.tracking.care import keep_one_point, set_deleted, set_latest

MOST_ROUNDS = 3  # of repairs, each after a look at what the one before has left


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """Holds the result of a repair.

    Attributes:
        n_done: number of repaired damages.
        left: why damages were not repaired, one line for each.
    """

    n_done: int
    left: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class RepairedAll(Repaired):
    """Holds the result of all repairs.

    Attributes:
        after: what a last look found.
        unfinished: sweeps that are not over any more: their command does what is left.
    """

    after: LookedOver
    unfinished: Sequence[str]


def repair_all(findings: LookedOver, look: Callable[[], LookedOver], *, uri: str, storage: str) -> RepairedAll:
    """Repair, and check again: one damage may have hidden another, which is then repaired too.

    Args:
        findings: as they were shown.
        look: looks over the same again.
        uri: tracking URI.
        storage: database URL of the search.
    """
    after, left, unfinished = findings, list[str](), set[str]()
    for _ in range(MOST_ROUNDS):
        unfinished |= {one.sweep for one in after.damages if any(_leaves(change) for change in one.changes)}
        left = list(repair(after, uri=uri, storage=storage).left)
        after = look()
        if left or not any(one.changes for one in after.damages):
            break
    return RepairedAll(
        n_done=max(0, len(findings.damages) - len(after.damages)), left=left, after=after, unfinished=sorted(unfinished)
    )


def _leaves(change: Change) -> bool:
    return isinstance(change, SearchChange) and change.how in ("leave", "give back")


def repair(findings: LookedOver, *, uri: str, storage: str) -> Repaired:
    """Repair what can be repaired. A sweep on which a process works is left alone.

    Args:
        findings: as they were shown.
        uri: tracking URI.
        storage: database URL of the search.
    """
    n_done, left = 0, list[str]()
    by_sweep: dict[str, list[Damage]] = {}
    for one in findings.damages:
        if one.changes:
            by_sweep.setdefault(one.sweep, []).append(one)
    for name, damages in by_sweep.items():
        units = [unit for unit in findings.units if unit.name == name]
        try:
            _mend(units, damages, uri=uri, storage=storage)
            n_done += len(damages)
        except StoreError as error:
            left.append(f"{name or 'files'}: {error}")
    return Repaired(n_done=n_done, left=left)


def _mend(units: Sequence[Unit], damages: Sequence[Damage], *, uri: str, storage: str) -> None:
    """All changes of one sweep, in the transaction that holds its search."""
    changes = _once([change for one in damages for change in one.changes])
    study_ids = [study_id for unit in units for study_id in unit.study_ids]
    seen = {study_id: _by_number(unit, study_id) for unit in units for study_id in unit.study_ids}

    def mend(tx: Any, now: Mapping[int, Sequence[TrialFacts]]) -> None:
        _check_unchanged(seen, now)
        _mend_record(changes, uri)
        for change in changes:
            if isinstance(change, SearchChange):
                _mend_search(tx, change, seen.get(change.study_id, {}))

    if study_ids:
        while_nobody_works(storage, study_ids, mend, is_alive=is_alive)
    else:
        _mend_record(changes, uri)
    for change in changes:
        if isinstance(change, DeletedSearch):
            delete_searches(storage, [change.study_id], is_alive=is_alive)
        elif isinstance(change, FileChange):
            _remove(change.path)
        elif isinstance(change, Delivery):
            tracking.deliver_left(uri)


def _check_unchanged(seen: Mapping[int, Mapping[int, TrialFacts]], now: Mapping[int, Sequence[TrialFacts]]) -> None:
    """Refuse to mend what has changed since it was looked at."""
    for study_id, trials in seen.items():
        there = {trial.number: trial for trial in now.get(study_id, ())}
        if repr(there) != repr(dict(trials)):  # NaN is not equal to itself
            raise StoreError("it has changed since it was looked at; give the command again")


def _mend_record(changes: Sequence[Change], uri: str) -> None:
    of_runs = [one for one in changes if isinstance(one, RecordChange)]
    set_deleted(uri, [one.run_id for one in of_runs if one.is_deleted is False], is_deleted=False)
    set_deleted(uri, [one.run_id for one in of_runs if one.is_deleted], is_deleted=True)
    gone = {one.run_id for one in of_runs if one.is_deleted}
    written = [one for one in of_runs if (one.status is not None or one.tags) and one.run_id not in gone]
    metrics = [one for one in changes if isinstance(one, MetricChange)]
    if written or metrics:
        with tracking.open_recorder(uri) as recorder:
            for one in metrics:
                point = MetricPoint(one.key, one.value, one.timestamp_ms, one.step)
                recorder.replace_metrics(one.run_id, [point])
            for one in written:
                recorder.log(one.run_id, tags=one.tags)
                if one.status is not None:
                    recorder.end_run(one.run_id, one.status, one.end_ms or time.time_ns() // 1_000_000)
    points = [one for one in changes if isinstance(one, PointChange)]
    if doubled := [one.point for one in points if one.point is not None]:
        keep_one_point(uri, doubled)
    if places := [(one.run_id, one.key) for one in points]:
        set_latest(uri, places)
    for one in changes:
        if isinstance(one, LostArtifact):
            tracking.delete_files(one.run_id, [one.path], uri=uri)


def _mend_search(tx: Any, change: SearchChange, trials: Mapping[int, TrialFacts]) -> None:
    trial = trials.get(change.number)
    if change.how == "leave":
        sql.leave_sweep(tx, change.study_id)
    elif change.how == "drop confirmed":
        sql.drop_confirmed(tx, change.study_id, change.trials)
    elif trial is None:
        return
    elif change.how == "give back":
        sql.give_back_for(tx, trial)
    elif change.how == "remove lease":
        sql.remove_lease(tx, trial)
    elif change.how == "wait again":
        sql.let_wait_again(tx, change.study_id, trial, dict(change.runs))
    elif change.how == "values":
        sql.replace_values(tx, trial, change.values)


def _by_number(unit: Unit, study_id: int) -> dict[int, TrialFacts]:
    is_fresh = unit.confirmation is not None and unit.confirmation.study_id == study_id
    return {trial.number: trial for trial in (unit.fresh if is_fresh else unit.trials)}


def _once(changes: Sequence[Change]) -> list[Change]:
    """Each change once; the runs that a trial makes again together."""
    runs: dict[tuple[int, int], dict[str, str]] = {}
    for one in changes:
        if isinstance(one, SearchChange) and one.how == "wait again":
            runs.setdefault((one.study_id, one.number), {}).update(one.runs)
    kept: dict[str, Change] = {}
    for one in changes:
        if isinstance(one, SearchChange) and one.how == "wait again":
            one = replace(one, runs=tuple(sorted(runs[one.study_id, one.number].items())))
        kept.setdefault(repr(one), one)
    return list(kept.values())


def _remove(path: Path) -> None:
    try:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: cannot be deleted: {error.strerror}; delete it by hand") from error
