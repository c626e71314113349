"""Take the next step of a sweep: add trials and put ended ones back with more to do, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from rothamsted.search.queue import Queue
from rothamsted.search.sql.queued import put_back, set_on_open
from rothamsted.search.sql.tables import set_study_attribute
from rothamsted.search.sweep_lease import SweepLease


def take_step(
    lease: SweepLease,
    queue: Queue,
    *,
    ask: int = 0,
    first: Sequence[Mapping[str, Any]] = (),
    extend: Mapping[int, Mapping[str, Any]] = MappingProxyType({}),
    alter: Mapping[int, Mapping[str, Any]] = MappingProxyType({}),
    note: Mapping[str, Any] = MappingProxyType({}),
    confirm_queue: Queue | None = None,
    conditions: Sequence[Mapping[str, Any]] = (),
    attributes: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write a step into the search, under the lease of the sweep.

    Args:
        lease: lease of the sweep.
        queue: queue of the search.
        ask: number of trials that the search will have.
        first: conditions named by hand, which come first.
        extend: number of an ended trial -> attributes to set; the trial is put back to waiting.
        alter: number of a trial that is not over -> attributes to set.
        note: attributes to set on the search.
        confirm_queue: queue of the confirmation.
        conditions: conditions to add to it.
        attributes: attributes of each of them.

    Raises:
        SweepLeaseLostError: another process decides; nothing was written.
    """

    def write(tx: sa.Connection) -> None:
        if ask:
            queue.enqueue_in(tx, ask, first)
        put_back(tx, queue.study_id, extend)
        set_on_open(tx, queue.study_id, alter)
        for key, value in note.items():
            set_study_attribute(tx, queue.study_id, key, value)
        if conditions and confirm_queue is not None:
            confirm_queue.add_in(tx, conditions, attributes)

    lease.decide(write)
