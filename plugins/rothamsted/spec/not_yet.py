"""What a sweep file may say and this version does not do: refused with the reason, never ignored.

One table. A row goes when the thing is built. Apart from the schema, which holds what works.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rothamsted.spec.document import Document, KeyPath


@dataclass(frozen=True, kw_only=True)
class NotYet:
    """One row: a key, or one value of a key, that is known and not available.

    Attributes:
        path: the key.
        value: the value of it that is not available; None: the key with any value.
        reason: what is missing, and what to write instead.
    """

    path: KeyPath
    value: str | None = None
    reason: str


def _values(path: KeyPath, values: str, reason: str) -> tuple[NotYet, ...]:
    return tuple(NotYet(path=path, value=value, reason=reason) for value in values.split())


NOT_YET: tuple[NotYet, ...] = (
    NotYet(path=("racing",), reason="a race is one of replicates; give replicates: {racing: {min: 3, max: 20}}"),
    *_values(("execution", "executor"), "ray", "give local"),
    *_values(("statistics", "interval"), "bootstrap wilson", "give t, percentile or bca"),
    *_values(("statistics", "correction"), "dunnett tukey", "give holm, bonferroni, bh or none"),
)

KNOWN_LATER = frozenset(str(row.path[0]) for row in NOT_YET if len(row.path) == 1)


def check_available(document: Document) -> None:
    """Refuse the first thing in a document that is known and not available.

    Raises:
        SpecError: with the reason and what to write instead.
    """
    for row in NOT_YET:
        found = _look_up(document.data, row.path)
        if found is not None and (row.value is None or found == row.value):
            raise _refusal(document, row.path, "this key" if row.value is None else repr(row.value), row.reason)


def _refusal(document: Document, path: KeyPath, what: str, reason: str) -> Exception:
    return document.error(path, f"{what} is known, but not available in this version: {reason}")


def _look_up(data: Any, path: KeyPath) -> Any:
    for part in path:
        data = data.get(part) if isinstance(data, Mapping) else None
    return data
