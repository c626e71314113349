"""Make the previous champion the champion again, with the reason on record.

Nothing is compared or trained, so a rollback is quick and works even if runs were deleted."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rothamsted.errors import PromotionError
from rothamsted.holders import is_alive, new_worker_id
from rothamsted.promotion.evidence.of_champion import ROLLED_BACK
from rothamsted.promotion.judge.policy import Aliases
from rothamsted.promotion.ledger.changes import ChampionChange, change_tag, next_number, read_changes, took_effect
from rothamsted.promotion.ledger.texts import when
from rothamsted.tracking.registry.change import Change, apply
from rothamsted.tracking.registry.found import FoundModel
from rothamsted.tracking.registry.model_lock import is_sql, locked
from rothamsted.tracking.registry.registered import ModelRegistry

RESTORED = "rothamsted.restored"  # tag of a version: JSON: when it became champion again, after which one, why


@dataclass(frozen=True, kw_only=True)
class RolledBack:
    """Holds what a rollback did."""

    model: str
    old: str  # version that was champion
    new: str  # version that is
    next_before: str | None  # what another rollback would go back to
    reason: str


def rollback(model: str, *, registry: ModelRegistry, aliases: Aliases, reason: str = "") -> RolledBack:
    """Make the previous champion the champion again.

    The version that loses the alias is tagged with the reason, and promotion refuses it from then on. The alias of the
    previous champion moves to the version that the restored one had replaced, so rolling back twice goes two champions
    back. If there was none, that alias is removed.

    Args:
        model: Name of the registered model.
        registry: The registry of the model.
        aliases: Aliases of champion and previous champion.
        reason: The reason, for the record.

    Raises:
        PromotionError: There is no champion, or none before it.
        StoreError: There is no such model, or no answer. A SQL store is then unchanged.
    """
    registry.check_reachable()
    registry.model(model)
    why = reason or "no reason given"
    with locked(registry, model, new_worker_id(), is_alive=is_alive) as lock:
        found = registry.model(model)
        old, new = _from_to(found, aliases)
        entries = read_changes(found.tags)
        existing = {version.version for version in registry.versions(model)}
        before = _replaced_by(entries, new, aliases.champion, found, existing)
        at_ms = time.time_ns() // 1_000_000
        entry = ChampionChange(
            number=next_number(entries),
            kind="rollback",
            at_ms=at_ms,
            alias=aliases.champion,
            old=old,
            new=new,
            reason=why,
            is_certain=is_sql(registry),
        )
        change = Change(
            model=model,
            expect={aliases.champion: old, aliases.previous: new},
            aliases={aliases.champion: new, aliases.previous: before},
            model_tags=change_tag(entry),
            version_tags={
                old: {ROLLED_BACK: json.dumps({"at": when(at_ms), "to_version": new, "reason": why})},
                new: {RESTORED: json.dumps({"at": when(at_ms), "after_version": old, "reason": why})},
            },
        )
        apply(registry, change, lock)
    return RolledBack(model=model, old=old, new=new, next_before=before, reason=why)


def _from_to(found: FoundModel, aliases: Aliases) -> tuple[str, str]:
    old, new = found.aliases.get(aliases.champion), found.aliases.get(aliases.previous)
    known = ", ".join(f"{alias}: version {version}" for alias, version in sorted(found.aliases.items())) or "none"
    if old is None:
        raise PromotionError(f"model '{found.name}': no version has the alias {aliases.champion}; aliases: {known}")
    if new is None:
        raise PromotionError(
            f"model '{found.name}': no version has the alias {aliases.previous}, so that there is nothing to go back "
            f"to; aliases: {known}"
        )
    if new == old:
        raise PromotionError(
            f"model '{found.name}': version {old} is both {aliases.champion} and {aliases.previous}: a change was "
            f"interrupted. Give the promotion again, or remove the alias {aliases.previous}"
        )
    return old, new


def _replaced_by(
    entries: Sequence[ChampionChange], version: str, alias: str, found: FoundModel, existing: set[str]
) -> str | None:
    """The version that `version` had replaced when it was promoted; None where there was none, or it is deleted."""
    of_alias = [entry for entry in entries if entry.alias == alias]
    effective = took_effect(of_alias, found.aliases.get(alias))
    for entry, was_made in reversed(list(zip(of_alias, effective, strict=True))):
        if was_made and entry.kind == "promotion" and entry.new == version:
            return entry.old if entry.old in existing else None
    return None
