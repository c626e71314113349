"""Make temporary databases for a sweep that is not saved; they are deleted when closed, or with the process."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakSet

from rothamsted.errors import UserError
from rothamsted.spec import Sweep

_live: WeakSet[UnsavedDatabases] = WeakSet()
_empty_store: list[bytes] = []  # one, once this process has made one
_OF_ANOTHER_STORE = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME")


@dataclass(frozen=True, kw_only=True, eq=False)
class UnsavedDatabases:
    """Holds a tracking store, a search and a folder for checkpoints and artifacts, all in one temporary folder.

    The folder goes with this object, at the latest with the process.
    """

    _folder: tempfile.TemporaryDirectory[str]

    @property
    def folder(self) -> Path:
        """Say where everything is."""
        return Path(self._folder.name)

    @property
    def tracking_uri(self) -> str:
        """Return the address of MLflow's database."""
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def storage(self) -> str:
        """Return the address of Optuna's database."""
        return f"sqlite:///{self.folder / 'optuna.db'}"

    def takes(self, sweep: Sweep) -> Sweep:
        """Return the sweep so that it leaves nothing: its databases and checkpoints are here, and no report is written.

        Raises:
            UserError: It promotes its winner, which would be in no registry that stays.
        """
        if sweep.promote is not None:
            raise UserError(
                f"sweep {sweep.name}: promote: {sweep.promote} needs a registry that stays, and nothing is saved; "
                "leave out promote, or save the sweep"
            )
        here = {"checkpoint_dir": str(self.folder / "checkpoints"), "report": False}
        here |= {"tensorboard": False, "wandb": None}
        execution = sweep.execution.model_copy(update=here)
        return sweep.model_copy(update={"storage": self.storage, "experiment": None, "execution": execution})

    def close(self) -> None:
        """Remove everything now."""
        self._folder.cleanup()


def open_unsaved() -> UnsavedDatabases:
    """Make temporary databases.

    Example:
        >>> databases = open_unsaved()
        >>> databases.folder.is_dir()
        True
        >>> databases.close()
        >>> databases.folder.is_dir()
        False
    """
    from rothamsted.tracking.sql.store import migrate

    made = UnsavedDatabases(_folder=tempfile.TemporaryDirectory(prefix="rothamsted-", ignore_cleanup_errors=True))
    _live.add(made)
    store = made.folder / "mlflow.db"
    if _empty_store:  # making MLflow's tables takes seconds
        store.write_bytes(_empty_store[0])
    migrate(made.tracking_uri, artifacts=made.folder / "mlruns")
    if not _empty_store:
        with closing(sqlite3.connect(store)) as connection:
            _empty_store.append(connection.serialize())
    return made


def is_unsaved(storage: str) -> bool:
    """Say whether a search lies in temporary databases of this process, where nobody looks later."""
    return any(one.storage == storage for one in _live)


@contextmanager
def unsaved() -> Iterator[UnsavedDatabases]:
    """Make temporary databases for as long as this lasts.

    Example:
        >>> with unsaved() as databases:
        ...     databases.tracking_uri.startswith("sqlite:///")
        True
    """
    databases = open_unsaved()
    try:
        with only_here(databases):
            yield databases
    finally:
        databases.close()


@contextmanager
def only_here(databases: UnsavedDatabases) -> Iterator[None]:
    """Let MLflow's settings in the environment name these databases in the block, and no other run or experiment."""
    before = {name: os.environ.get(name) for name in (*_OF_ANOTHER_STORE, "MLFLOW_TRACKING_URI")}
    for name in _OF_ANOTHER_STORE:
        os.environ.pop(name, None)
    os.environ["MLFLOW_TRACKING_URI"] = databases.tracking_uri
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
