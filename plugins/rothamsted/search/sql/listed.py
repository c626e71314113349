"""Read all searches of a database from Optuna's tables: attributes, progress, best trial.

A few queries read all searches together, however many trials they have.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from optuna.storages._rdb import models
from optuna.study import StudyDirection
from optuna.trial import TrialState

from rothamsted.search.sql.repeats import CONSTRAINTS, REPEAT_OF, is_marked
from rothamsted.search.sql.tables import (
    ATTRIBUTES,
    PARAMS,
    STUDIES,
    STUDY_ATTRIBUTES,
    SYSTEM_ATTRIBUTES,
    TRIALS,
    VALUES,
    milliseconds,
)

DIRECTIONS = models.StudyDirectionModel.__table__
_FINITE = models.TrialValueModel.TrialValueType.FINITE
_MOST_LOOKED_AT = 50  # of the best trials of a search, for one that keeps its constraints
_IDS_A_QUERY = 1000  # SQLite takes 32,766 parameters in one statement


@dataclass(frozen=True, kw_only=True)
class CountedTrials:
    """Counts the trials of a search by state, without repeats.

    Attributes:
        n_waiting, n_running, n_complete, n_failed, n_pruned: how many.
        first_ms: when the first began; 0: none has.
        last_ms: when the last ended; 0: none has.
        mean_seconds: mean time of a complete trial from start to end; 0: none is complete.
    """

    n_waiting: int = 0
    n_running: int = 0
    n_complete: int = 0
    n_failed: int = 0
    n_pruned: int = 0
    first_ms: int = 0
    last_ms: int = 0
    mean_seconds: float = 0.0

    @property
    def n_over(self) -> int:
        """Count those that are complete, pruned or failed."""
        return self.n_complete + self.n_failed + self.n_pruned

    @property
    def n(self) -> int:
        """Count them in all."""
        return self.n_over + self.n_running + self.n_waiting


@dataclass(frozen=True, kw_only=True)
class BestTrial:
    """Holds the best trial of a search by its first objective, among those that keep the constraints if some do."""

    number: int
    stored: Mapping[str, float]  # its parameters, as Optuna stores them
    attributes: Mapping[str, Any]


def attributes_of_studies(connection: sa.Connection, keys: Collection[str]) -> dict[int, tuple[str, dict[str, Any]]]:
    """Return the name and these user attributes of every study, by id."""
    wanted = sa.and_(STUDY_ATTRIBUTES.c.study_id == STUDIES.c.study_id, STUDY_ATTRIBUTES.c.key.in_(list(keys)))
    query = (
        sa.select(STUDIES.c.study_id, STUDIES.c.study_name, STUDY_ATTRIBUTES.c.key, STUDY_ATTRIBUTES.c.value_json)
        .select_from(STUDIES)
        .outerjoin(STUDY_ATTRIBUTES, wanted)
        .order_by(STUDIES.c.study_id)
    )
    found: dict[int, tuple[str, dict[str, Any]]] = {}
    for study_id, name, key, text in connection.execute(query):
        _, attributes = found.setdefault(study_id, (name, {}))
        if key is not None:
            attributes[key] = json.loads(text)
    return found


def counted_trials(connection: sa.Connection) -> dict[int, CountedTrials]:
    """Count the trials of every search by state. A search without trials is left out."""
    query = (
        sa.select(
            TRIALS.c.study_id,
            TRIALS.c.state,
            sa.func.count().label("n"),
            sa.func.min(TRIALS.c.datetime_start).label("first"),
            sa.func.max(TRIALS.c.datetime_complete).label("last"),
            sa.func.avg(_seconds(connection.dialect.name)).label("seconds"),
        )
        .where(~is_marked(REPEAT_OF))
        .group_by(TRIALS.c.study_id, TRIALS.c.state)
    )
    rows: dict[int, list[Any]] = {}
    for row in connection.execute(query):
        rows.setdefault(row.study_id, []).append(row)
    return {study_id: _counted(of_study) for study_id, of_study in rows.items()}


def _seconds(dialect_name: str) -> sa.ColumnElement[float]:
    """How long a trial took."""
    start, end = TRIALS.c.datetime_start, TRIALS.c.datetime_complete
    if dialect_name == "sqlite":
        return (sa.func.julianday(end) - sa.func.julianday(start)) * 86400.0
    return sa.cast(sa.extract("epoch", end - start), sa.Float)


def best_trials(
    connection: sa.Connection, keys: Collection[str], study_ids: Collection[int] | None = None
) -> dict[int, BestTrial]:
    """Return the best trial of every search that has one with a finite value, with these user attributes.

    Args:
        connection: a connection to the database.
        keys: keys of user attributes.
        study_ids: ids of the searches; None: all.
    """
    chosen: dict[int, tuple[int, int]] = {}
    kept: set[int] = set()  # searches whose best trial is known to keep its constraints
    for study_id, trial_id, number, constraints in connection.execute(_leading(study_ids)):
        keeps = constraints is None or all(violation <= 0 for violation in json.loads(constraints))
        if study_id not in chosen or (keeps and study_id not in kept):
            chosen[study_id] = (trial_id, number)
        if keeps:
            kept.add(study_id)
    ids = [trial_id for trial_id, _ in chosen.values()]
    stored, attributes = _params(connection, ids), _attributes(connection, ids, keys)
    return {
        study_id: BestTrial(number=number, stored=stored.get(trial_id, {}), attributes=attributes.get(trial_id, {}))
        for study_id, (trial_id, number) in chosen.items()
    }


def _leading(study_ids: Collection[int] | None) -> sa.Select:
    """The first few trials of each search by its first objective, the best first, with their constraints."""
    is_maximized = DIRECTIONS.c.direction == StudyDirection.MAXIMIZE
    cost = sa.case((is_maximized, -VALUES.c.value), else_=VALUES.c.value)
    order = sa.func.row_number().over(partition_by=TRIALS.c.study_id, order_by=(cost, TRIALS.c.number))
    ranked = (
        sa.select(TRIALS.c.study_id, TRIALS.c.trial_id, TRIALS.c.number, order.label("place"))
        .join(VALUES, sa.and_(VALUES.c.trial_id == TRIALS.c.trial_id, VALUES.c.objective == 0))
        .join(DIRECTIONS, sa.and_(DIRECTIONS.c.study_id == TRIALS.c.study_id, DIRECTIONS.c.objective == 0))
        .where(TRIALS.c.state == TrialState.COMPLETE, VALUES.c.value_type == _FINITE, ~is_marked(REPEAT_OF))
    )
    if study_ids is not None:
        ranked = ranked.where(TRIALS.c.study_id.in_(list(study_ids)))
    first = ranked.subquery()
    of_trial = sa.and_(SYSTEM_ATTRIBUTES.c.trial_id == first.c.trial_id, SYSTEM_ATTRIBUTES.c.key == CONSTRAINTS)
    return (
        sa.select(first.c.study_id, first.c.trial_id, first.c.number, SYSTEM_ATTRIBUTES.c.value_json)
        .select_from(first)
        .outerjoin(SYSTEM_ATTRIBUTES, of_trial)
        .where(first.c.place <= _MOST_LOOKED_AT)
        .order_by(first.c.study_id, first.c.place)
    )


def _params(connection: sa.Connection, trial_ids: Sequence[int]) -> dict[int, dict[str, float]]:
    found: dict[int, dict[str, float]] = {}
    for start in range(0, len(trial_ids), _IDS_A_QUERY):
        some = PARAMS.c.trial_id.in_(trial_ids[start : start + _IDS_A_QUERY])
        query = sa.select(PARAMS.c.trial_id, PARAMS.c.param_name, PARAMS.c.param_value).where(some)
        for trial_id, name, value in connection.execute(query):
            found.setdefault(trial_id, {})[name] = value
    return found


def _attributes(
    connection: sa.Connection, trial_ids: Sequence[int], keys: Collection[str]
) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for start in range(0, len(trial_ids), _IDS_A_QUERY):
        some = ATTRIBUTES.c.trial_id.in_(trial_ids[start : start + _IDS_A_QUERY])
        query = sa.select(ATTRIBUTES.c.trial_id, ATTRIBUTES.c.key, ATTRIBUTES.c.value_json).where(
            some, ATTRIBUTES.c.key.in_(list(keys))
        )
        for trial_id, key, text in connection.execute(query):
            found.setdefault(trial_id, {})[key] = json.loads(text)
    return found


def _counted(rows: Sequence[Any]) -> CountedTrials:
    n_of: dict[TrialState, int] = {row.state: row.n for row in rows}
    begun: list[datetime] = [row.first for row in rows if row.first is not None]
    ended: list[datetime] = [row.last for row in rows if row.last is not None]
    return CountedTrials(
        n_waiting=n_of.get(TrialState.WAITING, 0),
        n_running=n_of.get(TrialState.RUNNING, 0),
        n_complete=n_of.get(TrialState.COMPLETE, 0),
        n_failed=n_of.get(TrialState.FAIL, 0),
        n_pruned=n_of.get(TrialState.PRUNED, 0),
        first_ms=milliseconds(min(begun)) if begun else 0,
        last_ms=milliseconds(max(ended)) if ended else 0,
        mean_seconds=next((float(row.seconds or 0) for row in rows if row.state is TrialState.COMPLETE), 0.0),
    )
