"""Find or make the run for each run of another tool: exactly one, however many imports run at once."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rothamsted import tags
from rothamsted.errors import StoreError
from rothamsted.masking import masked
from rothamsted.tracking.failures import store_error
from rothamsted.tracking.found import FoundRun
from rothamsted.tracking.reader import find_runs
from rothamsted.tracking.retrying import reading
from rothamsted.tracking.sql.schema import client_of, why_not_sql
from rothamsted.tracking.sql.statements import RUNS
from rothamsted.tracking.sql.store import prepare_connection, sql_engine

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MOST_TRIES = 20
_WAIT_SECONDS = 0.5  # at most, before the first two tries; more before later ones


class ImportedRuns:
    """Finds the run of an experiment for a run of a source.

    A SQL store takes our ids of runs. The id is made of the experiment and the source's identity, so two imports at
    once write the same rows into the same run. Any other store gives ids itself. There each import makes a run with a
    claim, and then looks for claims. If it finds another claim besides its own, it deletes its own run, waits, and
    looks again. So at most one import finds itself alone; it takes the run by a second tag. No run is used before that.
    A claim of a killed process is deleted by an import that has waited long enough.
    """

    def __init__(
        self,
        uri: str,
        experiment_id: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._uri, self._experiment_id = uri, experiment_id
        self._sleep, self._jitter = sleep, jitter
        self._is_sql = why_not_sql(uri) is None
        self._deleted = _deleted_ids(uri, experiment_id) if self._is_sql else frozenset[str]()
        self.known: dict[str, FoundRun] = {}  # identity -> run, as it was when this was opened
        for run in find_runs([experiment_id], {tags.ROLE: tags.IMPORTED_ROLE}, uri=uri):
            self.known.setdefault(run.tags.get(tags.IMPORTED, ""), run)

    def run_id(self, identity: str, *, name: str, start_ms: int) -> str:
        """Return the id of the run for a run of a source; a store that gives ids makes the run now.

        Args:
            identity: of the run at its source, at most 250 characters.
            name: what MLflow shows.
            start_ms: milliseconds since 1970.

        Raises:
            StoreError: the store cannot be read or written, or other imports interfere again and again.
        """
        if identity in self.known:
            return self.known[identity].run_id
        if not self._is_sql:
            return self._claimed(identity, name, start_ms)
        for attempt in range(1_000_000):  # a run that was deleted keeps its id
            made = hashlib.sha256(f"{self._experiment_id}\0{identity}\0{attempt}".encode()).hexdigest()[:32]
            if made not in self._deleted:
                return made
        raise StoreError(f"run {name!r}: was imported and deleted too often; give another experiment=")

    def _claimed(self, identity: str, name: str, start_ms: int) -> str:
        client, place = client_of(self._uri), masked(self._uri)
        taken, claim = {tags.IMPORTED: identity}, {tags.IMPORT_CLAIM: identity}
        waited_for: set[str] | None = None  # claims that were there at every look
        for attempt in range(2 * _MOST_TRIES):
            if there := find_runs([self._experiment_id], taken, uri=self._uri):
                return there[0].run_id
            own = _made(client, self._experiment_id, name, start_ms, claim, place)
            others = {run.run_id for run in find_runs([self._experiment_id], claim, uri=self._uri)} - {own}
            if not others:
                reading(f"{place}: cannot write run {own}", lambda: client.set_tag(own, tags.IMPORTED, identity))  # noqa: B023
                return own
            waited_for = others if waited_for is None else waited_for & others
            gone = [own, *(waited_for if attempt >= _MOST_TRIES else ())]
            for run_id in gone:
                reading(f"{place}: cannot delete run {run_id}", lambda: client.delete_run(run_id))  # noqa: B023
            self._sleep(_WAIT_SECONDS * (1 + attempt // 2) * self._jitter())
        raise StoreError(f"{place}: run {name!r}: another import makes it all the time; wait until that one has ended")


def _made(client: MlflowClient, experiment_id: str, name: str, start_ms: int, given: dict[str, str], place: str) -> str:
    from mlflow.exceptions import MlflowException

    try:
        run = client.create_run(experiment_id, start_time=start_ms, tags=given, run_name=name)
    except MlflowException as error:
        raise store_error(f"{place}: cannot open run {name!r}", error) from error
    return run.info.run_id


def _deleted_ids(uri: str, experiment_id: str) -> frozenset[str]:
    """The ids of the runs of an experiment that somebody has deleted, whose rows are there until `mlflow gc`."""
    c = RUNS.c
    query = sa.select(c.run_uuid).where(c.experiment_id == int(experiment_id), c.lifecycle_stage == "deleted")

    def read() -> frozenset[str]:
        with sql_engine(uri).connect() as connection:
            prepare_connection(connection)
            return frozenset(connection.execute(query).scalars())

    return reading(f"{masked(uri)}: cannot read runs", read)
