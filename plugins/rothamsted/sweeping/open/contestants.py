"""Define the contestants of a contest: given conditions, each with a label, that are trained on common seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Contestants:
    """Holds what a contest trains, which must be the same when it goes on.

    Attributes:
        conditions: the fields of each contestant that differ between contestants.
        labels: name of each, used for its run and a tag.
        plain: the whole contest as JSON values.
    """

    conditions: Sequence[Mapping[str, Any]]
    labels: Sequence[str]
    plain: Mapping[str, Any]
