"""Sweeps that were run before: one as a result, or all in a table."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from rothamsted import tags, tracking
from rothamsted.analysis.find import find_last_stage, find_sweep
from rothamsted.analysis.read_sweep import read_sweep, read_sweep_runs
from rothamsted.analysis.settings import settings_of
from rothamsted.analysis.values import Dataset
from rothamsted.calls.described import DescribedSweep
from rothamsted.calls.result import Result
from rothamsted.errors import StoreError
from rothamsted.unsaved import UnsavedDatabases

if TYPE_CHECKING:
    import pandas as pd


def load(name_or_run_id: str) -> Result:
    """A sweep that was run before, as it stands; of one with stages the last.

    Args:
        name_or_run_id: the sweep's name, or the id of its run in MLflow, which may be that of any stage.

    Raises:
        UserError: there is none; the message names the sweeps that exist.

    Example:
        >>> load("quickstart").best.values  # doctest: +SKIP
        {'optimizer.lr': 0.1}
    """
    uri = tracking.tracking_uri()
    tracking.check_reachable(uri)
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
    """The result of a sweep by the id of its run.

    Args:
        run_id: of the sweep.
        uri: tracking URI.
        is_complete: whether nothing is left to do; None: as the record says, which takes one out of time for complete.
        described: the sweep; None: as it is on record.
        databases: that go with the result.
    """

    def read(curves: Collection[str]) -> Dataset:
        return read_sweep(run_id, uri=uri, curves=curves or None)

    dataset = read(())
    if databases is not None:  # whatever may be asked later: the databases may be gone by then
        dataset = read({name for one in dataset.replicates for name in one.metrics})
    if described is None:
        found = read_sweep_runs(run_id, uri=uri)
        described = DescribedSweep.of_record(found.sweep, question=found.question)
    return Result(
        dataset=dataset if is_complete is None else replace(dataset, is_complete=is_complete),
        settings=settings_of(dataset.statistics),
        _described=described,
        _read=read,
        _tracking_uri=uri,
        _databases=databases,
    )


def sweeps() -> pd.DataFrame:
    """All sweeps of the tracking store, the newest first: name, study, state, objective, started, run."""
    import pandas as pd

    uri = tracking.tracking_uri()
    tracking.check_reachable(uri)
    runs = tracking.find_runs(None, {tags.ROLE: "sweep"}, uri=uri)[::-1]
    started = pd.to_datetime(pd.Series([one.start_ms for one in runs], dtype="int64"), unit="ms", utc=True)
    return pd.DataFrame(
        {
            "name": pd.Series([one.tags.get(tags.SWEEP, one.name) for one in runs], dtype="str"),
            "study": pd.Series([one.params.get("study", "") for one in runs], dtype="str"),
            "state": pd.Series([one.status.lower() for one in runs], dtype="str"),
            "objective": pd.Series([one.params.get("objective", "") for one in runs], dtype="str"),
            "started": started.astype("datetime64[ms, UTC]"),
            "run_id": pd.Series([one.run_id for one in runs], dtype="str"),
        }
    )
