"""Define damages of a sweep and their repairs as plain values. The checks make them, and `repair` applies them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rothamsted.records import RunStatus
from rothamsted.tracking.sql.care import DoubledPoint

# kind -> what it is, for people; in the order in which they are shown
KINDS: Mapping[str, str] = {
    "search without run": "the sweep's own run is gone from MLflow",
    "run without search": "a sweep's run whose search is gone",
    "confirmation without sweep": "the search of a confirmation whose sweep is gone",
    "unreadable search": "what the search keeps of it cannot be read",
    "trial without run": "the search names runs that MLflow does not have",
    "run without trial": "a run that its sweep's search does not name",
    "doubled replicate": "a second finished run of one replicate",
    "run without parent": "the run above it is gone",
    "stale sweep": "the process that decided for it is gone",
    "stale trial": "RUNNING, but no worker holds it",
    "stale run": "RUNNING, but nobody works on it",
    "lease left": "the lease of a trial that does not run",
    "different result": "search and record do not say the same",
    "doubled point": "several points of a metric at one step",
    "latest value": "the latest value of a metric is not its last point",
    "missing file": "a file that the record says it wrote",
    "folder of no run": "artifacts of a run that is gone",
    "undelivered": "measured while a server was away, and not delivered",
}


@dataclass(frozen=True, kw_only=True)
class RecordChange:
    """Holds one change of a run.

    Attributes:
        run_id: of it.
        status: to be set; None: it stays.
        end_ms: with the status.
        tags: to be set.
        is_deleted: to be marked deleted, or active again; None: it stays.
    """

    run_id: str
    status: RunStatus | None = None
    end_ms: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    is_deleted: bool | None = None


@dataclass(frozen=True, kw_only=True)
class SearchChange:
    """Holds one change of a search, of one kind.

    Attributes:
        how: give back, remove lease, wait again (`runs`), values, leave, drop confirmed (`trials`).
        study_id: of the search.
        number: of the trial; -1: of the search itself.
        runs: replicate -> id of a run that is made again.
        values: of the trial.
        trials: of a confirmation.
    """

    how: Literal["give back", "remove lease", "wait again", "values", "leave", "drop confirmed"]
    study_id: int
    number: int = -1
    runs: tuple[tuple[str, str], ...] = ()
    values: tuple[float, ...] = ()
    trials: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """Names a file or a folder that goes."""

    path: Path


@dataclass(frozen=True, kw_only=True)
class PointChange:
    """Names equal points of which one stays; without a point, a latest value that is to be the last point's."""

    run_id: str
    key: str
    point: DoubledPoint | None = None


@dataclass(frozen=True, kw_only=True)
class MetricChange:
    """Gives another value to a metric of a run that has one point."""

    run_id: str
    key: str
    value: float
    step: int
    timestamp_ms: int


@dataclass(frozen=True, kw_only=True)
class DeletedSearch:
    """Names a search that goes as a whole."""

    study_id: int


@dataclass(frozen=True, kw_only=True)
class LostArtifact:
    """Names an artifact that goes: what it says is not true any more."""

    run_id: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """Delivers data that wait for this server."""


Change = RecordChange | SearchChange | MetricChange | PointChange | FileChange | DeletedSearch | LostArtifact | Delivery


@dataclass(frozen=True, kw_only=True)
class Damage:
    """Describes one damage.

    Attributes:
        kind: a kind of `KINDS`.
        sweep: name of the sweep; empty: of no sweep.
        what: the run, trial, file or point, in words.
        why: what is wrong with it, in a few words.
        repair: what a repair does; empty: no right repair is known.
        way_out: what a person can do if there is no repair.
        changes: the repair.
    """

    kind: str
    sweep: str
    what: str
    why: str = ""
    repair: str = ""
    way_out: str = ""
    changes: Sequence[Change] = ()

    @property
    def plain(self) -> dict[str, Any]:
        """Return the damage as JSON has it."""
        return {key: getattr(self, key) for key in ("kind", "sweep", "what", "why", "repair", "way_out")}
