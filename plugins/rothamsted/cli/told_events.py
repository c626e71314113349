"""Print the events of a sweep as JSON lines: an executor that passes on its workers' events and prints them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from rothamsted.executors import Crew, Event, Executor, Job, ask_first

Tell = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class EventExecutor:
    """Starts another executor, and tells its workers' events, too.

    Attributes:
        executor: what starts the workers.
        tell: called with each line.
    """

    executor: Executor
    tell: Tell

    def check(self, job: Job, n_workers: int) -> list[str]:
        """Return what the other executor says."""
        return ask_first(self.executor, job, n_workers)

    def start(self, job: Job, n_workers: int) -> Crew:
        """Start the other executor's workers."""
        return EventCrew(crew=self.executor.start(job, n_workers), tell=self.tell)


@dataclass(frozen=True, kw_only=True)
class EventCrew:
    """Wraps another executor's crew, and tells its events."""

    crew: Crew
    tell: Tell

    def __enter__(self) -> Self:
        """Begin."""
        self.crew.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        """End."""
        self.crew.__exit__(*raised)

    @property
    def n_alive(self) -> int:
        """Return the number of the other crew."""
        return self.crew.n_alive

    def events(self, seconds: float) -> Iterator[Event]:
        """Tell what the other crew's workers say, then yield it."""
        for event in self.crew.events(seconds):
            if line := line_of(event.said):
                self.tell(line)
            yield event

    def end(self, worker: str, why: str) -> None:
        """End one worker."""
        self.crew.end(worker, why)

    def refill(self) -> None:
        """Replace those who have ended."""
        self.crew.refill()

    def stop(self, grace: float) -> None:
        """Ask all to leave."""
        self.crew.stop(grace)


def line_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a program wants to know of an event; empty: nothing."""
    kind = said.get("event")
    whose = {"condition": said.get("trial"), "phase": said.get("phase")}
    if kind == "start":
        return {"event": "replicate_started", **whose, "replicate": said["replicate"], "run_id": said["run_id"]}
    if kind == "end":
        ended = {key: said[key] for key in ("replicate", "outcome", "reason", "seconds")}
        return {"event": "replicate_ended", **whose, **ended}
    if kind == "trial":
        summary = said["result"].get("summary", {})
        estimate = {
            "value": summary.get("value", summary.get("mean")),
            "ci_low": summary.get("ci_low"),
            "ci_high": summary.get("ci_high"),
            "n": int(summary.get("n", 0)),
        }
        return {"event": "condition_ended", **whose, "values": said["condition"], **estimate}
    return {"event": kind, "text": said["text"]} if kind in ("note", "stop") else {}
