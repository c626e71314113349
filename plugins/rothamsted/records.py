"""Define frozen values that modules exchange, without any library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class MetricPoint(NamedTuple):
    """Holds one logged number, as MLflow keeps it."""

    key: str
    value: float
    timestamp_ms: int
    step: int


class RunStatus(StrEnum):
    """Lists the states of an MLflow run, spelled as MLflow spells them."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


@dataclass(frozen=True, kw_only=True)
class DatasetUsed:
    """Describes data that a run was made with, as MLflow's column "Dataset" shows them."""

    name: str
    digest: str  # at most 36 characters
    source: str  # what loads them


class Outcome(StrEnum):
    """Says how a replicate ended: tag `rothamsted.outcome` of its run."""

    FINISHED = "finished"
    DIVERGED = "diverged"  # NaN or inf: a recorded outcome of the condition, not a crash
    FAILED = "failed"  # raised, out of memory, killed, over its time: missing, never a bad score
    PRUNED = "pruned"  # ended by the sweep as hopeless: censored, in no interval and no ranking
    INTERRUPTED = "interrupted"  # stopped from outside; goes on from its checkpoint

    @property
    def run_status(self) -> RunStatus:
        """Return the MLflow status that a run with this outcome ends in."""
        return {
            Outcome.FINISHED: RunStatus.FINISHED,
            Outcome.DIVERGED: RunStatus.FINISHED,
            Outcome.FAILED: RunStatus.FAILED,
            Outcome.PRUNED: RunStatus.KILLED,
            Outcome.INTERRUPTED: RunStatus.KILLED,
        }[self]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Holds what one member of a population measured at one step."""

    step: int
    epoch: float | None
    seconds: float  # training time so far, over all sessions
    metrics: Mapping[str, float]
    timestamp_ms: int


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """Says what ends a member before its training ends by itself."""

    outcome: Outcome  # pruned; finished, where it was stopped because it does not improve any more
    reason: str  # one line


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Says whose weights a trained model has."""

    step: int
    metric: str  # by which the step was chosen; empty: by none, it is the last
    reduce: str  # "best", "last" or "mean:K"
    value: float  # of the metric at that step; NaN where it was not measured there

    def __str__(self) -> str:
        """As a tag says it: step 40, best val_accuracy."""
        how = {"best": "best", "last": "last"}.get(self.reduce, f"last of {self.reduce}")
        return f"step {self.step}, {how} {self.metric}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Ending:
    """Says how one member's training ended."""

    outcome: Outcome
    history: tuple[Measured, ...]  # every measurement, those before a resume included
    seconds: float
    reason: str = ""  # one line, unless training ended by itself
    model: Any = None  # what the study returned for this member, where it ended by itself
    kept: Kept | None = None  # whose weights the model has; None: there is no model
    closing: Mapping[str, float] = field(default_factory=dict)  # metrics known at the end only; the last point has them
    traceback: str = ""  # where training raised; empty otherwise
    output: str = ""  # what training has printed, where the study keeps that
    is_user_error: bool = False  # failed by one of the study's `user_errors`: the reason says what to do
    is_out_of_memory: bool = False  # failed for want of memory, of the device or of the machine
