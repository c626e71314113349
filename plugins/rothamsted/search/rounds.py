"""What moves a sweep from one round to the next: trials put back with more to do, by exactly one process.

Apart from `claims`, which decides who holds one trial: here whoever finds a round finished may decide the next
one, and of several that decide at once one wins. Each change is one transaction that begins with a write.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from optuna.trial import TrialState

from rothamsted.search.patience import Database
from rothamsted.search.sql.tables import (
    ATTRIBUTES,
    TRIALS,
    VALUES,
    lock_study,
    set_study_attribute,
    set_trial_attributes,
    study_attribute,
)

TURN = "rothamsted:turn"
ENDED = (TrialState.COMPLETE, TrialState.FAIL)


class Rounds:
    """The rounds of one sweep's trials; one object a thread."""

    def __init__(self, database: Database, study_id: int) -> None:
        self._database = database
        self._study_id = study_id

    def put_back(self, trials: Mapping[int, Mapping[str, Any]]) -> int:
        """Put ended trials (by number) back to waiting, each with attributes to set; returns how many were."""
        if not trials:
            return 0
        return self._database.run(lambda tx: self._put_back(tx, trials))

    def begin(self, key: str, *, seen: Any, new: Any, trials: Mapping[int, Mapping[str, Any]]) -> bool:
        """Begin the next round: set the sweep's attribute `key` and put trials back, in one transaction.

        Args:
            key: the attribute that says which round it is.
            seen: its value when the decision was made; None: it was not there.
            new: its value from now on.
            trials: number -> attributes to set, of the trials that go on.

        Returns:
            False, with nothing done, where another process was first: the attribute is not `seen` any more, or
            a trial has not ended.
        """

        def begin(tx: sa.Connection) -> bool:
            lock_study(tx, self._study_id)
            if study_attribute(tx, self._study_id, key) != seen or self._n_open(tx):
                return False
            self._put_back(tx, trials)
            set_study_attribute(tx, self._study_id, key, new)
            return True

        return self._database.run(begin)

    def take_turn(self, holder: str, seconds: float) -> bool:
        """Whether `holder` alone may now do what cannot be one transaction; ends after so many seconds."""

        def take(tx: sa.Connection) -> bool:
            lock_study(tx, self._study_id)
            turn = study_attribute(tx, self._study_id, TURN)
            if turn is not None and turn["holder"] != holder and turn["expires"] > time.time():
                return False
            set_study_attribute(tx, self._study_id, TURN, {"holder": holder, "expires": time.time() + seconds})
            return True

        return self._database.run(take)

    def end_turn(self, holder: str | None) -> None:
        """Give the turn back; of a holder that is dead, so that nobody waits for its end."""

        def end(tx: sa.Connection) -> None:
            lock_study(tx, self._study_id)
            turn = study_attribute(tx, self._study_id, TURN)
            if turn is not None and turn["holder"] == holder:
                set_study_attribute(tx, self._study_id, TURN, {**turn, "expires": 0.0})

        self._database.run(end)

    def turn_holder(self) -> str | None:
        """Who has the turn now."""
        turn = self._database.read(lambda connection: study_attribute(connection, self._study_id, TURN))
        return turn["holder"] if turn is not None and turn["expires"] > time.time() else None

    def attributes(self, keys: Collection[str]) -> dict[int, dict[str, Any]]:
        """Some user attributes of every trial, by number, in one query; a trial without any is there too."""
        query = (
            sa.select(TRIALS.c.number, ATTRIBUTES.c.key, ATTRIBUTES.c.value_json)
            .select_from(TRIALS)
            .outerjoin(
                ATTRIBUTES,
                sa.and_(ATTRIBUTES.c.trial_id == TRIALS.c.trial_id, ATTRIBUTES.c.key.in_(list(keys))),
            )
            .where(TRIALS.c.study_id == self._study_id)
            .order_by(TRIALS.c.number)
        )
        found: dict[int, dict[str, Any]] = {}
        for number, key, text in self._database.read(lambda connection: connection.execute(query).all()):
            of_trial = found.setdefault(number, {})
            if key is not None:
                of_trial[key] = json.loads(text)
        return found

    # ---- within ----

    def _put_back(self, tx: sa.Connection, trials: Mapping[int, Mapping[str, Any]]) -> int:
        n_put_back = 0
        for number, attributes in trials.items():
            trial_id = tx.execute(
                sa.update(TRIALS)
                .where(TRIALS.c.study_id == self._study_id, TRIALS.c.number == number, TRIALS.c.state.in_(ENDED))
                .values(state=TrialState.WAITING, datetime_complete=None)
                .returning(TRIALS.c.trial_id)
            ).scalar()
            if trial_id is None:
                continue
            n_put_back += 1
            tx.execute(sa.delete(VALUES).where(VALUES.c.trial_id == trial_id))
            set_trial_attributes(tx, trial_id, attributes)
        return n_put_back

    def _n_open(self, tx: sa.Connection) -> int:
        waiting = TRIALS.c.state.in_([TrialState.WAITING, TrialState.RUNNING])
        query = sa.select(sa.func.count()).where(TRIALS.c.study_id == self._study_id, waiting)
        return tx.execute(query).scalar_one()
