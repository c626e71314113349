"""Read and write the changes of a model's champion: when, from which version to which, and why.

Each change is one tag of the registered model, so the registry has the whole history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from rothamsted.errors import StoreError
from rothamsted.tracking.registry.found import MAX_MODEL_TAG_LENGTH
from rothamsted.yaml_text import load_json

PREFIX = "rothamsted.change."
MAX_REASON_LENGTH = 1_000  # characters; the rest of an entry is short, and a tag holds 5,000


@dataclass(frozen=True, kw_only=True)
class ChampionChange:
    """Holds one change of the champion, written with the change itself or before it (see `took_effect`)."""

    number: int
    kind: Literal["promotion", "rollback"]
    at_ms: int  # milliseconds since 1970
    alias: str  # that moved
    old: str | None  # version that held it; None: nobody did
    new: str
    reason: str
    is_certain: bool  # written in one transaction with the aliases; else just before them


def change_tag(entry: ChampionChange) -> dict[str, str]:
    """Return a change as a tag of the registered model. A long reason is cut."""
    values = {**asdict(entry), "reason": _cut(entry.reason)}
    number = values.pop("number")
    return {f"{PREFIX}{number:06d}": json.dumps(values, ensure_ascii=True)}


def read_changes(model_tags: Mapping[str, str], *, alias: str | None = None) -> list[ChampionChange]:
    """Return the recorded changes in order: all, or those of one alias.

    Raises:
        StoreError: a tag is not a change.
    """
    entries = []
    for key in sorted(key for key in model_tags if key.startswith(PREFIX)):
        try:
            entries.append(ChampionChange(number=int(key.removeprefix(PREFIX)), **load_json(model_tags[key])))
        except (ValueError, TypeError) as error:
            raise StoreError(
                f"tag {key} of the registered model was not written by promote or rollback: {error}; remove it"
            ) from None
    return [entry for entry in entries if alias is None or entry.alias == alias]


def took_effect(entries: Sequence[ChampionChange], champion: str | None) -> list[bool]:
    """Return for each change whether it was made.

    A change that was written before the alias moved may not have been made. It was made if the next change starts from
    its version, or if its version is the champion now.
    """
    later = [*(entry.old for entry in entries), champion][1:]
    return [entry.is_certain or entry.new == after for entry, after in zip(entries, later, strict=True)]


def next_number(entries: Sequence[ChampionChange]) -> int:
    """Return the number of the next change: 1, 2, ..."""
    return max((entry.number for entry in entries), default=0) + 1


def _cut(reason: str) -> str:
    text = " ".join(reason.split())
    if len(text) > MAX_REASON_LENGTH:
        text = text[: MAX_REASON_LENGTH - 2] + " …"
    while len(json.dumps(text)) > MAX_MODEL_TAG_LENGTH - 500:  # escapes take up to six characters each
        text = text[: len(text) * 3 // 4]
    return text
