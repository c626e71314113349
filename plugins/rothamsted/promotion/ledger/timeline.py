"""Read the history of a registered model: its versions, their verdicts, and when each was champion.

Only the registry is read; runs may be gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.markup import escape
from rich.table import Table

from rothamsted.promotion.evidence.signature import CheckedSignature, signatures_on, signing_key
from rothamsted.promotion.judge.earlier_verdicts import RecordedVerdict, read_verdicts
from rothamsted.promotion.judge.policy import Aliases
from rothamsted.promotion.ledger.changes import ChampionChange, read_changes, took_effect
from rothamsted.promotion.ledger.texts import when
from rothamsted.tracking.registry.found import FoundVersion
from rothamsted.tracking.registry.registered import ModelRegistry


@dataclass(frozen=True, kw_only=True)
class ChampionTerm:
    """Holds a time in which a version was champion."""

    from_ms: int  # milliseconds since 1970
    to_ms: int | None  # None: it still is, or the end is not on record
    is_present: bool = False


@dataclass(frozen=True, kw_only=True)
class VersionHistory:
    """Holds one version of a registered model."""

    version: str
    registered_ms: int
    verdicts: tuple[RecordedVerdict, ...]  # the first one first
    sweep: str
    aliases: tuple[str, ...]
    terms: tuple[ChampionTerm, ...]
    signatures: tuple[CheckedSignature, ...] = ()  # one a verdict


@dataclass(frozen=True, kw_only=True)
class ModelHistory:
    """Holds the history of a registered model."""

    model: str
    rows: tuple[VersionHistory, ...]  # by version
    changes: tuple[ChampionChange, ...]  # of the champion, in order, those that were made
    marks: tuple[str, ...]  # what does not fit: changes by hand, changes that were begun only


def history(model: str, *, registry: ModelRegistry, aliases: Aliases) -> ModelHistory:
    """Read the history of a registered model.

    Raises:
        StoreError: There is no such model; the message names those that exist.
    """
    registry.check_reachable()
    found = registry.model(model)
    versions = registry.versions(model)
    entries = read_changes(found.tags, alias=aliases.champion)
    champion = found.aliases.get(aliases.champion)
    effective = took_effect(entries, champion)
    made = [entry for entry, was_made in zip(entries, effective, strict=True) if was_made]
    key = signing_key()
    rows = [_row(version, found.aliases, _terms(made, version.version, champion), key) for version in versions]
    begun = [entry for entry, was_made in zip(entries, effective, strict=True) if not was_made]
    marks = [*_marks(made, champion, aliases), *(_unmade(entry) for entry in begun), *_unmoved(rows)]
    signatures = [one for row in rows for one in row.signatures]
    marks += [one.said for one in signatures if key or one.state == "not checked"]
    return ModelHistory(model=model, rows=tuple(rows), changes=tuple(made), marks=tuple(marks))


def versions_table(told: ModelHistory) -> Table:
    """Return the table of versions for the terminal."""
    table = Table(title=escape(f"Versions of {told.model}"), caption="times are UTC")
    for header in ("version", "registered"):
        table.add_column(header, no_wrap=True)
    for header in ("verdict", "sweep"):
        table.add_column(header, overflow="fold")
    table.add_column("champion", no_wrap=True)
    table.add_column("aliases", overflow="fold")
    for row in told.rows:
        cells = (
            row.version,
            _time(row.registered_ms),
            "\n".join(_verdict(one) for one in row.verdicts) or "none (not by promote)",
            row.sweep,
            "\n".join(f"{_time(term.from_ms)} to {_end(term)}" for term in row.terms),
            ", ".join(row.aliases),
        )
        table.add_row(*(escape(cell) for cell in cells))
    return table


def changes_table(told: ModelHistory) -> Table:
    """Return the table of the champion's changes for the terminal."""
    table = Table(title=escape(f"Champions of {told.model}"), caption="times are UTC")
    for header in ("when", "by", "from", "to"):
        table.add_column(header, no_wrap=True)
    table.add_column("why", overflow="fold")
    for entry in told.changes:
        cells = (_time(entry.at_ms), entry.kind, entry.old or "none", entry.new, entry.reason)
        table.add_row(*(escape(cell) for cell in cells))
    return table


def _row(version: FoundVersion, aliases: Mapping[str, str], terms: Sequence[ChampionTerm], key: str) -> VersionHistory:
    names = sorted(alias for alias, number in aliases.items() if number == version.version)
    return VersionHistory(
        version=version.version,
        registered_ms=version.created_ms,
        verdicts=tuple(read_verdicts(version)),
        sweep=version.tags.get("rothamsted.sweep", ""),
        aliases=tuple(names),
        terms=tuple(terms),
        signatures=signatures_on(version, key),
    )


def _terms(made: Sequence[ChampionChange], version: str, champion: str | None) -> list[ChampionTerm]:
    """When a version was champion: from the change that made it champion to the next change."""
    terms = []
    for index, entry in enumerate(made):
        if entry.new == version:
            after = made[index + 1] if index + 1 < len(made) else None
            is_present = after is None and champion == version
            is_known = after is not None and after.old == version
            terms.append(
                ChampionTerm(
                    from_ms=entry.at_ms, to_ms=after.at_ms if after and is_known else None, is_present=is_present
                )
            )
    return terms


def _end(term: ChampionTerm) -> str:
    if term.to_ms is not None:
        return _time(term.to_ms)
    return "now" if term.is_present else "by hand, not on record"


def _time(at_ms: int) -> str:
    return when(at_ms).removesuffix(" UTC")


def _marks(made: Sequence[ChampionChange], champion: str | None, aliases: Aliases) -> list[str]:
    marks = [
        f"between {when(one.at_ms)} and {when(other.at_ms)} the alias {aliases.champion} went from version {one.new} "
        f"to {_named(other.old)} by hand"
        for one, other in pairwise(made)
        if one.new != other.old
    ]
    last = made[-1].new if made else None
    if champion != last:
        marks.append(f"the alias {aliases.champion} is at {_named(champion)}, put there by hand: no verdict did it")
    return marks


def _unmade(entry: ChampionChange) -> str:
    return (
        f"a {entry.kind} from {_named(entry.old)} to version {entry.new} was begun at {when(entry.at_ms)} and either "
        "not completed or undone by hand"
    )


def _unmoved(rows: Sequence[VersionHistory]) -> list[str]:
    """Verdicts that no change followed: the promotion died after it wrote the verdict."""
    return [
        f"version {row.version} was to be promoted, and the alias never moved: a promotion was interrupted; promote "
        f"sweep {row.sweep} again to complete it"
        for row in rows
        if row.verdicts and row.verdicts[-1].decision == "promoted" and not row.terms
    ]


def _named(version: str | None) -> str:
    return "nobody" if version is None else f"version {version}"


def _verdict(recorded: RecordedVerdict) -> str:
    against = f" against version {recorded.compared_with}" if recorded.compared_with else " (nothing compared)"
    return f"{recorded.decision}{against}"
