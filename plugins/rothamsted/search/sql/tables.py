"""Write trials, attributes, values, reports and notes into Optuna's tables, many in one transaction.

Optuna's own calls commit once per attribute (about 3 ms each).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages._rdb import models
from optuna.trial import TrialState
from sqlalchemy.dialects import postgresql, sqlite

TRIALS = models.TrialModel.__table__
STUDIES = models.StudyModel.__table__
PARAMS = models.TrialParamModel.__table__
VALUES = models.TrialValueModel.__table__
REPORTS = models.TrialIntermediateValueModel.__table__
ATTRIBUTES = models.TrialUserAttributeModel.__table__
SYSTEM_ATTRIBUTES = models.TrialSystemAttributeModel.__table__
STUDY_ATTRIBUTES = models.StudyUserAttributeModel.__table__
STUDY_SYSTEM_ATTRIBUTES = models.StudySystemAttributeModel.__table__
# Optuna 5 stores UTC and gives local time; Optuna 4 stores local time. Both lie in the same columns.
STORES_UTC = isinstance(vars(models.TrialModel).get("datetime_start"), property)
NOTE_CHARACTERS = 2045  # a note is kept in parts of this length; importing optuna_dashboard takes 1.9 s


def lock_study(tx: sa.Connection, study_id: int) -> None:
    """Take the write lock of a sweep until the transaction ends."""
    tx.execute(sa.update(STUDIES).where(STUDIES.c.study_id == study_id).values(study_name=STUDIES.c.study_name))


def insert_waiting(
    tx: sa.Connection,
    study_id: int,
    first: int,
    params: Sequence[Mapping[str, float]],
    distributions: Mapping[str, BaseDistribution],
) -> list[int]:
    """Insert waiting trials with these parameters (as Optuna stores them), numbered from `first`; returns their ids."""
    rows = [{"study_id": study_id, "number": first + i, "state": TrialState.WAITING} for i in range(len(params))]
    insert = sa.insert(TRIALS).returning(TRIALS.c.trial_id, sort_by_parameter_order=True)
    ids = list(tx.execute(insert, rows).scalars())
    texts = {name: distribution_to_json(distribution) for name, distribution in distributions.items()}
    of_all = [
        {"trial_id": trial_id, "param_name": name, "param_value": value, "distribution_json": texts[name]}
        for trial_id, of_trial in zip(ids, params, strict=True)
        for name, value in of_trial.items()
    ]
    if of_all:
        tx.execute(sa.insert(PARAMS), of_all)
    return ids


def add_trial_param(tx: sa.Connection, trial_id: int, name: str, value: float, distribution: BaseDistribution) -> None:
    """Add one parameter of a trial, as Optuna stores it. An existing one stays."""
    dialect: Any = sqlite if tx.dialect.name == "sqlite" else postgresql
    row = {
        "trial_id": trial_id,
        "param_name": name,
        "param_value": value,
        "distribution_json": distribution_to_json(distribution),
    }
    tx.execute(dialect.insert(PARAMS).values(row).on_conflict_do_nothing(index_elements=["trial_id", "param_name"]))


def set_trial_attributes(tx: sa.Connection, trial_id: int, attributes: Mapping[str, Any]) -> None:
    """Insert or replace user attributes of a trial."""
    set_attributes_of_trials(tx, {trial_id: attributes})


def set_attributes_of_trials(tx: sa.Connection, attributes: Mapping[int, Mapping[str, Any]]) -> None:
    """Insert or replace user attributes of several trials, by trial id."""
    rows = [
        {"trial_id": trial_id, "key": k, "value_json": json.dumps(v)}
        for trial_id, of_trial in attributes.items()
        for k, v in of_trial.items()
    ]
    _upsert(tx, ATTRIBUTES, ["trial_id", "key"], rows)


def set_trial_system_attribute(tx: sa.Connection, trial_id: int, key: str, value: Any) -> None:
    """Insert or replace one system attribute of a trial, where samplers and pruners keep their state."""
    row = {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)}
    _upsert(tx, SYSTEM_ATTRIBUTES, ["trial_id", "key"], [row])


def insert_values(tx: sa.Connection, trial_id: int, values: Sequence[float]) -> None:
    """Insert the values of a trial, one for each objective."""
    stored = [models.TrialValueModel.value_to_stored_repr(value) for value in values]
    rows = [
        {"trial_id": trial_id, "objective": i, "value": value, "value_type": kind}
        for i, (value, kind) in enumerate(stored)
    ]
    tx.execute(sa.insert(VALUES), rows)


def set_report(tx: sa.Connection, trial_id: int, step: int, value: float) -> None:
    """Insert or replace the value that a trial reports at a step; NaN and infinity are stored as Optuna does."""
    number, kind = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
    row = {"trial_id": trial_id, "step": step, "intermediate_value": number, "intermediate_value_type": kind}
    _upsert(tx, REPORTS, ["trial_id", "step"], [row])


def last_report(tx: sa.Connection, trial_id: int) -> tuple[float, ...]:
    """Return the value of a trial's last step, as Optuna does for a pruned trial; none if it is NaN."""
    query = (
        sa.select(REPORTS.c.intermediate_value, REPORTS.c.intermediate_value_type)
        .where(REPORTS.c.trial_id == trial_id)
        .order_by(REPORTS.c.step.desc())
        .limit(1)
    )
    found = tx.execute(query).first()
    if found is None:
        return ()
    value = models.TrialIntermediateValueModel.stored_repr_to_intermediate_value(*found)
    return () if math.isnan(value) else (value,)


