"""Check an export before anything is computed: unknown parts, runs without a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rothamsted.errors import UserError
from rothamsted.records import Outcome
from rothamsted.suggest import known_names

if TYPE_CHECKING:
    from rothamsted.analysis.values import Dataset

_HAVE_RESULTS = (Outcome.FINISHED, Outcome.DIVERGED, Outcome.PRUNED)
PARTS = ("results", "tables", "study", "paper", "figures")


def check_parts(only: Sequence[str], place: str = "export") -> None:
    """Refuse an unknown part.

    Args:
        only: Names of parts.
        place: What the message begins with.

    Raises:
        UserError: with the nearest name and all others.

    Example:
        >>> check_parts(["paper", "tables"])
    """
    for part in only:
        if part not in PARTS:
            raise UserError(f"{place}: only={part}: {known_names(part, PARTS)}")


def check_results(dataset: Dataset, place: str = "export") -> None:
    """Refuse runs without any result.

    Raises:
        UserError: says where to look.
    """
    if any(one.outcome in _HAVE_RESULTS for one in dataset.replicates):
        return
    raise UserError(
        f"{place}: {dataset.name}: no replicate has come to a result, so there is nothing to write; "
        f"rothamsted status {dataset.name} says how far it is"
    )
