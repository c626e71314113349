"""Change a registered model: aliases, and the tags that say why, in one transaction if the store can do that.

A champion changes only here. In a SQL store a change is one transaction: all of it or nothing, and only if the aliases
are still as the change expects. A server takes it call by call, in an order in which a half-done change can be
understood.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from rothamsted.errors import StoreError
from rothamsted.tracking.registry.found import check_alias, checked_model_tag, checked_version_tag
from rothamsted.tracking.registry.model_lock import LOCK_TAG, Lock, LockLostError, is_sql, transaction
from rothamsted.tracking.registry.registered import ModelRegistry
from rothamsted.tracking.sql.models import (
    aliases_of,
    has_version,
    hold_model,
    model_tag,
    put_alias,
    put_model_tag,
    put_version_tag,
)


class AliasMovedError(StoreError):
    """Says that an alias has moved since the change was decided: decide again."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """Describes what to change, and on what condition."""

    model: str
    expect: Mapping[str, str | None]  # alias -> version as it must stand now; None: it must not be there
    aliases: Mapping[str, str | None]  # alias -> version; None removes it. Without transactions: in this order
    model_tags: Mapping[str, str] = field(default_factory=dict)
    version_tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # version -> tags


def apply(registry: ModelRegistry, change: Change, lock: Lock) -> None:
    """Make a change under the model's lock.

    Raises:
        AliasMovedError: An alias is not as expected; nothing was changed.
        LockLostError: Another process has the lock by now; nothing was changed.
        StoreError: A name or tag that the registry cannot hold, a version that is not there, no answer. A SQL
            store is then as it was; on a server the tags may be written, and the aliases up to the one that failed.
    """
    for alias in change.aliases:
        check_alias(alias)
    for key, value in change.model_tags.items():
        checked_model_tag(key, value)
    for tags in change.version_tags.values():
        for key, value in tags.items():
            checked_version_tag(key, value)
    if is_sql(registry):
        _apply_sql(registry, change, lock)
    else:
        _apply_by_client(registry, change, lock)


def _apply_sql(registry: ModelRegistry, change: Change, lock: Lock) -> None:
    with transaction(registry) as connection:
        hold_model(connection, change.model)
        _check_lock(registry, lock, model_tag(connection, change.model, LOCK_TAG))
        _check_expected(registry, change, aliases_of(connection, change.model))
        for version in {*change.version_tags, *(version for version in change.aliases.values() if version)}:
            _check_version(registry, connection, change.model, version)
        for version, tags in change.version_tags.items():
            for key, value in tags.items():
                put_version_tag(connection, change.model, int(version), key, value)
        for key, value in change.model_tags.items():
            put_model_tag(connection, change.model, key, value)
        for alias, version in change.aliases.items():
            put_alias(connection, change.model, alias, int(version) if version else None)


def _apply_by_client(registry: ModelRegistry, change: Change, lock: Lock) -> None:
    """The reasons first, so that a change that stopped half-way can be told from one made by hand."""
    found = registry.model(change.model)
    _check_lock(registry, lock, found.tags.get(LOCK_TAG))
    _check_expected(registry, change, found.aliases)
    for version, tags in change.version_tags.items():
        registry.tag_version(change.model, version, tags)
    for key, value in change.model_tags.items():
        registry.set_model_tag(change.model, key, value)
    for alias, version in change.aliases.items():
        registry.set_alias(change.model, alias, version)


def _check_lock(registry: ModelRegistry, lock: Lock, text: str | None) -> None:
    if text != lock.text:
        raise LockLostError(
            f"{registry.place}: writing took longer than the lock of model {lock.model!r} lasts, and it was taken "
            "over; no alias was moved: give the same command again"
        )


def _check_expected(registry: ModelRegistry, change: Change, aliases: Mapping[str, str]) -> None:
    for alias, version in change.expect.items():
        if aliases.get(alias) != version:
            stands, stood = aliases.get(alias), version
            raise AliasMovedError(
                f"{registry.place}: {alias} of model {change.model!r} is now {_named(stands)}, was {_named(stood)}"
            )


def _named(version: str | None) -> str:
    return "nowhere" if version is None else f"version {version}"


def _check_version(registry: ModelRegistry, connection: sa.Connection, model: str, version: str) -> None:
    if not has_version(connection, model, int(version)):
        raise StoreError(f"{registry.place}: version {version} of model {model!r} was deleted; nothing was changed")
