"""Give, renew, take over and end the leases of trials, as rows of Optuna's tables.

A lease is a JSON object in one user attribute of its trial: its holder, its end by the database's clock, and its token,
the number of the claim. The last token stays in a system attribute when the lease ends, so tokens only rise.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from optuna.trial import TrialState
from sqlalchemy.dialects import postgresql, sqlite

from rothamsted.search.sql.clock import seconds_now
from rothamsted.search.sql.tables import ATTRIBUTES, SYSTEM_ATTRIBUTES, TRIALS, now_as_stored, set_attributes_of_trials

LEASE = "rothamsted:lease"  # {"worker", "expires", "token"}; ended: expires 0, and "why"; given back: worker ""
RUNS = "rothamsted:runs"  # ids of runs that are made for the trial, there before the runs are
DEATHS = "rothamsted:deaths"  # why earlier holders ended, "" for a crash, as long as no replicate is blamed for it
TOKEN = "rothamsted:token"  # system attribute: the number of the last claim


_WAITING = (
    sa.select(TRIALS.c.trial_id)
    .where(
        TRIALS.c.study_id == sa.bindparam("of_study"),
        TRIALS.c.state == TrialState.WAITING,
        TRIALS.c.trial_id > sa.bindparam("above"),
    )
    .order_by(TRIALS.c.trial_id)
    .limit(sa.bindparam("most"))
    .with_for_update(skip_locked=True)
)
_START = (
    sa.update(TRIALS)
    .where(TRIALS.c.trial_id.in_(_WAITING.scalar_subquery()), TRIALS.c.state == TrialState.WAITING)
    .values(state=TrialState.RUNNING, datetime_start=sa.bindparam("started"))
    .returning(TRIALS.c.trial_id, TRIALS.c.number)
)


@dataclass(frozen=True, kw_only=True)
class Held:
    """Holds the lease of a running trial."""

    trial_id: int
    number: int
    text: str  # as stored: what a taker must find unchanged
    is_over: bool  # by the database's clock

    @property
    def lease(self) -> dict[str, Any]:
        """Return the stored JSON."""
        return json.loads(self.text)

    @property
    def worker(self) -> str:
        """Say who holds it; empty: it was given back."""
        return self.lease["worker"]


def held_leases(connection: sa.Connection, study_id: int) -> list[Held]:
    """Return the lease of every running trial of a search, by number."""
    dialect_name = connection.dialect.name
    is_over = _expires(dialect_name) < seconds_now(dialect_name)
    query = (
        sa.select(TRIALS.c.trial_id, TRIALS.c.number, ATTRIBUTES.c.value_json, is_over)
        .join(ATTRIBUTES, ATTRIBUTES.c.trial_id == TRIALS.c.trial_id)
        .where(TRIALS.c.study_id == study_id, TRIALS.c.state == TrialState.RUNNING, ATTRIBUTES.c.key == LEASE)
        .order_by(TRIALS.c.number)
    )
    return [
        Held(trial_id=trial_id, number=number, text=text, is_over=bool(over))
        for trial_id, number, text, over in connection.execute(query)
    ]


def start_waiting(tx: sa.Connection, study_id: int, *, above: int, limit: int) -> list[tuple[int, int]]:
    """Set up to `limit` waiting trials with ids above `above` to running, and return (trial id, number) of each."""
    looked_for = {"of_study": study_id, "above": above, "most": limit, "started": now_as_stored()}
    found: list[Any] = list(tx.execute(_START, looked_for).all())
    return sorted(((trial_id, number) for trial_id, number in found), key=lambda row: row[1])


def take(tx: sa.Connection, held: Held) -> bool:
    """Lock a lease that is over, if it has not changed since it was read. Of two workers that try, one wins."""
    swap = (
        sa.update(ATTRIBUTES)
        .where(
            ATTRIBUTES.c.trial_id == held.trial_id,
            ATTRIBUTES.c.key == LEASE,
            ATTRIBUTES.c.value_json == held.text,
        )
        .values(value_json=json.dumps({"worker": "", "expires": 0.0, "taken": True}))
    )
    return tx.execute(swap).rowcount == 1


def next_tokens(tx: sa.Connection, trial_ids: Sequence[int]) -> tuple[dict[int, int], float]:
    """Count one more claim of each trial, and return the new tokens and the database's time (unix seconds)."""
    rows = [{"trial_id": trial_id, "key": TOKEN, "value_json": "1"} for trial_id in trial_ids]
    found: list[Any] = list(tx.execute(_count_claim(tx.dialect.name), rows).all())
    return {row[0]: int(row[1]) for row in found}, float(found[0][2])


def give(tx: sa.Connection, leases: Mapping[int, Mapping[str, Any]], more: Mapping[int, Mapping[str, Any]]) -> None:
    """Write leases by trial id, each with further attributes of its trial, in one statement."""
    set_attributes_of_trials(tx, {trial_id: {LEASE: lease, **more[trial_id]} for trial_id, lease in leases.items()})


