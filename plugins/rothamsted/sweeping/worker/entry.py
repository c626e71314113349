"""Start a worker: open a sweep that was started before, by its name and storage, and work on it.

The command `rothamsted worker` and every executor's job call the same function.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rothamsted import tracking
from rothamsted.holders import new_worker_id
from rothamsted.mlproject import find_home
from rothamsted.studies import Study
from rothamsted.studies.function.by_value import read_function
from rothamsted.sweeping.checkpoint_folders import check_seen
from rothamsted.sweeping.foreign_study import check_variables
from rothamsted.sweeping.open.from_file import find_target
from rothamsted.sweeping.opened import Emit, Opened, open_started
from rothamsted.sweeping.phases.order import phases_of
from rothamsted.sweeping.worker.warned import warnings_told
from rothamsted.sweeping.worker.work import Worker


class WhyLeft(StrEnum):
    """Says why a worker has ended, for its user."""

    DONE = "nothing is left to do"
    STOPPED = "stopped"
    GROWN = "the sweep has grown; start this worker again"
    UNDECIDED = "no process decides what comes next; give the sweep's own command again"


def work(
    *,
    sweep: str,
    storage: str,
    emit: Emit,
    should_stop: Callable[[], bool],
    tracking_uri: str | None = None,
    until: float | None = None,
    waits_for_server: bool = False,
    tells_warnings: bool = False,
    function: str | None = None,
    secrets: Mapping[str, Any] = MappingProxyType({}),
) -> WhyLeft:
    """Work on a sweep until nothing is left, or until stopped.

    Args:
        sweep: name of the sweep.
        storage: database URL of the search.
        emit: function that gets each replicate's start and end and each trial's end.
        should_stop: function that is called between measurements; true: checkpoint, give the trials back, and end.
        tracking_uri: tracking store of the record; None: by MLflow's own settings.
        until: time (unix seconds) after which no further trial is claimed.
        function: file of the study's function; None: the sweep names the study.
        secrets: secrets that are not recorded, see `rothamsted.spec.recorded`; a worker by hand has none.
        waits_for_server: whether to wait for a tracking server that is away, because it answered when the sweep began.
        tells_warnings: whether warnings of the engine and the study are emitted as notes, if standard error is not
            seen.

    Raises:
        UserError: there is no such sweep, its study is not here, or a store cannot be reached.
    """
    root = find_home(Path.cwd())
    uri = tracking_uri or tracking.tracking_uri()
    if waits_for_server:
        tracking.wait_until_reachable(uri, gives_up=should_stop)
    else:
        tracking.check_reachable(uri)
    context = open_started(
        sweep,
        storage,
        root=root,
        find_target=lambda whole: find_target(whole, root) if function is None else read_function(function),
        tracking_uri=uri,
        secrets=secrets,
    )
    check_variables(context.sweep)
    if context.sweep.execution.checkpoints == "artifacts":
        check_seen(context.sweep_run_id, uri=uri)
    if threading.current_thread() is threading.main_thread():  # this process is for this work
        gc.collect()
        gc.freeze()  # what is imported stays: full collections need not walk it again
    worker_id = new_worker_id()
    worker = Worker(context=context, emit=emit, should_stop=should_stop, until=until, worker_id=worker_id)
    try:
        with _warnings(emit, worker_id, context) if tells_warnings else nullcontext():
            worker.run()
        is_stopped = should_stop() or (until is not None and time.time() >= until)
        return WhyLeft.STOPPED if is_stopped else _why_idle(context)
    finally:
        context.recorder.close()


def _why_idle(context: Opened) -> WhyLeft:
    """Why a worker that was not stopped has ended: the sweep is over or has grown, or waits for a coordinator."""
    if context.has_grown:
        return WhyLeft.GROWN
    data = context.data()
    is_over = all(phase.next(data) is None for phase in phases_of(context.sweep))
    return WhyLeft.DONE if is_over else WhyLeft.UNDECIDED


def _warnings(emit: Emit, worker_id: str, context: Opened) -> AbstractContextManager[None]:
    study = context.study
    package = study.config.__module__.partition(".")[0] if isinstance(study, Study) else ""
    return warnings_told(lambda text: emit({"event": "note", "worker": worker_id, "text": text}), package)
