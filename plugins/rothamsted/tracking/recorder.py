"""Record runs, params, metrics and artifacts in MLflow.

It buffers, checks, locks and tries again. It uses a writer for SQL stores (many rows in one transaction), or one for
other stores (MLflow's public client)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rothamsted import tags as names
from rothamsted.errors import StoreError
from rothamsted.records import DatasetUsed, MetricPoint, RunStatus
from rothamsted.tracking.batch import Batch, RunOpening, Writer
from rothamsted.tracking.checked import checked_metric, checked_param, checked_tag, opening_tags
from rothamsted.tracking.entities import put_dataset
from rothamsted.tracking.failures import StoreAwayError
from rothamsted.tracking.holds import Holds, checked_token
from rothamsted.tracking.kept_back import KeptBack, KeptBackError
from rothamsted.tracking.retrying import Retrying
from rothamsted.tracking.run_context import context_tags
from rothamsted.tracking.run_files import TABLES_TAG, put_file, put_text, put_texts, table_text, with_table


class Recorder:
    """Writes runs. Calls buffer; `flush` writes. Thread-safe; belongs to the process that opened it.

    A run may be *held*: its tag `rothamsted.holder` is the number of the claim that may write to it. If the tag has
    another number when something is written, the write is dropped, and the run is in `lost`. A SQL store reads the tag
    in the writing transaction. A server has no transaction: the tag is read before each request, so one request of an
    old holder may still get through.
    """

    def __init__(self, writer: Writer, retrying: Retrying | None = None, kept: KeptBack | None = None) -> None:
        self._writer = writer
        self._kept = kept  # where the store is a server
        self._retrying = retrying or Retrying()
        self._lock = threading.RLock()
        self._batch = Batch()
        self._writable: set[str] = set()  # runs known to exist and to be active, until they end
        self._holds = Holds()
        self._context_tags = context_tags()
        self._is_closed = False

    # ---- runs ----

    def new_run_id(self) -> str:
        """Return an id for a new run, to be given to `open_run`; "" where the store gives ids itself.

        Nothing is written.
        """
        return self._writer.new_run_id()

    def open_run(
        self,
        *,
        experiment_id: str,
        name: str,
        parent_id: str | None = None,
        tags: Mapping[str, Any],
        params: Mapping[str, Any],
        start_ms: int,
        run_id: str = "",
        holder: int | None = None,
        is_part: bool = False,
        dataset: DatasetUsed | None = None,
    ) -> str:
        """Open a run and return its id.

        Args:
            experiment_id: MLflow's folder of runs; it has to exist and to be active.
            name: What the UI shows, 1 to 250 characters.
            parent_id: The run to nest under, by `mlflow.parentRunId`.
            tags: Set beside `mlflow.user` and `mlflow.source.name` and `.type`, which they override.
            params: Kept as text.
            start_ms: Milliseconds since 1970.
            run_id: The run's id, from `new_run_id`; without it, a new one. A run of this id that is there
                already is kept as it is and goes on: RUNNING, without an end.
            holder: Hold the run by this number, see `hold`.
            dataset: What it is made with.
            is_part: The run above says where it comes from: of MLflow's own tags only `mlflow.user` is set.
        """
        context = {key: text for key, text in self._context_tags.items() if key == "mlflow.user" or not is_part}
        texts = opening_tags(context, name, parent_id, tags)
        if holder is not None:
            texts[names.HOLDER] = str(checked_token(holder))
        checked_params = {key: checked_param(key, value) for key, value in params.items()}
        of_run: dict[str, Any] = {"run_id": run_id, "experiment_id": experiment_id, "name": name, "dataset": dataset}
        opening = RunOpening(**of_run, start_ms=int(start_ms), tags=texts)
        with self._lock:
            self._check_open()
            made_id = self._retrying.until_done(lambda: self._writer.create(opening))
            self._writable.add(made_id)
            if holder is not None:
                self._hold(made_id, holder)
            if made_id not in self._holds.lost:
                waiting = self._batch.of(made_id)
                waiting.opening = waiting.opening or opening
                if run_id:
                    waiting.state = (RunStatus.RUNNING, None)
                self._batch.add(made_id, params=checked_params)
        return made_id

    def resume_run(self, run_id: str) -> None:
        """Put an ended run back to RUNNING, without an end.

        Through a server the old end time stays until the run ends again: MLflow's REST interface cannot
        clear it.
        """
        self._set_state(run_id, RunStatus.RUNNING, None)

    def end_run(self, run_id: str, status: RunStatus, end_ms: int) -> None:
        """End a run in a status, at a time in milliseconds since 1970."""
        self._set_state(run_id, RunStatus(status), int(end_ms))

    def log(
        self,
        run_id: str,
        *,
        metrics: Iterable[MetricPoint] = (),
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """Add to a run. Tags overwrite; a param or a metric point that is there already is left alone."""
        points = [checked_metric(point) for point in metrics]
        checked_params = {key: checked_param(key, value) for key, value in (params or {}).items()}
        checked_tags = {key: checked_tag(key, value) for key, value in (tags or {}).items()}
        with self._lock:
            if self._may_write(run_id):
                self._batch.add(run_id, metrics=points, params=checked_params, tags=checked_tags)

    def replace_metrics(self, run_id: str, metrics: Sequence[MetricPoint]) -> None:
        """Make these the points of their metrics, at once; other metrics of the run are left alone.

        Equal numbers written twice leave the run as it was. A server lets nothing be deleted: there a point
        that has changed is logged again, and the later one counts.
        """
        points = [checked_metric(point) for point in metrics]
        with self._lock:
            self.flush()
            if self._may_write(run_id):
                self._batch.of(run_id).replaced.update(point.key for point in points)
                self._batch.add(run_id, metrics=points)
                self.flush()

    def log_dataset(self, run_id: str, dataset: DatasetUsed) -> None:
        """Say what data a run that is there was made with, at once; nothing where it is lost."""
        self._store(run_id, lambda: put_dataset(self._writer.client, run_id, dataset))

    def set_description(self, run_id: str, markdown: str) -> None:
        """Set the text that the UI shows on top of the run, at most 8,000 characters."""
        self.log(run_id, tags={"mlflow.note.content": markdown})

    # ---- who may write ----

    def hold(self, run_id: str, token: int) -> None:
        """Hold a run from now on: the next flush puts this number on it, unless a higher one is there.

        What waits for the run under an older number is flushed first. A run that was lost under this number
        or a higher one stays lost.

        Args:
            run_id: A run that is there, or that `open_run` has opened.
            token: The number of the claim, 0 or more; a later claim has a higher one.
        """
        with self._lock:
            self._check_writable(run_id)
            self._hold(run_id, checked_token(token))

    def release(self, run_id: str) -> None:
        """Forget that a run is held; what waits for it is still written as its holder's."""
        with self._lock:
            self._holds.release(run_id)
            self._holds.forget_released(self._batch.runs)

    @property
    def lost(self) -> frozenset[str]:
        """Return the runs of which something was dropped, as another one holds them."""
        with self._lock:
            return self._holds.lost

    def confirm(self, run_id: str) -> bool:
        """Ask the store whether we still hold a run; True for a run that was never held.

        For what no transaction can hold, artifacts and models: ask just before they are stored.
        """
        with self._lock:
            self._check_open()
            if self._kept or not self._holds.is_placed(run_id):
                self.flush()
            if self._holds.token(run_id) is not None and run_id not in self._holds.lost:
                there = self._retrying.until_done(lambda: self._writer.holder(run_id))
                if self._holds.fence([run_id]).keeps_out(run_id, there):
                    self._lose({run_id})
            return run_id not in self._holds.lost

    # ---- artifacts ----

    def log_text(self, run_id: str, text: str, path: str) -> None:
        """Store a text as the artifact `path` of a run, at once; nothing where the run is lost."""
        self._store(run_id, lambda: put_text(self._writer, run_id, text, path))

    def add_text(self, run_id: str, text: str, path: str) -> None:
        """Store a small text as the artifact `path` of a run with the next flush: no write to the store of its own."""
        with self._lock:
            if self._may_write(run_id):
                self._batch.of(run_id).texts[path] = text

    def log_file(self, run_id: str, local_path: str | Path, folder: str = "") -> None:
        """Store a file, or all of a folder, among the artifacts of a run, at once; nothing where it is lost."""
        self._store(run_id, lambda: put_file(self._writer, run_id, local_path, folder))

    def log_table(self, run_id: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], path: str) -> None:
        """Store a table (.json) that MLflow's UI shows as a table, at once; an older one is replaced."""
        self.log_text(run_id, table_text(columns, rows), path)
        with self._lock:
            if run_id not in self._holds.lost:
                there = self._retrying.until_done(lambda: self._writer.tag(run_id, TABLES_TAG))
                if (listed := with_table(there, path)) != there:
                    self.log(run_id, tags={TABLES_TAG: listed})
                    self.flush()

    # ---- writing ----

    def flush(self, wait_seconds: float | None = None) -> None:
        """Write all that is buffered. What fails stays buffered: flushing again loses and doubles nothing.

        What a server that is away should have been given is kept in a file, and delivered before anything newer.

        Args:
            wait_seconds: How long to try again while the store is away; by default as long as the recorder
                was opened with.

        Raises:
            StoreError: the store is still away, or it refuses.
        """
        with self._lock:
            self._check_open()
            try:
                self._write(wait_seconds)
            except StoreError as error:
                if self._kept is None or not isinstance(error.__cause__, StoreAwayError):
                    raise
                self._keep(error.__cause__)
                raise KeptBackError(f"{error}; what waits in {self._kept.folder} is delivered later") from error

    def deliver_left(self) -> None:
        """Give a server what ended processes have kept for it; what is read after that is all that there is.

        Raises:
            StoreError: it is away.
        """
        if self._kept is not None and self._kept.has_left:
            self.flush()

    def pass_on(self) -> None:
        """Write all that is buffered, or keep it in a file where a server is away: training goes on.

        Raises:
            StoreError: the store refuses; or it is away and not a server.
        """
        with self._lock:
            if self._kept is None:
                self.flush()
            elif self._kept.is_due:
                with suppress(KeptBackError):
                    self.flush(0.0)
            else:
                self._keep(None)

    @property
    def patience(self) -> Retrying:
        """Say how long a store that is away is waited for: what is read between two writes waits as long."""
        return self._retrying

    def give_up_when(self, asked: Callable[[], bool]) -> None:
        """Wait no longer for a store that is away when this says so."""
        self._retrying = replace(self._retrying, gives_up=asked)

    def close(self) -> None:
        """Flush and let go; the recorder takes nothing more. What a server that is away cannot take is kept."""
        with self._lock:
            if self._is_closed:
                return
            if self._kept:
                with suppress(KeptBackError):
                    self.flush(0.0)
                self._kept.let_go()
            else:
                self.flush()
            self._is_closed = True

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    # ---- within ----

    def _write(self, wait_seconds: float | None) -> None:
        kept = self._kept
        if kept is not None and (kept or kept.has_left):
            self._lose(self._retrying.until_done(lambda: kept.deliver(self._writer), wait_seconds=wait_seconds))
        if not self._batch:
            return
        batch = self._batch
        fence = self._holds.fence(batch.runs)
        lost = self._retrying.until_done(lambda: self._writer.write(batch, fence), wait_seconds=wait_seconds)
        self._writable -= batch.ended()
        self._batch = batch.texts()
        self._holds.written(fence)
        self._lose(lost)
        self._retrying.until_done(lambda: put_texts(self._writer, self._batch), wait_seconds=wait_seconds)
        self._holds.forget_released(self._batch.runs)

    def _keep(self, why: BaseException | None) -> None:
        """Keep in the file what is buffered."""
        if self._kept is not None:
            fence = self._holds.fence(self._batch.runs)
            self._kept.keep(self._batch, fence, why)
            self._writable -= self._batch.ended()
            self._holds.written(fence)
            self._batch = Batch()
            self._holds.forget_released(())

    def _set_state(self, run_id: str, status: RunStatus, end_ms: int | None) -> None:
        with self._lock:
            if self._may_write(run_id):
                self._batch.of(run_id).state = (status, end_ms)

    def _store(self, run_id: str, put: Callable[[], None]) -> None:
        with self._lock:
            self.flush()  # the run has to be there
            is_ours = self.confirm(run_id)
        if is_ours:
            self._retrying.until_done(put)

    def _hold(self, run_id: str, token: int) -> None:
        if self._holds.token(run_id) not in (None, token) and run_id in self._batch:
            self.flush()
        self._holds.hold(run_id, token)
        if run_id not in self._holds.lost:
            self._batch.of(run_id)

    def _lose(self, run_ids: Iterable[str]) -> None:
        self._holds.lose(run_ids)
        self._batch = self._batch.without(self._holds.lost)

    def _may_write(self, run_id: str) -> bool:
        """Whether something for this run is taken; a run that is lost takes nothing."""
        self._check_writable(run_id)
        return run_id not in self._holds.lost

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreError(f"{self._writer.place}: this recorder is closed; open another")

    def _check_writable(self, run_id: str) -> None:
        """A run that this recorder did not open has to exist and not be deleted, as MLflow asks too."""
        self._check_open()
        if run_id not in self._writable:
            self._retrying.until_done(lambda: self._writer.check(run_id))
            self._writable.add(run_id)
