"""Executors: where workers run. They place processes and pass events on; they know nothing of trials."""

from rothamsted.executors.local import Death, LocalExecutor

__all__ = ["Death", "LocalExecutor"]
