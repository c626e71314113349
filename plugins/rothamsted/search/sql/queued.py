"""Count, add and read the trials of a search in Optuna's tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from optuna.trial import TrialState

from rothamsted.search.sql.repeats import REPEAT_OF, is_marked
from rothamsted.search.sql.tables import (
    ATTRIBUTES,
    PARAMS,
    TRIALS,
    VALUES,
    lock_study,
    now_as_stored,
    set_trial_attributes,
)

ENDED = (TrialState.COMPLETE, TrialState.FAIL)  # the trials that can be put back


def lock_and_count(tx: sa.Connection, study_id: int) -> int:
    """Take the write lock of a search, and return how many trials it has."""
    lock_study(tx, study_id)
    return tx.execute(sa.select(sa.func.count()).where(TRIALS.c.study_id == study_id)).scalar_one()


def count_by_state(connection: sa.Connection, study_id: int) -> dict[TrialState, int]:
    """Count the trials in each state; repeats of others are left out."""
    query = (
        sa.select(TRIALS.c.state, sa.func.count().label("n"))
        .where(TRIALS.c.study_id == study_id, ~is_marked(REPEAT_OF))
        .group_by(TRIALS.c.state)
    )
    return {row.state: row.n for row in connection.execute(query)}


def insert_running(tx: sa.Connection, study_id: int, number: int) -> int:
    """Add a running trial without parameters; returns its id."""
    row = {"study_id": study_id, "number": number, "state": TrialState.RUNNING, "datetime_start": now_as_stored()}
    return tx.execute(sa.insert(TRIALS).values(row).returning(TRIALS.c.trial_id)).scalar_one()


def params_of(connection: sa.Connection, trial_ids: Sequence[int]) -> dict[int, dict[str, float]]:
    """Return the parameters of each of these trials, as Optuna stores them."""
    query = sa.select(PARAMS.c.trial_id, PARAMS.c.param_name, PARAMS.c.param_value)
    found: dict[int, dict[str, float]] = {trial_id: {} for trial_id in trial_ids}
    for trial_id, name, value in connection.execute(query.where(PARAMS.c.trial_id.in_(list(trial_ids)))):
        found[trial_id][name] = value
    return found


def attributes_of(connection: sa.Connection, trial_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return the user attributes of each of these trials."""
    query = sa.select(ATTRIBUTES.c.trial_id, ATTRIBUTES.c.key, ATTRIBUTES.c.value_json)
    found: dict[int, dict[str, Any]] = {trial_id: {} for trial_id in trial_ids}
    for trial_id, key, text in connection.execute(query.where(ATTRIBUTES.c.trial_id.in_(list(trial_ids)))):
        found[trial_id][key] = json.loads(text)
    return found


def set_on_open(tx: sa.Connection, study_id: int, trials: Mapping[int, Mapping[str, Any]]) -> None:
    """Set attributes of trials (by number) that are not over; one that has ended meanwhile is left as it is."""
    for number, attributes in trials.items():
        of_trial = sa.select(TRIALS.c.trial_id).where(
            TRIALS.c.study_id == study_id, TRIALS.c.number == number, TRIALS.c.state.not_in(ENDED)
        )
        if (trial_id := tx.execute(of_trial).scalar()) is not None:
            set_trial_attributes(tx, trial_id, attributes)


def put_back(tx: sa.Connection, study_id: int, trials: Mapping[int, Mapping[str, Any]]) -> int:
    """Put ended trials (by number) back to waiting, each with attributes to set, and return how many were put back."""
    n_put_back = 0
    for number, attributes in trials.items():
        trial_id = tx.execute(
            sa.update(TRIALS)
            .where(TRIALS.c.study_id == study_id, TRIALS.c.number == number, TRIALS.c.state.in_(ENDED))
            .values(state=TrialState.WAITING, datetime_complete=None)
            .returning(TRIALS.c.trial_id)
        ).scalar()
        if trial_id is None:
            continue
        n_put_back += 1
        tx.execute(sa.delete(VALUES).where(VALUES.c.trial_id == trial_id))
        set_trial_attributes(tx, trial_id, attributes)
    return n_put_back
