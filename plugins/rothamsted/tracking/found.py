"""Describe a run as a tracking store has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rothamsted.records import RunStatus


@dataclass(frozen=True, kw_only=True)
class FoundRun:
    """Holds a run as the store has it."""

    run_id: str
    experiment_id: str
    name: str
    status: str  # MLflow's word, see `RunStatus`; also SCHEDULED
    start_ms: int
    end_ms: int | None
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]  # the latest value of each

    @property
    def is_finished(self) -> bool:
        """Say whether the run ended by itself, with its result recorded."""
        return self.status == RunStatus.FINISHED
