"""Refuse unknown sweeps early, without slow imports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rothamsted.errors import StoreError
from rothamsted.search.sql.named import named_searches
from rothamsted.suggest import known_names
from rothamsted.tracking.sql.named import named_sweeps

State = Literal["running", "finished", "unfinished", "failed"]
STATES: Sequence[State] = ("running", "finished", "unfinished", "failed")


def refuse_unknown(references: Sequence[str], *, uri: str, storage: str) -> None:
    """Refuse a sweep that neither database has, if both are readable SQLite files.

    Args:
        references: names of sweeps, or ids of their runs.
        uri: tracking URI.
        storage: database URL of the search.

    Raises:
        StoreError: there is no such sweep; the message names the nearest.
    """
    runs, searches = named_sweeps(uri), named_searches(storage)
    if runs is None or searches is None:
        return
    known = {*(word for run in runs for word in run), *searches}
    for reference in references:
        if reference not in known:
            raise no_such_sweep(reference, [*(name for name, _ in runs), *searches], uri=uri, storage=storage)


def no_such_sweep(reference: str, names: Sequence[str], *, uri: str, storage: str) -> StoreError:
    """Return the message on a sweep that does not exist, with the names of those that do."""
    what = known_names(reference, names, word="there are") if names else "there is no sweep yet"
    return StoreError(f"sweep {reference}: is not in {uri} or {storage}; {what}")
