"""End a trial: write its state, values, constraints, attributes and note in one transaction.

It writes what Optuna's `Study.tell` would write.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from optuna.trial import TrialState

from rothamsted.search.sql.repeats import CONSTRAINTS, tell_repeats
from rothamsted.search.sql.tables import (
    TRIALS,
    insert_values,
    last_report,
    now_as_stored,
    set_note,
    set_trial_attributes,
    set_trial_system_attribute,
)
from rothamsted.search.told import State, Told

STATES: Mapping[State | None, TrialState] = {
    "complete": TrialState.COMPLETE,
    "failed": TrialState.FAIL,
    "pruned": TrialState.PRUNED,
}
_END = (
    sa.update(TRIALS)
    .where(TRIALS.c.trial_id == sa.bindparam("of_trial"), TRIALS.c.state == TrialState.RUNNING)
    .values(state=sa.bindparam("ended_as"), datetime_complete=sa.bindparam("ended_at"))
)


def end_trial(tx: sa.Connection, study_id: int, trial_id: int, told: Told) -> bool:
    """Write the result of a running trial. False: it no longer runs, and nothing was done. The caller ends its lease.

    Its repeats get the same result.
    """
    ended = {"of_trial": trial_id, "ended_as": STATES[told.state], "ended_at": now_as_stored()}
    if not tx.execute(_END, ended).rowcount:
        return False
    values = last_report(tx, trial_id) if told.state == "pruned" else told.values
    if values:
        insert_values(tx, trial_id, values)
    if told.constraints:
        set_trial_system_attribute(tx, trial_id, CONSTRAINTS, list(told.constraints))
    set_trial_attributes(tx, trial_id, told.attributes)
    if told.note:
        set_note(tx, study_id, trial_id, told.note)
    tell_repeats(tx, study_id, trial_id)
    return True
