"""Delete searches from their storage: trials, attributes, studies, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa
from optuna.storages._rdb import models

from rothamsted.errors import StoreError
from rothamsted.search.listed import is_living
from rothamsted.search.sql.clock import database_now
from rothamsted.search.sql.leases import held_leases
from rothamsted.search.sql.listed import DIRECTIONS
from rothamsted.search.sql.tables import (
    ATTRIBUTES,
    PARAMS,
    REPORTS,
    STUDIES,
    STUDY_ATTRIBUTES,
    STUDY_SYSTEM_ATTRIBUTES,
    SYSTEM_ATTRIBUTES,
    TRIALS,
    VALUES,
    lock_study,
    study_attribute,
)
from rothamsted.search.storage import in_storage
from rothamsted.search.sweep_lease import SWEEP_LEASE

_OF_TRIALS = (
    *(PARAMS, VALUES, REPORTS, ATTRIBUTES, SYSTEM_ATTRIBUTES),
    models.TrialHeartbeatModel.__table__,
)
_OF_STUDIES = (TRIALS, DIRECTIONS, STUDY_ATTRIBUTES, STUDY_SYSTEM_ATTRIBUTES)


def delete_searches(url: str, study_ids: Sequence[int], *, is_alive: Callable[[str], bool]) -> None:
    """Delete these Optuna studies with all their rows: all of them, or nothing.

    Args:
        url: URL of the storage.
        study_ids: ids of the studies; those that no longer exist are left out.
        is_alive: function that says whether a process with a lease still runs, as far as is known.

    Raises:
        StoreError: a process works on one of them.
    """

    def delete(tx: sa.Connection) -> None:
        for study_id in study_ids:
            lock_study(tx, study_id)
            worker = who_works(tx, study_id, is_alive=is_alive)
            if worker is not None:
                name = tx.execute(sa.select(STUDIES.c.study_name).where(STUDIES.c.study_id == study_id)).scalar()
                raise StoreError(f"sweep {name}: {worker} works on it; stop it first, with Ctrl-C or kill")
        for study_id in study_ids:
            trials = sa.select(TRIALS.c.trial_id).where(TRIALS.c.study_id == study_id)
            for table in _OF_TRIALS:
                tx.execute(sa.delete(table).where(table.c.trial_id.in_(trials)))
            for table in (*_OF_STUDIES, STUDIES):
                tx.execute(sa.delete(table).where(table.c.study_id == study_id))

    in_storage(url, delete, empty=None, writes=True)


def who_works(connection: sa.Connection, study_id: int, *, is_alive: Callable[[str], bool]) -> str | None:
    """Return a living process that decides for a search or works on one of its trials, or None."""
    lease = study_attribute(connection, study_id, SWEEP_LEASE)
    if lease is not None and is_living(lease, database_now(connection)) and is_alive(lease["holder"]):
        return lease["holder"]
    for held in held_leases(connection, study_id):
        if held.worker and not held.is_over and is_alive(held.worker):
            return held.worker
    return None
