"""Make the job of a sweep for an executor: plain data for any machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rothamsted import places, tracking
from rothamsted.catalog import EXECUTORS
from rothamsted.executors import EarlyWorkers, Job, LocalExecutor
from rothamsted.executors.crew import GRACE_SECONDS
from rothamsted.spec import Sweep, most_workers, n_workers, secrets_of
from rothamsted.spec.schema import CLUSTER_KEYS, DEVICE_KEYS

ENTRY = "rothamsted.sweeping.worker.entry:work"  # by name: the coordinator knows no worker


def job_of(
    sweep: Sweep,
    *,
    tracking_uri: str,
    until: float | None,
    uses_gpu: bool,
    function: str | None = None,
    run_id: str = "",
) -> Job:
    """Return the job of each worker of a sweep.

    Args:
        sweep: the sweep.
        tracking_uri: tracking store of its runs.
        until: time (unix seconds) after which no further trial is claimed.
        uses_gpu: whether the training can use a GPU.
        function: file from which a worker reads the study's function; None: the sweep names the study.
        run_id: id of the sweep's run; empty if it has not been made.
    """
    arguments = {"sweep": sweep.name, "storage": sweep.storage, "tracking_uri": tracking_uri, "until": until}
    arguments |= {"secrets": secrets} if (secrets := secrets_of(sweep)) else {}
    arguments |= {} if function is None else {"function": function}
    return Job(
        entry=ENTRY,
        arguments={**arguments, "waits_for_server": True, "tells_warnings": True},
        environment={"MLFLOW_TRACKING_URI": tracking_uri, places.HOME: str(places.home(tracking_uri))},
        python_flags=_flags(sweep),
        options=_options(sweep, uses_gpu),
        most=most_workers(sweep) if sweep.execution.workers == "auto" else None,
        files=tuple(
            str(path) for uri in (sweep.storage, tracking_uri) if (path := places.sqlite_file(uri)) is not None
        ),
        folders=_shared(sweep, tracking_uri, function, run_id),
        grace_seconds=GRACE_SECONDS + grace_of_processes(sweep),
    )


def early_workers(sweep: Sweep) -> EarlyWorkers | None:
    """Return processes that import what a sweep's workers need; None if its executor does not run local processes."""
    if EXECUTORS[sweep.execution.executor] is not LocalExecutor:
        return None
    module = ENTRY.partition(":")[0]
    return EarlyWorkers(n_workers=n_workers(sweep), imports=[module], flags=_flags(sweep))


def _options(sweep: Sweep, uses_gpu: bool) -> dict[str, Any]:
    """What the file says to its executor alone."""
    keys = {*CLUSTER_KEYS, *DEVICE_KEYS}
    given = sweep.execution.model_dump(mode="json", include=keys, exclude_defaults=True)
    return {**given, "uses_gpu": uses_gpu}


def _shared(sweep: Sweep, tracking_uri: str, function: str | None, run_id: str) -> tuple[str, ...]:
    """The folders that workers share: those of checkpoints, of a function that is handed over, of artifacts."""
    home = places.home(tracking_uri)
    if sweep.execution.checkpoints == "folder":
        checkpoints = home / sweep.execution.checkpoint_dir
        return (str(home),) if checkpoints.is_relative_to(home) else (str(home), str(checkpoints))
    here = tracking.folder_here(run_id, uri=tracking_uri) if run_id else None
    return tuple(str(one) for one in (function and Path(function).parent, here) if one)


def _flags(sweep: Sweep) -> tuple[str, ...]:
    """-P: a file in a stranger's folder does not stand in for a module of the engine."""
    return ("-P",) if sweep.is_foreign else ()


def grace_of_processes(sweep: Sweep) -> float:
    """Return how long a worker waits for a foreign process to end, in seconds."""
    return sweep.execution.grace_seconds if sweep.is_foreign else 0.0