def renew(tx: sa.Connection, worker: str, trial_ids: Sequence[int], seconds: float) -> set[tuple[int, int]]:
    """Extend and lock a worker's leases of these trials, and return (trial id, token) of those that it still holds.

    A lease that ran out is renewed if no worker has taken the trial over. A lease that was ended is not.
    """
    dialect_name = tx.dialect.name
    extended = _set(dialect_name, expires=seconds_now(dialect_name) + seconds)
    update = (
        sa.update(ATTRIBUTES)
        .where(
            ATTRIBUTES.c.trial_id.in_(list(trial_ids)),
            ATTRIBUTES.c.key == LEASE,
            _field(dialect_name, "worker") == worker,
            _expires(dialect_name) > 0,
        )
        .values(value_json=extended)
        .returning(ATTRIBUTES.c.trial_id, ATTRIBUTES.c.value_json)
    )
    found: list[Any] = list(tx.execute(update).all())
    return {(trial_id, json.loads(text).get("token", 0)) for trial_id, text in found}


def give_back(tx: sa.Connection, worker: str, trial_id: int, token: int) -> None:
    """End the lease of a living holder that leaves the trial unfinished. The next holder does not count a crash."""
    text = json.dumps({"worker": "", "expires": 0.0, "token": token})
    held = {"of_trial": trial_id, "of_worker": worker, "of_claim": token}
    tx.execute(sa.update(ATTRIBUTES).where(*_is_held(tx.dialect.name)).values(value_json=text), held)


def remove(tx: sa.Connection, worker: str, trial_id: int, token: int) -> bool:
    """Remove the lease of a trial that ends, and attributes for its holder; False, with nothing done, if it is lost."""
    remove_lease, remove_rest = _removals(tx.dialect.name)
    if tx.execute(remove_lease, {"of_trial": trial_id, "of_worker": worker, "of_claim": token}).rowcount != 1:
        return False
    tx.execute(remove_rest, {"of_trial": trial_id})
    return True


def end_leases(tx: sa.Connection, study_id: int, workers: Collection[str] | None, why: str) -> int:
    """End the leases of lost workers (None: of all) now, and return how many."""
    running = sa.select(TRIALS.c.trial_id).where(TRIALS.c.study_id == study_id, TRIALS.c.state == TrialState.RUNNING)
    holder = _field(tx.dialect.name, "worker")
    ended = _set(tx.dialect.name, expires=sa.literal(0.0), **({"why": sa.literal(why)} if why else {}))
    update = (
        sa.update(ATTRIBUTES)
        .where(
            ATTRIBUTES.c.trial_id.in_(running),
            ATTRIBUTES.c.key == LEASE,
            holder != "" if workers is None else holder.in_(list(workers)),
        )
        .values(value_json=ended)
    )
    return tx.execute(update).rowcount


# ---- within ----


@cache
def _count_claim(dialect_name: str) -> sa.Executable:
    dialect: Any = sqlite if dialect_name == "sqlite" else postgresql
    insert = dialect.insert(SYSTEM_ATTRIBUTES)
    one_more = sa.cast(sa.cast(SYSTEM_ATTRIBUTES.c.value_json, sa.Integer) + 1, sa.Text)
    counted = insert.on_conflict_do_update(index_elements=["trial_id", "key"], set_={"value_json": one_more})
    return counted.returning(SYSTEM_ATTRIBUTES.c.trial_id, SYSTEM_ATTRIBUTES.c.value_json, seconds_now(dialect_name))


@cache
def _removals(dialect_name: str) -> tuple[sa.Executable, sa.Executable]:
    rest = sa.delete(ATTRIBUTES).where(
        ATTRIBUTES.c.trial_id == sa.bindparam("of_trial"), ATTRIBUTES.c.key.in_([RUNS, DEATHS])
    )
    return sa.delete(ATTRIBUTES).where(*_is_held(dialect_name)), rest


def _is_held(dialect_name: str) -> list[sa.ColumnElement[bool]]:
    return [
        ATTRIBUTES.c.trial_id == sa.bindparam("of_trial"),
        ATTRIBUTES.c.key == LEASE,
        _field(dialect_name, "worker") == sa.bindparam("of_worker"),
        sa.cast(_field(dialect_name, "token"), sa.Integer) == sa.bindparam("of_claim"),
        _expires(dialect_name) > 0,
    ]


def _field(dialect_name: str, name: str) -> sa.ColumnElement[Any]:
    """A field of a lease; asked of a lease only, for other attributes may hold what is not JSON to the database."""
    if dialect_name == "sqlite":
        found: sa.ColumnElement[Any] = sa.func.json_extract(ATTRIBUTES.c.value_json, f"$.{name}")
    else:
        found = sa.func.jsonb_extract_path_text(sa.cast(ATTRIBUTES.c.value_json, postgresql.JSONB), name)
    return sa.case((ATTRIBUTES.c.key == LEASE, found))


def _expires(dialect_name: str) -> sa.ColumnElement[float]:
    return sa.cast(_field(dialect_name, "expires"), sa.Float)


def _set(dialect_name: str, **fields: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """A lease with some of its fields set anew."""
    if dialect_name == "sqlite":
        pairs = [part for name, value in fields.items() for part in (f"$.{name}", value)]
        return sa.func.json_set(ATTRIBUTES.c.value_json, *pairs)
    lease: Any = sa.cast(ATTRIBUTES.c.value_json, postgresql.JSONB)
    for name, value in fields.items():
        kind = sa.Text if name == "why" else sa.Float
        lease = sa.func.jsonb_set(lease, sa.literal_column(f"'{{{name}}}'"), sa.func.to_jsonb(sa.cast(value, kind)))
    return sa.cast(lease, sa.Text)
