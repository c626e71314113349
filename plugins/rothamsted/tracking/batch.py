"""Define what one flush writes: runs with what waits for them, and the fence that drops writes of former holders."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rothamsted.records import DatasetUsed, MetricPoint, RunStatus

if TYPE_CHECKING:
    from mlflow import MlflowClient

State = tuple[RunStatus, int | None]  # status, end in milliseconds since 1970


@dataclass(frozen=True, kw_only=True)
class RunOpening:
    """Describes a run to make, with its first tags."""

    run_id: str  # "" where the store gives ids
    experiment_id: str
    name: str
    start_ms: int
    tags: Mapping[str, str]  # checked; with name, user and parent
    dataset: DatasetUsed | None = None


@dataclass
class Waiting:
    """Holds what waits to be written for one run."""

    opening: RunOpening | None = None
    state: State | None = None
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)  # a param keeps its first value
    metrics: list[MetricPoint] = field(default_factory=list)
    replaced: set[str] = field(default_factory=set)  # metrics whose older points go
    texts: dict[str, str] = field(default_factory=dict)  # small artifacts by path, stored once the rest is written


class Batch:
    """Holds what waits to be written, by run, in the order in which the runs came."""

    def __init__(self, runs: Mapping[str, Waiting] | None = None) -> None:
        self.runs = dict(runs or {})

    def __bool__(self) -> bool:
        return bool(self.runs)

    def __contains__(self, run_id: str) -> bool:
        return run_id in self.runs

    def of(self, run_id: str) -> Waiting:
        """Return what waits for a run, to be added to."""
        return self.runs.setdefault(run_id, Waiting())

    def add(
        self,
        run_id: str,
        *,
        metrics: Iterable[MetricPoint] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Add to what waits for a run: a later tag replaces an earlier one, a param keeps its first value."""
        waiting = self.of(run_id)
        waiting.metrics.extend(metrics)
        waiting.tags.update(tags or {})
        for key, value in (params or {}).items():
            waiting.params.setdefault(key, value)

    def without(self, run_ids: Collection[str]) -> Batch:
        """Return the batch of the other runs."""
        return Batch({run_id: waiting for run_id, waiting in self.runs.items() if run_id not in run_ids})

    def texts(self) -> Batch:
        """Return what is left once the rows are written: the texts."""
        return Batch({run_id: Waiting(texts=dict(one.texts)) for run_id, one in self.runs.items() if one.texts})

    def ended(self) -> set[str]:
        """Return the runs that this batch brings to their end."""
        return {
            run_id
            for run_id, waiting in self.runs.items()
            if waiting.state is not None and waiting.state[0] != RunStatus.RUNNING
        }


@dataclass(frozen=True, kw_only=True)
class Fence:
    """Says which runs of a batch only their holder may write: the run's tag `rothamsted.holder` is its number."""

    tokens: Mapping[str, int]  # run -> our number; runs that are not here are written as they are
    new: frozenset[str]  # runs that get our number now, unless a higher one is there

    def keeps_out(self, run_id: str, there: str | None) -> bool:
        """Return whether our writes to a held run are dropped, because the run names another holder."""
        holder = number_of(there)
        if run_id in self.new:
            return holder > self.tokens[run_id]
        return holder != self.tokens[run_id]


def number_of(holder: str | None) -> int:
    """Return the number in a tag `rothamsted.holder`; -1 where there is no tag, or not of ours."""
    return int(holder) if holder is not None and holder.isdecimal() else -1


class Writer(Protocol):
    """Describes a writer for one kind of store. `Recorder` buffers, checks, locks and tries again; this only writes."""

    place: str  # tracking URI, without its password

    @property
    def client(self) -> MlflowClient:
        """Return MLflow's client, for artifacts that do not lie on this machine."""
        ...

    def artifact_uri(self, run_id: str) -> str | None:
        """Return where the artifacts of a run lie; None where only `client` knows."""
        ...

    def new_run_id(self) -> str:
        """Return an id for a new run; "" where the store gives ids. Nothing is written."""
        ...

    def create(self, opening: RunOpening) -> str:
        """Make sure that a run can be opened and return its id; a store that gives ids makes the run now.

        Raises:
            StoreError: the experiment, or the run of the id that was given, is not there or deleted.
        """
        ...

    def check(self, run_id: str) -> None:
        """Raise StoreError where a run is not there or is deleted."""
        ...

    def holder(self, run_id: str) -> str | None:
        """Return the run's tag `rothamsted.holder`, as it is now."""
        ...

    def tag(self, run_id: str, key: str) -> str | None:
        """Return a tag of a run, as it is now; None where it has none."""
        ...

    def write(self, batch: Batch, fence: Fence) -> frozenset[str]:
        """Write all, and return the runs that the fence kept out. Writing the same batch again changes nothing.

        Raises:
            StoreAwayError: the store does not answer now; trying again may help.
            StoreError: it refuses.
        """
        ...
