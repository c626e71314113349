"""Read all trials of searches, and repair searches in one transaction while no process works on them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rothamsted.errors import StoreError
from rothamsted.search.deletion import who_works
from rothamsted.search.listed import ListedSearch, as_json, list_searches
from rothamsted.search.sql.care import TrialFacts, read_trials_of
from rothamsted.search.sql.clock import database_now
from rothamsted.search.sql.tables import lock_study
from rothamsted.search.storage import in_storage


@dataclass(frozen=True, kw_only=True)
class SearchFacts:
    """Holds all searches of a database that our sweeps made, with their trials.

    Attributes:
        searches: in the order in which they were made.
        trials: by the search's study id, by number.
        now: unix seconds by the database's clock.
    """

    searches: Sequence[ListedSearch]
    trials: Mapping[int, Sequence[TrialFacts]]
    now: float

    def of(self, search: ListedSearch | None) -> Sequence[TrialFacts]:
        """Return the trials of a search; none if there is no search."""
        return () if search is None else self.trials.get(search.study_id, ())


def read_facts(storage: str) -> SearchFacts:
    """Return every search of a storage with all its trials; none if the storage does not exist.

    Raises:
        StoreError: it cannot be read, or has tables of another version.
    """
    searches = list_searches(storage)

    def read(connection: sa.Connection) -> tuple[dict[int, list[TrialFacts]], float]:
        trials = as_json(storage, lambda: read_trials_of(connection, [one.study_id for one in searches]))
        return trials, database_now(connection)

    nothing: tuple[dict[int, list[TrialFacts]], float] = ({}, 0.0)
    trials, now = in_storage(storage, read, empty=nothing)
    return SearchFacts(searches=searches, trials=trials, now=now)


def while_nobody_works(
    storage: str,
    study_ids: Collection[int],
    repair: Callable[[sa.Connection, Mapping[int, Sequence[TrialFacts]]], None],
    *,
    is_alive: Callable[[str], bool],
) -> None:
    """Repair searches in one transaction. It holds their locks, so that no process begins to decide for them meanwhile.

    Args:
        storage: database URL.
        study_ids: ids of the searches; the trials of those that exist are read again.
        repair: function of the present trials. It is called again if the commit was lost, so it must be repeatable.
        is_alive: function that says whether a process with a lease still runs, as far as is known.

    Raises:
        StoreError: a process works on one of them; nothing was changed.
    """

    def change(tx: sa.Connection) -> None:
        for study_id in study_ids:
            lock_study(tx, study_id)
            if worker := who_works(tx, study_id, is_alive=is_alive):
                raise StoreError(f"{worker} works on it")
        repair(tx, read_trials_of(tx, study_ids))

    in_storage(storage, change, empty=None, writes=True)
