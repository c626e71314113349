"""Decide whether running trials should stop: Optuna's pruners on the reports in Optuna's tables.

A pruner is asked at every measurement, so it sees a view of the storage that reads only changes. The thousand waiting
trials of a design cost nothing.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Container, Iterable, Mapping
from datetime import datetime
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.storages import RDBStorage, _CachedStorage
from optuna.storages._rdb import models
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from rothamsted.search.lease import Lease
from rothamsted.search.patience import Database
from rothamsted.search.sql.repeats import REPEAT_OF, is_marked
from rothamsted.search.sql.tables import REPORTS, SYSTEM_ATTRIBUTES, TRIALS, VALUES, set_trial_system_attribute

ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
KEYS = ("completed_rung_%", "constraints%")  # the system attributes that pruners look at
CHUNK = 500  # ids in one query; SQLite takes 32,766 variables, older ones 999


class Pruning:
    """Asks one sweep's pruner. Each thread has its own object."""

    def __init__(self, backend: RDBStorage, study_name: str, pruner: optuna.pruners.BasePruner) -> None:
        self._view = _Judged(backend, study_name)
        self._pruner = pruner
        self._study = optuna.Study(study_name, self._view, sampler=optuna.samplers.RandomSampler(), pruner=pruner)

    def should_prune(self, lease: Lease, step: int, values: Mapping[int, float]) -> bool:
        """Say whether a running trial with these values up to `step` should stop there."""
        self._view.refresh()
        self._view.lease = lease
        own = self._view.running.get(lease.trial_id)
        if own is None:
            return False  # another worker has taken it over and ended it
        trial = copy.copy(own)
        trial.intermediate_values = {at: float(values[at]) for at in sorted(values) if at <= step}
        return bool(self._pruner.prune(self._study, trial))


