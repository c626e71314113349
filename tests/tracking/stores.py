"""A store to write to, as the contract tests are handed it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlflow import MlflowClient
from rothamsted.tracking import Recorder


@dataclass(frozen=True, kw_only=True)
class Store:
    """A tracking store, an empty experiment in it, and the recorder under test."""

    kind: str
    uri: str
    experiment_id: str
    open: Callable[[], Recorder]

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri)
