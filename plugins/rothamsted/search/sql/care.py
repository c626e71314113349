"""Read all trials of searches from Optuna's tables, and make the changes that repair them.

A few queries read all searches together. Each change checks the state that it expects, so a second call does nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from optuna.storages._rdb import models
from optuna.trial import TrialState

from rothamsted.search.sql.leases import DEATHS, LEASE, RUNS, TOKEN
from rothamsted.search.sql.named import SWEEP_LEASE
from rothamsted.search.sql.queued import put_back
from rothamsted.search.sql.repeats import REPEAT_OF
from rothamsted.search.sql.tables import (
    ATTRIBUTES,
    SYSTEM_ATTRIBUTES,
    TRIALS,
    VALUES,
    insert_values,
    set_study_attribute,
    set_trial_attributes,
    study_attribute,
)
from rothamsted.tags import CONFIRMED, CONFIRMS, PRUNED, RESULT, RUN_ID

_KEYS = (LEASE, RUNS, DEATHS, RUN_ID, RESULT, CONFIRMS, PRUNED, REPEAT_OF)


@dataclass(frozen=True, kw_only=True)
class TrialFacts:
    """Holds a trial as it is in the tables.

    Attributes:
        trial_id: Optuna's key.
        number: 0, 1, ... in its search.
        state: waiting, running, complete, pruned or fail.
        values: one for each objective, in their order.
        attributes: user attributes about claims and results.
        lease: its lease as stored; empty: it has none.
        token: number of the last claim; 0: the engine never claimed it.
    """

    trial_id: int
    number: int
    state: str
    values: tuple[float, ...]
    attributes: Mapping[str, Any]
    lease: str
    token: int

    @property
    def is_over(self) -> bool:
        """Say whether it is complete, pruned or failed."""
        return self.state not in ("waiting", "running")

    @property
    def replicates(self) -> Sequence[Mapping[str, Any]]:
        """Return the recorded results of its replicates."""
        return self.attributes.get(RESULT, {}).get("replicates", ())


def read_trials_of(connection: sa.Connection, study_ids: Iterable[int]) -> dict[int, list[TrialFacts]]:
    """Read the trials of these searches, by number."""
    wanted = TRIALS.c.study_id.in_(list(study_ids))
    attributes: dict[int, dict[str, Any]] = {}
    leases: dict[int, str] = {}
    for trial_id, key, text in connection.execute(_of_trials(ATTRIBUTES, ("key", "value_json"), wanted, _KEYS)):
        attributes.setdefault(trial_id, {})[key] = json.loads(text)
        if key == LEASE:
            leases[trial_id] = text
    tokens = {
        one: int(n)
        for one, _, n in connection.execute(_of_trials(SYSTEM_ATTRIBUTES, ("key", "value_json"), wanted, (TOKEN,)))
    }
    values: dict[int, list[tuple[int, float]]] = {}
    for trial_id, index, value, kind in connection.execute(
        _of_trials(VALUES, ("objective", "value", "value_type"), wanted)
    ):
        number = models.TrialValueModel.stored_repr_to_value(value, kind)
        values.setdefault(trial_id, []).append((index, number))
    found: dict[int, list[TrialFacts]] = {}
    query = sa.select(TRIALS.c.study_id, TRIALS.c.trial_id, TRIALS.c.number, TRIALS.c.state).where(wanted)
    for study_id, trial_id, number, state in connection.execute(query.order_by(TRIALS.c.number)):
        found.setdefault(study_id, []).append(
            TrialFacts(
                trial_id=trial_id,
                number=number,
                state=state.name.lower(),
                values=tuple(value for _, value in sorted(values.get(trial_id, ()))),
                attributes=attributes.get(trial_id, {}),
                lease=leases.get(trial_id, ""),
                token=tokens.get(trial_id, 0),
            )
        )
    return found


def give_back_for(tx: sa.Connection, trial: TrialFacts) -> None:
    """Release a running trial of a holder that is gone. It counts as a crash."""
    is_same = [ATTRIBUTES.c.trial_id == trial.trial_id, ATTRIBUTES.c.key == LEASE]
    found = tx.execute(sa.select(ATTRIBUTES.c.value_json).where(*is_same)).scalar()
    state = tx.execute(sa.select(TRIALS.c.state).where(TRIALS.c.trial_id == trial.trial_id)).scalar()
    if (found or "") != trial.lease or state is not TrialState.RUNNING:
        return  # somebody has it again
    held = json.loads(trial.lease) if trial.lease else {}
    ended = {"worker": "", "expires": 0.0, "token": held.get("token", trial.token)}
    deaths = [*trial.attributes.get(DEATHS, []), held.get("why", "")] if held.get("worker") else None
    tx.execute(sa.delete(VALUES).where(VALUES.c.trial_id == trial.trial_id))  # whoever tells it writes its own
    set_trial_attributes(tx, trial.trial_id, {LEASE: ended, **({DEATHS: deaths} if deaths else {})})


def remove_lease(tx: sa.Connection, trial: TrialFacts) -> None:
    """Remove the lease of a trial that does not run. If the trial is over, attributes for its holder go too."""
    keys = [LEASE, RUNS, DEATHS] if trial.is_over else [LEASE]
    tx.execute(sa.delete(ATTRIBUTES).where(ATTRIBUTES.c.trial_id == trial.trial_id, ATTRIBUTES.c.key.in_(keys)))


def let_wait_again(tx: sa.Connection, study_id: int, trial: TrialFacts, runs: Mapping[str, str]) -> None:
    """Put an ended trial back to waiting without the replicates that lost their runs, so that they are trained again.

    Args:
        tx: the transaction.
        study_id: id of its search.
        trial: as it was read.
        runs: replicate, or `trial`, -> the id under which its run is made again.
    """
    left = [one for one in trial.replicates if str(one["replicate"]) not in runs]
    changed: dict[str, Any] = {RUNS: {**trial.attributes.get(RUNS, {}), **runs}}
    changed |= {RESULT: {**trial.attributes[RESULT], "replicates": left}} if RESULT in trial.attributes else {}
    changed |= {RUN_ID: ""} if "trial" in runs else {}
    if put_back(tx, study_id, {trial.number: changed}) and CONFIRMS in trial.attributes:
        is_told = [ATTRIBUTES.c.trial_id == trial.trial_id, ATTRIBUTES.c.key == RESULT]
        tx.execute(sa.delete(ATTRIBUTES).where(*is_told))  # it is one replicate: nothing of it is left


def replace_values(tx: sa.Connection, trial: TrialFacts, values: Sequence[float]) -> None:
    """Replace the values of a trial; without values it becomes failed."""
    tx.execute(sa.delete(VALUES).where(VALUES.c.trial_id == trial.trial_id))
    state = TrialState.COMPLETE if values else TrialState.FAIL
    tx.execute(sa.update(TRIALS).where(TRIALS.c.trial_id == trial.trial_id).values(state=state))
    if values:
        insert_values(tx, trial.trial_id, [float(one) for one in values])


def leave_sweep(tx: sa.Connection, study_id: int) -> None:
    """Record that no process decides for a sweep, and that it is not over."""
    there = study_attribute(tx, study_id, SWEEP_LEASE)
    if there is not None:
        set_study_attribute(tx, study_id, SWEEP_LEASE, {**there, "expires": 0.0, "how": "left"})


def drop_confirmed(tx: sa.Connection, study_id: int, trials: Iterable[str]) -> None:
    """Remove the results of these conditions from a confirmation, so that they are written again."""
    gone, there = set(trials), study_attribute(tx, study_id, CONFIRMED)
    if there:
        kept = {trial: result for trial, result in there.items() if trial not in gone}
        set_study_attribute(tx, study_id, CONFIRMED, kept)


def is_equal(one: float, other: float) -> bool:
    """Return whether two numbers are equal up to the rounding of a differently ordered sum."""
    return one == other or math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)


def _of_trials(table: sa.Table, columns: Sequence[str], wanted: Any, keys: Sequence[str] = ()) -> sa.Select:
    query = sa.select(table.c.trial_id, *(table.c[name] for name in columns))
    query = query.join(TRIALS, TRIALS.c.trial_id == table.c.trial_id).where(wanted)
    return query.where(table.c.key.in_(list(keys))) if keys else query
