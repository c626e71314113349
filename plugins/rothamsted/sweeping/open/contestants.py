"""The contestants of a contest: given conditions, each with a label, that are trained on common seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Contestants:
    """What is trained, and what must be the same when it goes on.

    Attributes:
        conditions: of each contestant, its fields among those that differ.
        labels: what each is called; a name of a run and a tag.
        plain: the whole contest as JSON holds it.
    """

    conditions: Sequence[Mapping[str, Any]]
    labels: Sequence[str]
    plain: Mapping[str, Any]