class _Judged(_CachedStorage):
    """Running and ended trials with what pruners look at, read anew where they changed."""

    def __init__(self, backend: RDBStorage, study_name: str) -> None:
        super().__init__(backend)
        self._database = Database(backend.engine)
        self._name = study_name
        self._id = backend.get_study_id_from_name(study_name)
        self._ended: dict[int, FrozenTrial] = {}
        self._all: list[FrozenTrial] = []
        self._seen: tuple[Any, ...] = ()
        self.running: dict[int, FrozenTrial] = {}
        self.lease: Lease | None = None  # of the trial that is judged

    def refresh(self) -> None:
        """Read what has changed since the last look."""

        def read(connection: sa.Connection) -> None:
            is_repeat = is_marked(REPEAT_OF)  # its trial is there itself
            ended = sa.and_(TRIALS.c.study_id == self._id, TRIALS.c.state.in_(ENDED), ~is_repeat)
            last = sa.select(sa.func.count(), sa.func.max(TRIALS.c.datetime_complete)).where(ended)
            now = tuple(connection.execute(last).one())
            if now != self._seen:
                self._read_ended(connection, ended)
                self._seen = now
            self.running = self._read_running(connection)

        self._database.read(read)
        self._all = sorted([*self._ended.values(), *self.running.values()], key=lambda trial: trial.number)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """The trials as of the last look, in order; those that wait are left out."""
        found = [trial for trial in self._all if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        """The complete trial with the best value, as of the last look."""
        complete = [trial for trial in self._ended.values() if trial.state == TrialState.COMPLETE]
        if not complete:
            raise ValueError("No trials are completed yet.")
        is_largest = self.get_study_directions(study_id)[0] == StudyDirection.MAXIMIZE
        best: Callable[..., FrozenTrial] = max if is_largest else min
        return best(sorted(complete, key=lambda trial: trial.number), key=lambda trial: trial.value)

    def get_study_id_from_name(self, study_name: str) -> int:
        """The id of the search; Hyperband asks for it at every decision."""
        return self._id

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Keep a rung of the trial that is judged in the storage, where the other workers see it."""
        if self.lease is None or self.lease.trial_id != trial_id:
            raise ValueError(f"trial id {trial_id}: a pruner may remember something of the judged trial only")
        self.lease.write(lambda tx: set_trial_system_attribute(tx, trial_id, key, value))

    # ---- within ----

    def _read_ended(self, connection: sa.Connection, ended: sa.ColumnElement[bool]) -> None:
        columns = (TRIALS.c.trial_id, TRIALS.c.number, TRIALS.c.state, TRIALS.c.datetime_complete)
        rows = {row.trial_id: row for row in connection.execute(sa.select(*columns).where(ended))}
        old = {i: trial for i, trial in self._ended.items() if i in rows and _is_unchanged(trial, rows[i])}
        new = {i: _trial(i, row.number, row.state, row.datetime_complete) for i, row in rows.items() if i not in old}
        for ids in _chunks(list(new)):
            values = sa.select(VALUES.c.trial_id, VALUES.c.value, VALUES.c.value_type).where(
                VALUES.c.trial_id.in_(ids), VALUES.c.objective == 0
            )
            for trial_id, value, kind in connection.execute(values):
                new[trial_id].value = models.TrialValueModel.stored_repr_to_value(value, kind)
            reports = sa.select(
                REPORTS.c.trial_id, REPORTS.c.step, REPORTS.c.intermediate_value, REPORTS.c.intermediate_value_type
            ).where(REPORTS.c.trial_id.in_(ids))
            for trial_id, step, value, kind in connection.execute(reports):
                number = models.TrialIntermediateValueModel.stored_repr_to_intermediate_value(value, kind)
                new[trial_id].intermediate_values[step] = number
            attributes = sa.select(
                SYSTEM_ATTRIBUTES.c.trial_id, SYSTEM_ATTRIBUTES.c.key, SYSTEM_ATTRIBUTES.c.value_json
            ).where(SYSTEM_ATTRIBUTES.c.trial_id.in_(ids), _is_looked_at())
            for trial_id, key, text in connection.execute(attributes):
                _set_attribute(new[trial_id], key, text)
        self._ended = {**old, **new}

    def _read_running(self, connection: sa.Connection) -> dict[int, FrozenTrial]:
        of_trial = sa.and_(SYSTEM_ATTRIBUTES.c.trial_id == TRIALS.c.trial_id, _is_looked_at())
        query = (
            sa.select(TRIALS.c.trial_id, TRIALS.c.number, SYSTEM_ATTRIBUTES.c.key, SYSTEM_ATTRIBUTES.c.value_json)
            .select_from(TRIALS)
            .outerjoin(SYSTEM_ATTRIBUTES, of_trial)
            .where(TRIALS.c.study_id == self._id, TRIALS.c.state == TrialState.RUNNING, ~is_marked(REPEAT_OF))
        )
        running: dict[int, FrozenTrial] = {}
        for trial_id, number, key, text in connection.execute(query):
            trial = running.setdefault(trial_id, _trial(trial_id, number, TrialState.RUNNING, None))
            if key is not None:
                _set_attribute(trial, key, text)
        return running


def _trial(trial_id: int, number: int, state: TrialState, ended_at: datetime | None) -> FrozenTrial:
    """A trial without what no pruner looks at: parameters and user attributes."""
    return FrozenTrial(
        number=number,
        state=state,
        value=None,
        datetime_start=None,
        datetime_complete=ended_at,
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
        trial_id=trial_id,
    )


def _set_attribute(trial: FrozenTrial, key: str, text: str) -> None:
    trial.system_attrs = {**trial.system_attrs, key: json.loads(text)}


def _is_unchanged(trial: FrozenTrial, row: Any) -> bool:
    return (trial.state, trial.datetime_complete) == (row.state, row.datetime_complete)


def _is_looked_at() -> sa.ColumnElement[bool]:
    return sa.or_(*(SYSTEM_ATTRIBUTES.c.key.like(key) for key in KEYS))


def _chunks(ids: list[int]) -> Iterable[list[int]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
