"""Emit a worker's events for the process that started it: one for each start and end, as plain values.

A coordinator sees nothing else of a worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psutil

from rothamsted import tags
from rothamsted.records import Ending
from rothamsted.sweeping.opened import Emit
from rothamsted.sweeping.trial_summary import now_ms
from rothamsted.sweeping.worker.trial import TrialRun
from rothamsted.sweeping.worker.trial_runs import ReplicateRun

LAST_LINES = 6  # of a traceback: where it was raised, and what


@dataclass(frozen=True, kw_only=True)
class WorkerEvents:
    """Emits the events of one worker."""

    worker_id: str
    emit: Emit

    def start(self, trial: TrialRun, member: ReplicateRun) -> None:
        """Emit that a replicate has started."""
        self._emit("start", trial, {"replicate": member.replicate, "run_id": member.run_id, "at_ms": now_ms()})

    def set_up(self, trial: TrialRun, member: ReplicateRun) -> None:
        """Emit that set-up is over and the training of a population begins."""
        self._emit("set_up", trial, {"replicate": member.replicate})

    def end(self, trial: TrialRun, member: ReplicateRun, ending: Ending, *, was_trained: bool) -> None:
        """Emit that a replicate has ended, for now or for good.

        Args:
            trial: its trial.
            member: the replicate.
            ending: how it ended.
            was_trained: whether its training went well; if it still failed, the reason is in the sweep's file.
        """
        self._emit(
            "end",
            trial,
            {
                "replicate": member.replicate,
                "outcome": ending.outcome.value,
                "reason": ending.reason,
                "was_trained": was_trained,
                "last_lines": ending.traceback.strip().splitlines()[-LAST_LINES:],
                "seconds": ending.seconds,
                "is_final": member.replicate in trial.results,
                "model_problem": note.problem if (note := trial.models.notes.get(member.replicate)) is not None else "",
                "memory_bytes": psutil.Process().memory_info().rss,
            },
        )

    def trial(self, trial: TrialRun) -> None:
        """Emit that a trial has ended, for now or for good."""
        told = trial.told()
        result, condition = told.attributes[tags.RESULT], dict(trial.lease.condition)
        race = trial.assignment.left_race
        more = {"result": result, "condition": condition, "race": race}
        n_spared = sum(replicate not in trial.results for replicate in trial.assignment.seeds)  # of a pruned trial
        self._emit("trial", trial, {"value": told.value, "n_spared": n_spared, **more})

    def say(self, text: str) -> None:
        """Emit a note that is not about a trial."""
        self.emit({"event": "note", "worker": self.worker_id, "text": text})

    def stop(self, text: str) -> None:
        """Emit why the whole sweep must stop: a mistake that every other replicate would repeat."""
        self.emit({"event": "stop", "worker": self.worker_id, "text": text})

    def _emit(self, event: str, trial: TrialRun, more: Mapping[str, Any]) -> None:
        """Tell one event; `number` is the trial's own in the queue of its phase, `trial` that of the search."""
        assignment = trial.assignment
        whose = {
            "worker": self.worker_id,
            "phase": assignment.phase,
            "trial": assignment.of,
            "number": trial.lease.number,
            "name": assignment.name,  # what messages call it
            "is_fresh": assignment.is_fresh,
        }
        self.emit({"event": event, **whose, **more})
