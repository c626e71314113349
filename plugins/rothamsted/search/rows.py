"""Attributes and notes as rows of Optuna's tables, many in one transaction.

Apart from the queue because Optuna's own calls commit once per attribute (about 3 ms each).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from optuna.storages._rdb import models
from sqlalchemy.dialects import postgresql, sqlite

TRIALS = models.TrialModel.__table__
STUDIES = models.StudyModel.__table__
PARAMS = models.TrialParamModel.__table__
VALUES = models.TrialValueModel.__table__
ATTRIBUTES = models.TrialUserAttributeModel.__table__
STUDY_ATTRIBUTES = models.StudyUserAttributeModel.__table__
STUDY_SYSTEM_ATTRIBUTES = models.StudySystemAttributeModel.__table__
NOTE_CHARACTERS = 2045  # a note is kept in parts of this length; importing optuna_dashboard takes 1.9 s


def lock_study(tx: sa.Connection, study_id: int) -> None:
    """Take the write lock of a sweep until the transaction ends."""
    tx.execute(sa.update(STUDIES).where(STUDIES.c.study_id == study_id).values(study_name=STUDIES.c.study_name))


def set_trial_attributes(tx: sa.Connection, trial_id: int, attributes: Mapping[str, Any]) -> None:
    """Insert or replace user attributes of a trial."""
    rows = [{"trial_id": trial_id, "key": k, "value_json": json.dumps(v)} for k, v in attributes.items()]
    _upsert(tx, ATTRIBUTES, ["trial_id", "key"], rows)


def set_study_attribute(tx: sa.Connection, study_id: int, key: str, value: Any) -> None:
    """Insert or replace one user attribute of a sweep's Optuna study."""
    row = {"study_id": study_id, "key": key, "value_json": json.dumps(value)}
    _upsert(tx, STUDY_ATTRIBUTES, ["study_id", "key"], [row])


def set_note(tx: sa.Connection, study_id: int, trial_id: int | None, body: str) -> None:
    """The note that optuna-dashboard shows on a trial (None: on the study), stored as its `save_note` does."""
    prefix = "dashboard:" if trial_id is None else f"dashboard:{trial_id}:"
    parts = [body[start : start + NOTE_CHARACTERS] for start in range(0, len(body), NOTE_CHARACTERS)]
    attributes: dict[str, Any] = {f"{prefix}note_ver": 1}
    attributes |= {f"{prefix}note_str:{i}": part for i, part in enumerate(parts)}
    rows = [{"study_id": study_id, "key": k, "value_json": json.dumps(v)} for k, v in attributes.items()]
    _upsert(tx, STUDY_SYSTEM_ATTRIBUTES, ["study_id", "key"], rows)


def utc_now() -> datetime:
    """Now, as Optuna stores it: UTC without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def _upsert(tx: sa.Connection, table: Any, keys: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    if tx.dialect.name in ("sqlite", "postgresql"):
        dialect = sqlite if tx.dialect.name == "sqlite" else postgresql
        insert = dialect.insert(table)
        insert = insert.on_conflict_do_update(
            index_elements=list(keys), set_={"value_json": insert.excluded.value_json}
        )
        tx.execute(insert, list(rows))
        return
    for row in rows:  # other databases: replace one at a time
        tx.execute(sa.delete(table).where(*(table.c[key] == row[key] for key in keys)))
    tx.execute(sa.insert(table), list(rows))
