"""Read all runs of sweeps from a tracking store, deleted ones too, and make the changes that repair them.

A SQL store is read in five queries, a server page by page. What a server does not tell is None.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from rothamsted import tags
from rothamsted.masking import masked
from rothamsted.tracking.retrying import reading
from rothamsted.tracking.sql import care as sql
from rothamsted.tracking.sql.care import DoubledPoint, RunFacts
from rothamsted.tracking.sql.experiments import experiments
from rothamsted.tracking.sql.schema import client_of, is_empty, why_not_sql

_PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class RecordFacts:
    """Holds what a tracking store has of sweeps.

    Attributes:
        runs: by id, deleted ones too.
        others: ids of all other runs.
        is_sql: whether it was read by SQL, so that points, models and folders are known.
        models: ids of all logged models; empty if it is not a SQL store.
        folders: where experiments keep the artifacts of their runs.
    """

    runs: Mapping[str, RunFacts]
    others: frozenset[str] = frozenset()
    is_sql: bool = True
    models: frozenset[str] = frozenset()
    folders: tuple[str, ...] = field(default=())

    def is_active(self, run_id: str) -> bool:
        """Say whether a run is there and not deleted."""
        return run_id in self.others or (run_id in self.runs and not self.runs[run_id].is_deleted)

    def is_kept(self, run_id: str) -> bool:
        """Say whether a run of a sweep is there, not deleted, and says of which sweep it is."""
        return run_id in self.runs and not self.runs[run_id].is_deleted

    def is_deleted(self, run_id: str) -> bool:
        """Say whether a run can be restored."""
        return run_id in self.runs and self.runs[run_id].is_deleted


def read_record(uri: str) -> RecordFacts:
    """Read everything that a tracking store has of sweeps.

    Raises:
        StoreError: it cannot be read.
    """
    if is_empty(uri):
        return RecordFacts(runs={})
    what = f"{masked(uri)}: cannot read runs"
    if why_not_sql(uri) is not None:
        return reading(what, lambda: _from_client(uri))
    runs, others, models = reading(what, lambda: sql.read_runs(uri))
    folders = tuple(one.artifact_location for one in experiments(uri))
    return RecordFacts(runs=runs, others=others, models=models, folders=folders)


def doubled_points(uri: str, run_ids: Collection[str]) -> list[DoubledPoint]:
    """Find the points that stand more than once in one of these runs; of a SQL store."""
    return reading(f"{masked(uri)}: cannot read metrics", lambda: sql.doubled_points(uri, run_ids))


def stale_latest(uri: str, run_ids: Collection[str]) -> list[tuple[str, str]]:
    """Run and metric whose latest value is not its last point; of a SQL store."""
    return reading(f"{masked(uri)}: cannot read metrics", lambda: sql.stale_latest(uri, run_ids))


def set_deleted(uri: str, run_ids: Iterable[str], *, is_deleted: bool) -> None:
    """Mark runs deleted, or active again, as MLflow's UI does it; `mlflow gc` removes what is deleted."""
    ids = list(dict.fromkeys(run_ids))
    what = f"{masked(uri)}: cannot {'delete' if is_deleted else 'restore'} runs"
    if not ids:
        return
    if why_not_sql(uri) is None:
        reading(what, lambda: sql.set_deleted(uri, ids, is_deleted=is_deleted))
        return
    client = client_of(uri)
    for run_id in ids:
        reading(what, lambda run_id=run_id: (client.delete_run if is_deleted else client.restore_run)(run_id))


def keep_one_point(uri: str, points: Iterable[DoubledPoint]) -> None:
    """Keep the first of equal points; of a SQL store."""
    every = list(points)
    reading(f"{masked(uri)}: cannot write metrics", lambda: sql.keep_one_point(uri, every))


def set_latest(uri: str, places: Iterable[tuple[str, str]]) -> None:
    """Make the last point of these metrics (run, key) their latest value; of a SQL store."""
    every = list(places)
    reading(f"{masked(uri)}: cannot write metrics", lambda: sql.set_latest(uri, every))


def _from_client(uri: str) -> RecordFacts:
    from mlflow.entities import ViewType

    client = client_of(uri)
    found: dict[str, RunFacts] = {}
    others: set[str] = set()
    ids = [one.experiment_id for one in client.search_experiments()]
    token = None
    while ids:
        page = client.search_runs(ids, "", run_view_type=ViewType.ALL, max_results=_PAGE, page_token=token)
        for run in page:
            said = run.data.tags
            if tags.SWEEP not in said:
                others.add(run.info.run_id)
                continue
            found[run.info.run_id] = RunFacts(
                run_id=run.info.run_id,
                name=run.info.run_name or "",
                status=run.info.status,
                is_deleted=run.info.lifecycle_stage != "active",
                end_ms=run.info.end_time,
                artifact_uri="",
                tags={key: said[key] for key in sql.TAGS_READ if key in said},
                metrics={key: value for key, value in run.data.metrics.items() if sql.is_read(key)},
            )
        token = page.token
        if not token:
            break
    return RecordFacts(runs=found, others=frozenset(others), is_sql=False)
