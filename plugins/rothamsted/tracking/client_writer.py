"""Write to stores other than SQL through MLflow's public client, in as few calls as its limits allow.

On a server a run is made by a separate call, and everything else is bound to the limits of one request.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import (
    MAX_BATCH_LOG_REQUEST_SIZE,
    MAX_ENTITIES_PER_BATCH,
    MAX_METRICS_PER_BATCH,
    MAX_PARAMS_TAGS_PER_BATCH,
)

from rothamsted import tags as names
from rothamsted.errors import StoreError
from rothamsted.masking import masked
from rothamsted.records import MetricPoint, RunStatus
from rothamsted.tracking.batch import Batch, Fence, RunOpening, Waiting
from rothamsted.tracking.checked import restored
from rothamsted.tracking.entities import put_dataset
from rothamsted.tracking.failures import store_error
from rothamsted.tracking.server_says import listen_to

_T = TypeVar("_T")


@dataclass
class _Known:
    """What a run has already and keeps: a server refuses another value for a param."""

    params: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)


class _KeptOutError(Exception):
    """Another one holds the run."""


class ClientWriter:
    """See `Writer`. Runs are made at once, as the store gives their ids.

    There is no transaction: the holder of a run is read before each request, so one request may come too late. If the
    answer to making a run is lost, the run is looked for before it is made again. A server that makes it later leaves
    an empty run that stays RUNNING.
    """

    def __init__(self, uri: str) -> None:
        self.place = masked(uri)
        listen_to(uri)
        self.client = MlflowClient(uri)
        self._known: dict[str, _Known] = {}  # by run, until it ends
        self._asked_for: RunOpening | None = None  # whose making was not answered

    def new_run_id(self) -> str:
        """See `Writer.new_run_id`."""
        return ""

    def create(self, opening: RunOpening) -> str:
        """See `Writer.create`."""
        if opening.run_id:
            self.check(opening.run_id)
            return opening.run_id
        run_id = self._made_before(opening) if opening is self._asked_for else None
        self._asked_for = opening
        if run_id is None:
            run = self._call(
                f"open run {opening.name!r}",
                lambda: self.client.create_run(
                    opening.experiment_id, start_time=opening.start_ms, tags=dict(opening.tags), run_name=opening.name
                ),
            )
            run_id = run.info.run_id
        if opening.dataset is not None:
            used = opening.dataset
            self._call(f"write run {run_id}", lambda: put_dataset(self.client, run_id, used))
        self._known[run_id] = _Known(tags=set(opening.tags))
        self._asked_for = None
        return run_id

    def _made_before(self, opening: RunOpening) -> str | None:
        """The run that was asked for and made, but whose id did not come."""
        wanted = f"attributes.start_time = {opening.start_ms}"
        found = self._call(
            f"look for run {opening.name!r}", lambda: self.client.search_runs([opening.experiment_id], wanted)
        )
        ids = [run.info.run_id for run in found if opening.tags.items() <= run.data.tags.items()]
        return ids[0] if ids else None

    def check(self, run_id: str) -> None:
        """See `Writer.check`."""
        self._knowledge(run_id)

    def holder(self, run_id: str) -> str | None:
        """See `Writer.holder`."""
        return self.tag(run_id, names.HOLDER)

    def tag(self, run_id: str, key: str) -> str | None:
        """See `Writer.tag`."""
        return self._run(run_id).data.tags.get(key)

    def artifact_uri(self, run_id: str) -> str | None:
        """See `Writer.artifact_uri`: the client finds the way."""
        return None

    def write(self, batch: Batch, fence: Fence) -> frozenset[str]:
        """See `Writer.write`; run by run, and each request is safe to be sent twice."""
        lost = set()
        for run_id, waiting in batch.runs.items():
            try:
                self._write(run_id, waiting, fence)
            except _KeptOutError:
                lost.add(run_id)
        for run_id in batch.ended():
            self._known.pop(run_id, None)
        return frozenset(lost)

    def _write(self, run_id: str, waiting: Waiting, fence: Fence) -> None:
        send = self._sender(run_id, fence)
        known = self._knowledge(run_id)
        if run_id in fence.new:
            holder = str(fence.tokens[run_id])
            send(lambda: self.client.set_tag(run_id, names.HOLDER, holder))
            fence = Fence(tokens=fence.tokens, new=fence.new - {run_id})
            send = self._sender(run_id, fence)
        status, end_ms = waiting.state or (None, None)
        if status == RunStatus.RUNNING:
            send(lambda: self.client.update_run(run_id, status=RunStatus.RUNNING.value))
        tags = dict(waiting.tags)
        if waiting.opening is not None:
            tags = {key: text for key, text in waiting.opening.tags.items() if key not in known.tags} | tags
        new = {key: text for key, text in waiting.params.items() if key not in known.params}
        points = self._changed(run_id, waiting) if waiting.replaced else waiting.metrics
        for batch in batches(dict.fromkeys(points), new, tags):
            send(lambda: self._log(run_id, batch))  # noqa: B023
        known.params.update(new)
        if status is not None and status != RunStatus.RUNNING:
            send(lambda: self.client.set_terminated(run_id, status=status.value, end_time=end_ms))

    def _log(self, run_id: str, batch: Mapping[str, list[Any]]) -> None:
        self.client.log_batch(run_id, metrics=batch["metrics"], params=batch["params"], tags=batch["tags"])

    def _sender(self, run_id: str, fence: Fence) -> Callable[[Callable[[], object]], None]:
        """Return what sends one request for a run, after a look at who holds it."""

        def send(request: Callable[[], object]) -> None:
            if run_id in fence.tokens and fence.keeps_out(run_id, self.holder(run_id)):
                raise _KeptOutError(run_id)
            self._call(f"write run {run_id}", request)

        return send

    def _changed(self, run_id: str, waiting: Waiting) -> list[MetricPoint]:
        """Return the points that are not there yet: an older point of a replaced metric is outdone by a later one."""
        there: dict[tuple[str, int], MetricPoint] = {}
        for key in sorted(waiting.replaced):
            old = self._call(f"read metric {key}", lambda: self.client.get_metric_history(run_id, key))  # noqa: B023
            for point in sorted(old, key=lambda point: (point.timestamp, point.value)):
                there[key, point.step] = MetricPoint(key, restored(point.value), point.timestamp, point.step)
        changed = []
        for point in waiting.metrics:
            known = there.get((point.key, point.step))
            if known is None or known.value != point.value:
                later = point.timestamp_ms if known is None else max(point.timestamp_ms, known.timestamp_ms + 1)
                changed.append(point._replace(timestamp_ms=later))
        return changed

    def _knowledge(self, run_id: str) -> _Known:
        known = self._known.get(run_id)
        if known is None:
            run = self._run(run_id)
            if run.info.lifecycle_stage != "active":
                raise StoreError(f"{self.place}: run {run_id} is deleted; restore it or begin under another name")
            known = self._known[run_id] = _Known(params=set(run.data.params), tags=set(run.data.tags))
        return known

    def _run(self, run_id: str) -> Run:
        return self._call(f"find run {run_id}", lambda: self.client.get_run(run_id))

    def _call(self, task: str, call: Callable[[], _T]) -> _T:
        try:
            return call()
        except MlflowException as error:
            raise store_error(f"{self.place}: cannot {task}", error) from error


def batches(
    metrics: Iterable[MetricPoint], params: Mapping[str, str], tags: Mapping[str, str]
) -> Iterator[dict[str, list[Any]]]:
    """Cut what a run has to log into `log_batch` calls within MLflow's limits, params first, then tags.

    A call takes 1,000 metrics, 100 params, 100 tags, 1,000 together, and a body of a million characters.
    """
    limits = {
        "params": MAX_PARAMS_TAGS_PER_BATCH,
        "tags": MAX_PARAMS_TAGS_PER_BATCH,
        "metrics": MAX_METRICS_PER_BATCH,
    }
    items = [("params", Param(key, value), _size(key, value)) for key, value in params.items()]
    items += [("tags", RunTag(key, value), _size(key, value)) for key, value in tags.items()]
    items += [("metrics", Metric(p.key, p.value, p.timestamp_ms, p.step), _size(p.key, "")) for p in metrics]
    batch: dict[str, list[Any]] = {kind: [] for kind in limits}
    n_items = size = 0
    for kind, item, item_size in items:
        is_full = len(batch[kind]) == limits[kind] or n_items == MAX_ENTITIES_PER_BATCH
        if is_full or size + item_size > MAX_BATCH_LOG_REQUEST_SIZE * 0.9:
            yield batch
            batch = {kind: [] for kind in limits}
            n_items = size = 0
        batch[kind].append(item)
        n_items, size = n_items + 1, size + item_size
    if n_items:
        yield batch


def _size(key: str, value: str) -> int:
    """Return an upper bound of the characters that an item takes in the body of a request."""
    return len(json.dumps(key)) + len(json.dumps(value)) + 150  # names of fields, number, timestamp, step
