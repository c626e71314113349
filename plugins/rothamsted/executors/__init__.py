"""Executors: where workers run. They place workers and pass events on; they know nothing of trials."""

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
