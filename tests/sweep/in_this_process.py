"""A stand-in for `LocalExecutor`: the worker of a sweep or a duel in the test's own process.

Apart, because a new process costs seconds of imports, and what most tests ask of the coordinator does not need one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rothamsted.sweep.open.from_file import find_target
from rothamsted.sweep.opened import open_context
from rothamsted.sweep.worker.work import Worker


@dataclass(kw_only=True)
class InThisProcess:
    """One worker, opened by name from its storage as those in processes of their own are."""

    command: Sequence[str]
    on_event: Callable[[int, Mapping[str, Any]], None]
    others: dict[str, Any] = field(default_factory=dict)

    def run(self, should_stop: Callable[[], bool]) -> None:
        given = self.command[self.command.index("worker") + 1 :]
        told = dict(zip(given[::2], given[1::2], strict=True))
        context = open_context(
            told["--sweep"],
            told["--storage"],
            root=Path.cwd(),
            find_target=lambda sweep: find_target(sweep, Path.cwd()),
            tracking_uri=os.environ["MLFLOW_TRACKING_URI"],
        )
        Worker(
            context=context,
            emit=lambda event: self.on_event(0, event),
            should_stop=should_stop,
            until=float(told["--until"]) if "--until" in told else None,
        ).run()


def in_this_process(*, command: Sequence[str], on_event: Callable[..., None], **others: Any) -> InThisProcess:
    return InThisProcess(command=command, on_event=on_event, others=others)
