"""Find, mark and complete trials that repeat another one, in Optuna's tables.

A repeat is never trained. It points to the trial with its condition, and gets the same state, values and constraints,
so that a sampler learns as if it had been trained again. Until the other trial ends it is running, without a holder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import sqlalchemy as sa
from optuna.trial import TrialState

from rothamsted.search.sql.tables import (
    ATTRIBUTES,
    PARAMS,
    REPORTS,
    SYSTEM_ATTRIBUTES,
    TRIALS,
    VALUES,
    now_as_stored,
    set_note,
    set_trial_attributes,
)

REPEAT_OF = "rothamsted:repeat_of"  # of a repeat: number of the trial whose condition it has
REPEATED_BY = "rothamsted:repeated_by"  # of that trial: numbers of its repeats
ASKED = "rothamsted:asked"  # of a trial whose condition is only being proposed: it may still turn out to be a repeat
CONSTRAINTS = "constraints"  # Optuna's key of a trial's constraints; as a list, which optuna-dashboard reads too

Bounds = Mapping[str, tuple[float, float]]  # parameter -> least and greatest stored number that is the same value


def is_marked(*keys: str) -> sa.ColumnElement[bool]:
    """Return the SQL clause that a trial has one of these user attributes."""
    of_trial = sa.and_(ATTRIBUTES.c.trial_id == TRIALS.c.trial_id, ATTRIBUTES.c.key.in_(keys))
    return sa.select(ATTRIBUTES.c.trial_id).where(of_trial).correlate(TRIALS).exists()


def count_repeats(connection: sa.Connection, study_id: int) -> int:
    """Count the trials of a search that repeat another."""
    count = sa.select(sa.func.count()).where(TRIALS.c.study_id == study_id, is_marked(REPEAT_OF))
    return connection.execute(count).scalar_one()


def equal_trial(tx: sa.Connection, study_id: int, trial_id: int, values: Bounds) -> tuple[int, int] | None:
    """Return id and number of the first trial with these values that is not a repeat; None: the condition is new.

    A trial that is still being proposed does not count: it will look for equal ones itself.
    """
    same = [_has(name, *bounds) for name, bounds in values.items()]  # a trial is left at the first that differs
    query = (
        sa.select(TRIALS.c.trial_id, TRIALS.c.number)
        .where(TRIALS.c.study_id == study_id, TRIALS.c.trial_id != trial_id, *same, ~is_marked(REPEAT_OF, ASKED))
        .order_by(TRIALS.c.number)
        .limit(1)
    )
    found = tx.execute(query).first()
    return None if found is None else (found.trial_id, found.number)


def _has(name: str, least: float, greatest: float) -> sa.ColumnElement[bool]:
    """Whether a trial's parameter lies there."""
    of_trial = sa.and_(PARAMS.c.trial_id == TRIALS.c.trial_id, PARAMS.c.param_name == name)
    there = sa.select(PARAMS.c.trial_id).where(of_trial, PARAMS.c.param_value.between(least, greatest))
    return there.correlate(TRIALS).exists()


def mark_repeat(tx: sa.Connection, study_id: int, trial_id: int, number: int, of: tuple[int, int]) -> None:
    """Make a trial without a holder the repeat of another (id, number), and give it that trial's result."""
    of_id, of_number = of
    # Locked, so that it does not end meanwhile: then it would not see that it has a repeat.
    tx.execute(sa.update(TRIALS).where(TRIALS.c.trial_id == of_id).values(number=TRIALS.c.number))
    set_trial_attributes(tx, of_id, {REPEATED_BY: [*_repeats_of(tx, of_id), number]})
    no_more_asked(tx, trial_id)
    set_trial_attributes(tx, trial_id, {REPEAT_OF: of_number})
    set_note(
        tx,
        study_id,
        trial_id,
        f"repeat of trial {of_number}: not trained again, it gets the result of trial {of_number}",
    )
    _copy_end(tx, of_id, trial_id)


def no_more_asked(tx: sa.Connection, trial_id: int) -> None:
    """Record that the condition of a trial is final."""
    tx.execute(sa.delete(ATTRIBUTES).where(ATTRIBUTES.c.trial_id == trial_id, ATTRIBUTES.c.key == ASKED))


def tell_repeats(tx: sa.Connection, study_id: int, trial_id: int) -> None:
    """Give the repeats of a trial that has just ended its result."""
    numbers = _repeats_of(tx, trial_id)
    if numbers:
        of_study = sa.select(TRIALS.c.trial_id).where(TRIALS.c.study_id == study_id, TRIALS.c.number.in_(numbers))
        for repeat_id in tx.execute(of_study).scalars().all():
            _copy_end(tx, trial_id, repeat_id)


def _repeats_of(tx: sa.Connection, trial_id: int) -> list[int]:
    query = sa.select(ATTRIBUTES.c.value_json).where(ATTRIBUTES.c.trial_id == trial_id, ATTRIBUTES.c.key == REPEATED_BY)
    found = tx.execute(query).scalar()
    return [] if found is None else json.loads(found)


def _copy_end(tx: sa.Connection, of_id: int, trial_id: int) -> None:
    """State, values and constraints of a trial that has ended; of a pruned one its last report, which samplers see."""
    state = tx.execute(sa.select(TRIALS.c.state).where(TRIALS.c.trial_id == of_id)).scalar_one()
    if not state.is_finished():
        return
    now = now_as_stored()
    tx.execute(sa.update(TRIALS).where(TRIALS.c.trial_id == trial_id).values(state=state, datetime_complete=now))
    _copy(tx, VALUES, ["objective", "value", "value_type"], of_id, trial_id)
    _copy(tx, SYSTEM_ATTRIBUTES, ["key", "value_json"], of_id, trial_id, SYSTEM_ATTRIBUTES.c.key == CONSTRAINTS)
    if state == TrialState.PRUNED:
        last = sa.select(sa.func.max(REPORTS.c.step)).where(REPORTS.c.trial_id == of_id).scalar_subquery()
        columns = ["step", "intermediate_value", "intermediate_value_type"]
        _copy(tx, REPORTS, columns, of_id, trial_id, REPORTS.c.step == last)


def _copy(
    tx: sa.Connection,
    table: sa.Table,
    columns: list[str],
    of_id: int,
    trial_id: int,
    *which: sa.ColumnElement[bool],
) -> None:
    """Put these rows of one trial in the place of another's."""
    rows = tx.execute(sa.select(*(table.c[name] for name in columns)).where(table.c.trial_id == of_id, *which)).all()
    if table is SYSTEM_ATTRIBUTES:
        tx.execute(sa.delete(table).where(table.c.trial_id == trial_id, *which))
    else:
        tx.execute(sa.delete(table).where(table.c.trial_id == trial_id))
    if rows:
        tx.execute(sa.insert(table), [{**row._asdict(), "trial_id": trial_id} for row in rows])
