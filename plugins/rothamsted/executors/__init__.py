"""Run workers: in this process, as processes of this machine, or on a Ray cluster. Executors pass their events on."""

from rothamsted.executors.crew import Crew, Death, Event, Executor, Job, ask_first
from rothamsted.executors.early import EarlyWorkers
from rothamsted.executors.in_process import InProcessExecutor
from rothamsted.executors.local import LocalExecutor

__all__ = [
    "Crew",
    "Death",
    "EarlyWorkers",
    "Event",
    "Executor",
    "InProcessExecutor",
    "Job",
    "LocalExecutor",
    "ask_first",
]
