"""Lock a registered model for one process at a time, by a lease in one of its tags.

In a SQL store the lease is taken in one transaction. A server has no transactions: there the tag is written, and read
back after a while.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from rothamsted.errors import StoreError
from rothamsted.tracking.failures import one_line
from rothamsted.tracking.registry.registered import ModelRegistry
from rothamsted.tracking.sql.models import hold_model, model_tag, put_model_tag, remove_model_tag
from rothamsted.tracking.sql.schema import why_not_sql
from rothamsted.tracking.sql.store import begin, prepare_connection, sql_engine
from rothamsted.yaml_text import load_json

LOCK_TAG = "rothamsted.lock"
LEASE_SECONDS = 120.0  # writing a verdict takes one to three; clocks of machines may differ by less than this
WAIT_SECONDS = 300.0  # for others to finish
SETTLE_SECONDS = 1.0  # through a server: a rival that read 'free' has written its own tag by then
_POLL_SECONDS = 0.25


@dataclass(frozen=True, kw_only=True)
class Lock:
    """Holds the right to change a registered model, until it is given back or its time is over."""

    model: str
    holder: str
    text: str  # value of the tag


class LockLostError(StoreError):
    """Says that the lease ran out and another process took it, before the change was made."""


@contextmanager
def locked(
    registry: ModelRegistry,
    model: str,
    holder: str,
    *,
    is_alive: Callable[[str], bool],
    wait_seconds: float = WAIT_SECONDS,
    lease_seconds: float = LEASE_SECONDS,
) -> Iterator[Lock]:
    """Hold the lock of a registered model that exists.

    Args:
        registry: Where the model is.
        model: Its name.
        holder: Unique name of this process.
        is_alive: Function that says whether the process of another holder may still run; a dead one's lock is free at
            once.
        wait_seconds: For another holder to finish.
        lease_seconds: After which others may take the lock.

    Raises:
        StoreError: another process holds it all the time.
    """
    lock = _acquire(registry, model, holder, is_alive, wait_seconds, lease_seconds)
    try:
        yield lock
    finally:
        release(registry, lock)


def release(registry: ModelRegistry, lock: Lock) -> None:
    """Give the lock back; nothing happens where it is somebody else's by now."""
    if not is_sql(registry):
        if registry.model(lock.model).tags.get(LOCK_TAG) == lock.text:
            registry.set_model_tag(lock.model, LOCK_TAG, None)
        return
    with transaction(registry) as connection:
        remove_model_tag(connection, lock.model, LOCK_TAG, lock.text)


def is_sql(registry: ModelRegistry) -> bool:
    """Say whether the registry is a database whose tables are known, so that changes can share a transaction."""
    return why_not_sql(registry.uri) is None


@contextmanager
def transaction(registry: ModelRegistry) -> Iterator[sa.Connection]:
    """Open a transaction on the registry's tables, committed at the end of the block, undone by any error."""
    try:
        with sql_engine(registry.uri).connect() as connection:
            prepare_connection(connection)
            begin(connection)
            yield connection
            connection.commit()
    except DBAPIError as error:
        raise StoreError(f"{registry.place}: cannot write: {one_line(error)}") from error


# ---- taking it ----


def _acquire(
    registry: ModelRegistry,
    model: str,
    holder: str,
    is_alive: Callable[[str], bool],
    wait_seconds: float,
    lease_seconds: float,
) -> Lock:
    take = _take_sql if is_sql(registry) else _take_by_client
    give_up = time.monotonic() + wait_seconds
    while True:
        until_ms = time.time_ns() // 1_000_000 + int(lease_seconds * 1000)
        lock = Lock(model=model, holder=holder, text=json.dumps({"holder": holder, "until_ms": until_ms}))
        other = take(registry, lock, is_alive)
        if other is None:
            return lock
        if time.monotonic() > give_up:
            raise StoreError(
                f"{registry.place}: model {model!r} is being changed by {other} for more than {wait_seconds:g} s; "
                f"wait for it, or remove the model's tag {LOCK_TAG} if that process is gone"
            )
        time.sleep(_POLL_SECONDS)


def _take_sql(registry: ModelRegistry, lock: Lock, is_alive: Callable[[str], bool]) -> str | None:
    """Take the lock in one transaction; returns who has it instead."""
    with transaction(registry) as connection:
        if not hold_model(connection, lock.model):
            raise StoreError(f"{registry.place}: model {lock.model!r} was deleted meanwhile; start again")
        other = _other_holder(model_tag(connection, lock.model, LOCK_TAG), lock, is_alive)
        if other is None:
            put_model_tag(connection, lock.model, LOCK_TAG, lock.text)
        return other


def _take_by_client(registry: ModelRegistry, lock: Lock, is_alive: Callable[[str], bool]) -> str | None:
    other = _other_holder(registry.model(lock.model).tags.get(LOCK_TAG), lock, is_alive)
    if other is not None:
        return other
    try:
        registry.set_model_tag(lock.model, LOCK_TAG, lock.text)
    except StoreError:  # of two that insert the tag at once, a server on a SQL store refuses the second
        text = registry.model(lock.model).tags.get(LOCK_TAG)
        if text is None or text == lock.text:
            raise
        return _holder_in(text)
    time.sleep(SETTLE_SECONDS)
    text = registry.model(lock.model).tags.get(LOCK_TAG)
    return None if text == lock.text else _holder_in(text)


def _other_holder(text: str | None, lock: Lock, is_alive: Callable[[str], bool]) -> str | None:
    """Who else holds a lock of this text now; None where it may be taken."""
    if text is None:
        return None
    holder = _holder_in(text)
    if holder == lock.holder:
        return None
    try:
        is_over = load_json(text)["until_ms"] < time.time_ns() // 1_000_000
    except (ValueError, TypeError, KeyError):
        is_over = False  # not ours: somebody has to look at it
    return None if is_over or not is_alive(holder) else holder


def _holder_in(text: str | None) -> str:
    try:
        return str(load_json(text or "")["holder"])
    except (ValueError, TypeError, KeyError):
        return f"somebody ({text!r})"
