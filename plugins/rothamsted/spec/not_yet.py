"""Refuse keys of a sweep file that are known but not available in this version, with the reason.

A row of the table is removed when the feature is built.
"""

from __future__ import annotations

from dataclasses import dataclass

from rothamsted.spec.document import Document


@dataclass(frozen=True, kw_only=True)
class NotYet:
    """Describes a key that is known and not available.

    Attributes:
        key: the key.
        reason: what is missing, and what to write instead.
    """

    key: str
    reason: str


NOT_YET: tuple[NotYet, ...] = (
    NotYet(key="racing", reason="a race is one of replicates; give replicates: {racing: {min: 3, max: 20}}"),
)

KNOWN_LATER = frozenset(row.key for row in NOT_YET)


def check_available(document: Document) -> None:
    """Refuse the first key of a document that is known and not available.

    Raises:
        SpecError: names the reason and what to write instead.
    """
    for row in NOT_YET:
        if document.data.get(row.key) is not None:
            reason = f"this key is known, but not available in this version: {row.reason}"
            raise document.error((row.key,), reason)
