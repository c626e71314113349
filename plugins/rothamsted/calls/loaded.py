"""Load sweeps that were run before: one as a result, or all as a table."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rothamsted import places, tags, tracking
from rothamsted.analysis.find import find_last_stage, find_sweep
from rothamsted.analysis.read_sweep import read_sweep, read_sweep_runs
from rothamsted.analysis.settings import settings_of
from rothamsted.analysis.typed import label
from rothamsted.analysis.values import Dataset
from rothamsted.calls.described import DescribedSweep
from rothamsted.calls.frames import TIME, table
from rothamsted.calls.result import Result
from rothamsted.errors import StoreError
from rothamsted.inventory.sweeps import ListedSweep, find_listed, list_sweeps
from rothamsted.unsaved import UnsavedDatabases

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = {
    **{"name": "s", "state": "s", "n_done": "I", "n_all": "I", "metric": "s", "direction": "s", "best": "s"},
    **{"mean": "f", "ci_low": "f", "ci_high": "f", "n": "i", "is_confirmed": "b", "started": TIME, "run_id": "s"},
    "note": "s",
}


def load(name_or_run_id: str) -> Result:
    """Load a sweep that was run before, complete or not. Of a sweep with stages, the last stage is loaded.

    Args:
        name_or_run_id: the sweep's name, or the id of its MLflow run or of the run of any stage.

    Raises:
        UserError: there is no such sweep; the message names the sweeps that exist.

    Example:
        >>> load("parabola").best.values  # doctest: +SKIP
        {'x': 1.0}
    """
    uri = tracking.tracking_uri()
    tracking.check_reachable(uri)
    tracking.deliver_left(uri)
    run, _ = find_sweep(name_or_run_id, uri=uri)
    if run.run_id != name_or_run_id and tags.NEXT_SWEEP in run.tags:
        with suppress(StoreError):  # the next stage has not begun: this is the last that there is
            run = find_last_stage(name_or_run_id, uri=uri).last
    return result_of(run.run_id, uri=uri)


def result_of(
    run_id: str,
    *,
    uri: str,
    is_complete: bool | None = None,
    described: DescribedSweep | None = None,
    databases: UnsavedDatabases | None = None,
) -> Result:
    """Return the result of a sweep by the id of its run.

    Args:
        run_id: of the sweep.
        uri: tracking URI.
        is_complete: whether nothing is left to do. None: as the search says; if the search is not here, as the record
            says, which takes a sweep that ran out of time for complete.
        described: the sweep; None: as the record has it.
        databases: temporary databases that live as long as the result.
    """

    def read(curves: Collection[str]) -> Dataset:
        return read_sweep(run_id, uri=uri, curves=curves or None, has_samples=bool(curves))

    dataset = read(())
    if databases is not None:  # whatever may be asked later: the databases may be gone by then
        dataset = read({name for one in dataset.replicates for name in one.metrics})
    if described is None:
        found = read_sweep_runs(run_id, uri=uri)
        described = DescribedSweep.of_record(found.sweep, question=found.question)
        is_complete = _is_complete(run_id, found.sweep.storage, uri=uri) if is_complete is None else is_complete
    return Result(
        dataset=dataset if is_complete is None else replace(dataset, is_complete=is_complete),
        settings=settings_of(dataset.statistics),
        _described=described,
        _read=read,
        _tracking_uri=uri,
        _databases=databases,
    )


def sweeps() -> pd.DataFrame:
    """List all sweeps of this tracking store, the newest first. A later stage is a sweep of its own.

    Returns:
        One row for each sweep: name, state (running, finished, unfinished, failed), n_done and n_all conditions,
        metric, direction, the best condition so far with its mean and interval (on fresh seeds if `is_confirmed`), n,
        started, run_id, note.

    Raises:
        UserError: a database cannot be read.

    Example:
        >>> sweeps()[["name", "state", "mean"]]  # doctest: +SKIP
    """
    uri = tracking.tracking_uri()
    tracking.check_reachable(uri)
    tracking.deliver_left(uri)
    return table(
        _COLUMNS,
        [_row(one) for one in list_sweeps(uri=uri, storage=places.absolute_storage(places.STORAGE, places.home(uri)))],
    )


def _row(one: ListedSweep) -> tuple[Any, ...]:
    plain, best = one.plain, one.best
    first = [plain[name] for name in ("name", "state", "n_done", "n_all", "metric", "direction")]
    bounds = ("", None, None, None, 0, False)
    if best is not None:
        bounds = (label(best.values), best.value, best.low, best.high, best.n, best.is_confirmed)
    return (*first, *bounds, one.started_ms or None, one.run_id, one.note)


def _is_complete(run_id: str, storage: str, *, uri: str) -> bool | None:
    """Whether nothing is left to do, as the search says; None: its search is not here."""
    try:
        listed = find_listed(run_id, uri=uri, storage=storage)
    except StoreError:
        return None
    return listed.state == "finished" if listed.search is not None else None
