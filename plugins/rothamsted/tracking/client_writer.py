"""The recorder for every store but SQL: MLflow's public client, in as few calls as its limits allow.

Apart, because through a server a run has to be created by a call of its own and everything else is bound to
the limits of one request.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking.context.default_context import DefaultRunContext
from mlflow.utils.validation import (
    MAX_BATCH_LOG_REQUEST_SIZE,
    MAX_ENTITIES_PER_BATCH,
    MAX_METRICS_PER_BATCH,
    MAX_PARAMS_TAGS_PER_BATCH,
)

from rothamsted.errors import StoreError
from rothamsted.records import MetricPoint, RunStatus
from rothamsted.tracking.checked import checked_metric, checked_param, checked_tag, opening_tags, restored
from rothamsted.tracking.failures import one_line, without_password
from rothamsted.tracking.run_files import put_file, put_table, put_text

_T = TypeVar("_T")


@dataclass
class _Waiting:
    """What one run waits to have written, in the order in which it is written."""

    is_resumed: bool = False
    metrics: dict[MetricPoint, None] = field(default_factory=dict)  # a set that keeps the order
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    end: tuple[RunStatus, int] | None = None


class ClientRecorder:
    """See `Recorder`. Runs are created at once; everything else waits for `flush`."""

    def __init__(self, uri: str) -> None:
        self._uri = without_password(uri)
        self._client = MlflowClient(uri)
        self._lock = threading.RLock()
        self._waiting: dict[str, _Waiting] = {}
        self._param_keys: dict[str, set[str]] = {}  # params that a run has, until it ends
        self._context_tags = DefaultRunContext().tags()
        self._is_closed = False

    def open_run(
        self,
        *,
        experiment_id: str,
        name: str,
        parent_id: str | None = None,
        tags: Mapping[str, Any],
        params: Mapping[str, Any],
        start_ms: int,
    ) -> str:
        """See `Recorder.open_run`."""
        texts = opening_tags(self._context_tags, name, parent_id, tags)
        checked_params = {key: checked_param(key, value) for key, value in params.items()}
        with self._lock:
            self._check_open()
            run = self._call(
                f"open run {name!r}",
                lambda: self._client.create_run(experiment_id, start_time=int(start_ms), tags=texts, run_name=name),
            )
            self._param_keys[run.info.run_id] = set()
            self._add(run.info.run_id, params=checked_params)
        return run.info.run_id

    def resume_run(self, run_id: str) -> None:
        """See `Recorder.resume_run`."""
        with self._lock:
            self._check_writable(run_id)
            waiting = self._waiting.setdefault(run_id, _Waiting())
            waiting.is_resumed, waiting.end = True, None

    def log(
        self,
        run_id: str,
        *,
        metrics: Iterable[MetricPoint] = (),
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """See `Recorder.log`."""
        points = [checked_metric(point) for point in metrics]
        checked_params = {key: checked_param(key, value) for key, value in (params or {}).items()}
        checked_tags = {key: checked_tag(key, value) for key, value in (tags or {}).items()}
        with self._lock:
            self._check_writable(run_id)
            self._add(run_id, metrics=points, params=checked_params, tags=checked_tags)

    def end_run(self, run_id: str, status: RunStatus, end_ms: int) -> None:
        """See `Recorder.end_run`."""
        with self._lock:
            self._check_writable(run_id)
            self._waiting.setdefault(run_id, _Waiting()).end = (RunStatus(status), int(end_ms))

    def set_description(self, run_id: str, markdown: str) -> None:
        """See `Recorder.set_description`."""
        self.log(run_id, tags={"mlflow.note.content": markdown})

    def log_table(self, run_id: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], path: str) -> None:
        """See `Recorder.log_table`."""
        self._check_open()
        put_table(self._client, run_id, columns, rows, path)

    def replace_metrics(self, run_id: str, metrics: Sequence[MetricPoint]) -> None:
        """See `Recorder.replace_metrics`."""
        points = [checked_metric(point) for point in metrics]
        self.flush()
        there: dict[tuple[str, int], MetricPoint] = {}
        for key in sorted({point.key for point in points}):
            old = self._call(f"read metric {key}", lambda: self._client.get_metric_history(run_id, key))  # noqa: B023
            for point in sorted(old, key=lambda point: (point.timestamp, point.value)):
                there[key, point.step] = MetricPoint(key, restored(point.value), point.timestamp, point.step)
        changed = []
        for point in points:
            known = there.get((point.key, point.step))
            if known is None or known.value != point.value:
                later = point.timestamp_ms if known is None else max(point.timestamp_ms, known.timestamp_ms + 1)
                changed.append(point._replace(timestamp_ms=later))
        self.log(run_id, metrics=changed)
        self.flush()

    def log_text(self, run_id: str, text: str, path: str) -> None:
        """See `Recorder.log_text`."""
        self._check_open()
        put_text(self._client, run_id, text, path)

    def log_file(self, run_id: str, local_path: str | Path, folder: str = "") -> None:
        """See `Recorder.log_file`."""
        self._check_open()
        put_file(self._client, run_id, local_path, folder)

    def flush(self) -> None:
        """See `Recorder.flush`."""
        with self._lock:
            self._check_open()
            for run_id in list(self._waiting):
                waiting = self._waiting[run_id]
                self._call(f"write run {run_id}", lambda: self._write(run_id, waiting))  # noqa: B023
                del self._waiting[run_id]
                if waiting.end:
                    self._param_keys.pop(run_id, None)

    def close(self) -> None:
        """See `Recorder.close`."""
        with self._lock:
            if not self._is_closed:
                self.flush()
                self._is_closed = True

    def __enter__(self) -> ClientRecorder:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def _add(
        self,
        run_id: str,
        *,
        metrics: Iterable[MetricPoint] = (),
        params: Mapping[str, str],
        tags: Mapping[str, str] | None = None,
    ) -> None:
        waiting = self._waiting.setdefault(run_id, _Waiting())
        waiting.metrics.update(dict.fromkeys(metrics))
        known = self._param_keys[run_id]
        waiting.params.update({key: value for key, value in params.items() if key not in known})
        known.update(params)
        waiting.tags.update(tags or {})

    def _write(self, run_id: str, waiting: _Waiting) -> None:
        """Write one run; each part is safe to be sent twice, so a flush that fails here can be repeated."""
        if waiting.is_resumed:
            self._client.update_run(run_id, status=RunStatus.RUNNING.value)
        for batch in batches(waiting.metrics, waiting.params, waiting.tags):
            self._client.log_batch(run_id, metrics=batch["metrics"], params=batch["params"], tags=batch["tags"])
        if waiting.end:
            status, end_ms = waiting.end
            self._client.set_terminated(run_id, status=status.value, end_time=end_ms)

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreError(f"{self._uri}: this recorder is closed; open another")

    def _check_writable(self, run_id: str) -> None:
        """A run that this recorder did not open has to exist, and its params have to be known."""
        self._check_open()
        if run_id in self._param_keys:
            return
        run = self._call(f"find run {run_id}", lambda: self._client.get_run(run_id))
        if run.info.lifecycle_stage != "active":
            raise StoreError(f"{self._uri}: run {run_id} is deleted; restore it or begin under another name")
        self._param_keys[run_id] = set(run.data.params)

    def _call(self, task: str, call: Callable[[], _T]) -> _T:
        try:
            return call()
        except MlflowException as error:
            raise StoreError(f"{self._uri}: cannot {task}: {one_line(error)}") from error


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