def set_study_attribute(tx: sa.Connection, study_id: int, key: str, value: Any) -> None:
    """Insert or replace one user attribute of a sweep's Optuna study."""
    row = {"study_id": study_id, "key": key, "value_json": json.dumps(value)}
    _upsert(tx, STUDY_ATTRIBUTES, ["study_id", "key"], [row])


def study_attribute(connection: sa.Connection, study_id: int, key: str) -> Any:
    """Read one user attribute of a sweep's Optuna study; None if there is none."""
    query = sa.select(STUDY_ATTRIBUTES.c.value_json).where(
        STUDY_ATTRIBUTES.c.study_id == study_id, STUDY_ATTRIBUTES.c.key == key
    )
    found = connection.execute(query).scalar()
    return None if found is None else json.loads(found)


def set_note(tx: sa.Connection, study_id: int, trial_id: int | None, body: str) -> None:
    """Set the note that optuna-dashboard shows on a trial (None: on the study), as its `save_note` does."""
    prefix = "dashboard:" if trial_id is None else f"dashboard:{trial_id}:"
    parts = [body[start : start + NOTE_CHARACTERS] for start in range(0, len(body), NOTE_CHARACTERS)]
    attributes: dict[str, Any] = {f"{prefix}note_ver": 1}
    attributes |= {f"{prefix}note_str:{i}": part for i, part in enumerate(parts)}
    set_study_system_attributes(tx, study_id, attributes)


def set_study_system_attributes(tx: sa.Connection, study_id: int, attributes: Mapping[str, Any]) -> None:
    """Insert or replace system attributes of a study, where optuna-dashboard keeps what it shows."""
    rows = [{"study_id": study_id, "key": k, "value_json": json.dumps(v)} for k, v in attributes.items()]
    _upsert(tx, STUDY_SYSTEM_ATTRIBUTES, ["study_id", "key"], rows)


def now_as_stored() -> datetime:
    """Return the time now as Optuna stores it: without a zone, in UTC since Optuna 5, in local time before."""
    return datetime.now(UTC).replace(tzinfo=None) if STORES_UTC else datetime.now()


def milliseconds(stored: datetime | None) -> int:
    """Return a time of the tables in milliseconds since 1970; 0 for None.

    A `FrozenTrial` has local time instead, whatever is stored; its `timestamp()` is right.
    """
    if stored is None:
        return 0
    return round((stored.replace(tzinfo=UTC) if STORES_UTC else stored).timestamp() * 1000)


def _upsert(tx: sa.Connection, table: Any, keys: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        tx.execute(_upsert_statement(tx.dialect.name, table, tuple(keys), tuple(rows[0])), list(rows))


@cache
def _upsert_statement(dialect_name: str, table: Any, keys: tuple[str, ...], columns: tuple[str, ...]) -> sa.Executable:
    """Kept, as building it takes longer than sending it."""
    insert = (sqlite if dialect_name == "sqlite" else postgresql).insert(table)
    changed = {column: insert.excluded[column] for column in columns if column not in keys}
    return insert.on_conflict_do_update(index_elements=list(keys), set_=changed)
