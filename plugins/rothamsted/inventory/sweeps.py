"""List the sweeps of a tracking store and a search database: what they are, how far, the best so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rothamsted import tags, tracking
from rothamsted.errors import SpecError
from rothamsted.holders import is_alive
from rothamsted.inventory.names import State, no_such_sweep
from rothamsted.records import RunStatus
from rothamsted.search.distributions import from_stored
from rothamsted.search.listed import ListedSearch, list_searches
from rothamsted.spec import Sweep, from_resolved
from rothamsted.tracking import FoundRun


@dataclass(frozen=True, kw_only=True)
class ListedBest:
    """Holds the best condition so far, by the mean of the search or of fresh seeds.

    Attributes:
        values: the condition: what the space varies.
        value: its number over its replicates, by default the mean.
        low, high: ends of its interval; None: none, with one replicate.
        n: replicates behind it.
        method: of the interval.
        is_confirmed: on seeds that the search did not use.
    """

    values: Mapping[str, Any]
    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str
    is_confirmed: bool


@dataclass(frozen=True, kw_only=True)
class ListedSweep:
    """Holds one sweep, or a later stage of one.

    Attributes:
        name: of the sweep.
        state: running (a process decides for it), finished, unfinished (stopped or out of time), or failed.
        run_id: of its run in MLflow; empty: there is none.
        experiment_id: MLflow's folder of the run.
        search: what the search database has of it; None: it is not there.
        confirmation: the same of its confirmation.
        sweep: its resolved file; None: not readable by this version, or not in the search database.
        n_done: conditions that have ended; None: not known.
        n_all: conditions in all; None: not known.
        best: None: none yet, or none that one trial could stand for (over tasks).
        started_ms: when it began, milliseconds since 1970; 0: it has not.
        note: what a reader must know, in a line; empty: nothing.
    """

    name: str
    state: State
    run_id: str = ""
    experiment_id: str = ""
    search: ListedSearch | None = None
    confirmation: ListedSearch | None = None
    sweep: Sweep | None = None
    n_done: int | None = None
    n_all: int | None = None
    best: ListedBest | None = None
    started_ms: int = 0
    note: str = ""

    @property
    def metric(self) -> str:
        """Return the metric that it optimises; empty: not known."""
        return self.sweep.objective.metric if self.sweep is not None else ""

    @property
    def plain(self) -> dict[str, Any]:
        """Return the sweep as JSON has it."""
        best = self.best
        return {
            "name": self.name,
            "state": self.state,
            "n_done": self.n_done,
            "n_all": self.n_all,
            "metric": self.metric,
            "direction": self.sweep.objective.direction if self.sweep is not None else "",
            "best": None if best is None else {key: getattr(best, key) for key in ListedBest.__dataclass_fields__},
            "started_ms": self.started_ms,
            "run_id": self.run_id,
            "experiment_id": self.experiment_id,
            "storage": self.sweep.storage if self.sweep is not None else "",
            "note": self.note,
        }


def list_sweeps(*, uri: str, storage: str) -> list[ListedSweep]:
    """List all sweeps that one of two databases knows, the newest first.

    Args:
        uri: Tracking URI.
        storage: Database URL of the search.

    Raises:
        StoreError: one of them cannot be read.
    """
    of_sweeps, confirmations = sorted_searches(list_searches(storage))
    runs = {run.run_id: run for run in tracking.find_runs(None, {tags.ROLE: "sweep"}, uri=uri)}
    by_run = {one.attributes.get(tags.RUN_ID, ""): one for one in of_sweeps}
    listed = [listed_of(run, by_run.get(run_id), confirmations, storage=storage) for run_id, run in runs.items()]
    alone = [one for run_id, one in by_run.items() if run_id not in runs]
    listed += [listed_of(None, one, confirmations, storage=storage) for one in alone]
    return sorted(listed, key=lambda one: -one.started_ms)


def find_listed(reference: str, *, uri: str, storage: str) -> ListedSweep:
    """Find the newest sweep of a name, or the one of a run id.

    Raises:
        StoreError: there is none; the message names the nearest.
    """
    sweeps = list_sweeps(uri=uri, storage=storage)
    for one in sweeps:
        if reference in (one.name, one.run_id):
            return one
    raise no_such_sweep(reference, [one.name for one in sweeps], uri=uri, storage=storage)


def sorted_searches(searches: Sequence[ListedSearch]) -> tuple[list[ListedSearch], dict[str, ListedSearch]]:
    """Return the searches of sweeps and stages, and the confirmations by the sweep's name; contests are left out."""
    confirmations = {one.attributes[tags.CONFIRMATION_OF]: one for one in searches if _is(one, tags.CONFIRMATION_OF)}
    return [one for one in searches if not _is(one, tags.CONFIRMATION_OF) and not _is(one, tags.CONTEST)], confirmations


def listed_of(
    run: FoundRun | None, search: ListedSearch | None, confirmations: Mapping[str, ListedSearch], *, storage: str
) -> ListedSweep:
    """Make one sweep from what there is of it: its run, its search, or both."""
    name = search.name if search is not None else run.tags.get(tags.SWEEP, run.name) if run is not None else ""
    confirmation = confirmations.get(name)
    sweep, note = (None, "not in this search database") if search is None else _sweep_of(search, storage)
    begun = [ms for ms in (run.start_ms if run else 0, search.trials.first_ms if search else 0) if ms]
    return ListedSweep(
        name=name,
        state=_state(run, search),
        run_id=run.run_id if run is not None else "",
        experiment_id=run.experiment_id if run is not None else "",
        search=search,
        confirmation=confirmation,
        sweep=sweep,
        n_done=None if search is None else search.trials.n_over,
        n_all=None if sweep is None else sweep.n_trials,
        best=None if sweep is None or search is None else _best(sweep, search, confirmation),
        started_ms=min(begun, default=0),
        note=note or ("" if run is not None else "its run in MLflow is gone"),
    )


def _is(search: ListedSearch, what: str) -> bool:
    return what in search.attributes


def _sweep_of(search: ListedSearch, storage: str) -> tuple[Sweep | None, str]:
    try:
        return from_resolved({**search.spec, "storage": storage}), ""
    except SpecError as error:
        return None, f"recorded by another version: {error}"


def _state(run: FoundRun | None, search: ListedSearch | None) -> State:
    if search is not None and search.is_deciding and is_alive(search.lease["holder"]):
        return "running"
    if run is not None and run.status == RunStatus.FAILED:
        return "failed"
    if search is not None:
        is_over = search.lease.get("how") == "over" or tags.NEXT_STAGE in search.attributes
        return "finished" if is_over else "unfinished"
    status = run.status if run is not None else RunStatus.KILLED
    return "finished" if status == RunStatus.FINISHED else "unfinished"


def _best(sweep: Sweep, search: ListedSearch, confirmation: ListedSearch | None) -> ListedBest | None:
    """The best trial's condition; as fresh seeds confirmed it, where they have."""
    if search.best is None or sweep.task is not None:
        return None
    said = confirmation.attributes.get(tags.CONFIRMED, {}) if confirmation is not None else {}
    confirmed = said.get(str(search.best.number))
    summary = (confirmed or search.best.attributes.get(tags.RESULT, {})).get("summary", {})
    if not summary:
        return None
    return ListedBest(
        values=from_stored(search.best.stored, sweep.search_space),
        value=summary.get("value", summary.get("mean")),
        low=summary.get("ci_low"),
        high=summary.get("ci_high"),
        n=int(summary["n"]),
        method=summary.get("method", "t"),
        is_confirmed=confirmed is not None,
    )
