"""Read runs and their metric histories from a tracking store, again while it is away.

Infinity is read as infinity; MLflow itself stores and returns the largest float instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rothamsted import tags as names
from rothamsted.errors import StoreError
from rothamsted.masking import masked
from rothamsted.records import MetricPoint
from rothamsted.tracking.address import tracking_uri
from rothamsted.tracking.checked import restored
from rothamsted.tracking.found import FoundRun as FoundRun
from rothamsted.tracking.retrying import Retrying, reading
from rothamsted.tracking.sql import runs as sql_runs
from rothamsted.tracking.sql.experiments import experiments
from rothamsted.tracking.sql.logged import logged_points
from rothamsted.tracking.sql.schema import client_of, is_empty, why_not_sql

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_PAGE = 1000  # runs; more make one answer of a server large


def find_runs(
    experiment_ids: Sequence[str] | None,
    tags: Mapping[str, str],
    *,
    uri: str | None = None,
    limit: int | None = None,
) -> list[FoundRun]:
    """Return the runs that carry all the tags, oldest start first; deleted ones left out.

    Args:
        experiment_ids: Where to look; None for everywhere.
        tags: Tag values to be met exactly; empty for every run.
        uri: Tracking URI; MLflow's own by default.
        limit: Stop after so many.
    """
    uri = uri or tracking_uri()
    what = f"{masked(uri)}: cannot search runs"
    if is_empty(uri):
        return []
    if why_not_sql(uri) is None:
        return reading(what, lambda: sql_runs.runs_with(uri, tags, experiment_ids=experiment_ids, limit=limit))
    client = client_of(uri)

    def search() -> list[FoundRun]:
        found: list[FoundRun] = []
        everywhere = _all_experiments(client) if experiment_ids is None else experiment_ids
        for run in _pages(client, everywhere, _filter(tags)):
            if all(run.data.tags.get(key) == value for key, value in tags.items()):
                found.append(_found(run))
            if len(found) == limit:
                break
        return found

    return reading(what, search)


def states_of_runs(experiment_id: str, sweep: str, *, uri: str) -> str:
    """Return a digest of the runs below a sweep: which are there, how and when each ended; deleted ones left out.

    Args:
        experiment_id: Where they are.
        sweep: Its name.
        uri: Tracking URI.
    """
    of_sweep = {names.SWEEP: sweep}
    if not is_empty(uri) and why_not_sql(uri) is None:
        what = f"{masked(uri)}: cannot search runs"
        rows = reading(what, lambda: sql_runs.states_with(uri, of_sweep, names.ROLE, experiment_id=experiment_id))
    else:
        found = find_runs([experiment_id], of_sweep, uri=uri)
        rows = [(one.run_id, one.status, one.end_ms, one.tags.get(names.ROLE)) for one in found]
    below = sorted(row[:3] for row in map(tuple, rows) if row[3] in (*names.TRIAL_ROLES, "replicate"))
    return hashlib.sha256(repr(below).encode()).hexdigest()


def find_run(run_id: str, *, uri: str | None = None, patience: Retrying | None = None) -> FoundRun | None:
    """Return the run of this id; None where there is none, or it is deleted. `patience`: see `reading`."""
    uri = uri or tracking_uri()
    what = f"{masked(uri)}: cannot read run {run_id}"
    if is_empty(uri):
        return None
    if why_not_sql(uri) is None:
        return reading(what, lambda: sql_runs.run_of(uri, run_id), patience)
    from mlflow.exceptions import MlflowException

    client = client_of(uri)

    def get() -> FoundRun | None:
        try:
            run = client.get_run(run_id)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise
        return _found(run) if run.info.lifecycle_stage == "active" else None

    return reading(what, get, patience)


def find_experiment(name: str, *, uri: str | None = None) -> str:
    """Return the id of an experiment that exists; experiment is MLflow's word for a folder of runs.

    Raises:
        StoreError: there is none of this name; the message names those that exist.
    """
    uri = uri or tracking_uri()
    place = masked(uri)
    what = f"{place}: cannot read experiments"
    if is_empty(uri):
        raise StoreError(f"{place}: no experiment called {name!r}; there are no runs here yet")
    if why_not_sql(uri) is None:
        active = [one for one in experiments(uri) if one.lifecycle_stage == "active"]
        found, known = next((one for one in active if one.name == name), None), [one.name for one in active]
    else:
        client = client_of(uri)
        found = reading(what, lambda: client.get_experiment_by_name(name))
        known = reading(what, lambda: [one.name for one in client.search_experiments(max_results=_PAGE)])
    if found is not None and found.lifecycle_stage == "active":
        return found.experiment_id
    raise StoreError(f"{place}: no experiment called {name!r}; known: {', '.join(sorted(known))}")


def read_history(
    run_ids: Collection[str],
    keys: Collection[str] | None = None,
    *,
    uri: str | None = None,
    patience: Retrying | None = None,
) -> dict[str, list[MetricPoint]]:
    """Return all logged points of runs, by run, ordered by step, then time, key and value.

    Args:
        run_ids: Ids of runs; each is a key of the answer, with an empty list if nothing was logged.
        keys: Metrics to read; None for all.
        uri: Tracking URI; MLflow's own by default. A SQL store answers 1,000 runs in one query, a server
            is asked once a run and metric.
        patience: How long to go on trying while the store is away; by default as long as it is waited for anywhere.
    """
    uri = uri or tracking_uri()
    read = _history_from_client if why_not_sql(uri) else _history_from_sql
    histories: dict[str, list[MetricPoint]] = {run_id: [] for run_id in run_ids}
    for run_id, point in read(uri, list(histories), keys, patience):
        histories[run_id].append(point)
    for points in histories.values():
        points.sort(key=lambda point: (point.step, point.timestamp_ms, point.key, point.value))
    return histories


def _history_from_sql(
    uri: str, run_ids: list[str], keys: Collection[str] | None, patience: Retrying | None
) -> Iterator[tuple[str, MetricPoint]]:
    for rows in logged_points(uri, run_ids, keys, patience):
        for run_id, key, step, time_ms, value in rows:
            yield run_id, MetricPoint(key, value, time_ms, step)


def _history_from_client(
    uri: str, run_ids: list[str], keys: Collection[str] | None, patience: Retrying | None
) -> Iterator[tuple[str, MetricPoint]]:
    client, place = _client(uri)
    for run_id in run_ids:

        def points(run_id: str = run_id) -> list[MetricPoint]:
            logged = client.get_run(run_id).data.metrics
            return [
                MetricPoint(key, restored(point.value), point.timestamp, point.step)
                for key in (logged if keys is None else [key for key in logged if key in keys])
                for point in client.get_metric_history(run_id, key)
            ]

        for point in reading(f"{place}: cannot read run {run_id}", points, patience):
            yield run_id, point


def _client(uri: str | None) -> tuple[MlflowClient, str]:
    uri = uri or tracking_uri()
    return client_of(uri), masked(uri)


def _all_experiments(client: MlflowClient) -> list[str]:
    ids: list[str] = []
    token: str | None = None
    while True:
        page = client.search_experiments(max_results=_PAGE, page_token=token)
        ids += [experiment.experiment_id for experiment in page]
        token = page.token
        if not token:
            return ids


def _pages(client: MlflowClient, experiment_ids: Sequence[str], text: str) -> Iterator[Run]:
    token: str | None = None
    while experiment_ids:
        page = client.search_runs(
            list(experiment_ids),
            filter_string=text,
            max_results=_PAGE,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


def _filter(tags: Mapping[str, str]) -> str:
    """Return MLflow's filter for the tags that its grammar can say; the caller checks them all again."""
    sayable = {key: value for key, value in tags.items() if "`" not in key and "'" not in value}
    return " AND ".join(f"tags.`{key}` = '{value}'" for key, value in sayable.items())


def _found(run: Run) -> FoundRun:
    return FoundRun(
        run_id=run.info.run_id,
        experiment_id=run.info.experiment_id,
        name=run.info.run_name or "",
        status=run.info.status,
        start_ms=run.info.start_time,
        end_ms=run.info.end_time,
        tags=dict(run.data.tags),
        params=dict(run.data.params),
        metrics={key: restored(value) for key, value in run.data.metrics.items()},
    )
