"""List every sweep of a search database with its progress, in a few queries."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from rothamsted import tags
from rothamsted.errors import StoreError
from rothamsted.masking import masked
from rothamsted.search.sql.clock import database_now
from rothamsted.search.sql.listed import (
    BestTrial,
    CountedTrials,
    attributes_of_studies,
    best_trials,
    counted_trials,
)
from rothamsted.search.sql.named import SPEC_KEY
from rothamsted.search.storage import in_storage
from rothamsted.search.sweep_lease import SWEEP_LEASE

T = TypeVar("T")
_KEYS = (
    SPEC_KEY,
    SWEEP_LEASE,
    tags.RUN_ID,
    tags.OPENING,
    tags.EXPERIMENT_ID,
    tags.CONFIRMATION_OF,
    tags.CONFIRMED,
    tags.CONTEST,
    tags.STAGE,
    tags.NEXT_STAGE,
    tags.ROUND,
)


@dataclass(frozen=True, kw_only=True)
class ListedSearch:
    """Describes one search of a database: of a sweep, a later stage, a confirmation or a contest.

    Attributes:
        study_id: Optuna's; optuna-dashboard shows it at /dashboard/studies/ID.
        name: of its Optuna study.
        attributes: attributes of the study that say what it is.
        trials: counts of trials by state.
        best: the best trial; None: none has a value.
        is_deciding: a process holds the sweep's lease, by the database's clock.
    """

    study_id: int
    name: str
    attributes: Mapping[str, Any]
    trials: CountedTrials
    best: BestTrial | None
    is_deciding: bool

    @property
    def spec(self) -> Mapping[str, Any]:
        """Return the resolved sweep file."""
        return self.attributes[SPEC_KEY]

    @property
    def lease(self) -> Mapping[str, Any]:
        """Say who decides, or did so last; empty: nobody ever has."""
        return self.attributes.get(SWEEP_LEASE, {})


def list_searches(url: str) -> list[ListedSearch]:
    """Return all searches of our sweeps in a storage, oldest first. A storage that does not exist has none.

    Raises:
        StoreError: the storage cannot be read, or has tables of another version.
    """
    return in_storage(url, lambda connection: as_json(url, lambda: _read(connection)), empty=[])


def as_json(url: str, read: Callable[[], T]) -> T:
    """Return the result of a call that reads attributes as JSON, with an error of one line if one is not JSON.

    Raises:
        StoreError: an attribute is not JSON.
    """
    try:
        return read()
    except json.JSONDecodeError as error:
        raise StoreError(
            f"storage {masked(url)}: an attribute of a search or a trial is not JSON ({error}); "
            "put back a copy of the database"
        ) from error


def _read(connection: sa.Connection) -> list[ListedSearch]:
    told, counted, now = (
        attributes_of_studies(connection, _KEYS),
        counted_trials(connection),
        database_now(connection),
    )
    ours = {study_id: said for study_id, said in told.items() if SPEC_KEY in said[1]}
    best = best_trials(connection, (tags.RESULT,), ours)
    return [
        ListedSearch(
            study_id=study_id,
            name=name,
            attributes=attributes,
            trials=counted.get(study_id, CountedTrials()),
            best=best.get(study_id),
            is_deciding=is_living(attributes.get(SWEEP_LEASE, {}), now),
        )
        for study_id, (name, attributes) in ours.items()
    ]


def is_living(lease: Mapping[str, Any], now: float) -> bool:
    """Return whether a process decides for a sweep by this lease; `now` is the time of the database's clock."""
    return lease.get("how") == "deciding" and lease["expires"] > now
