"""Find the checkpoints of a sweep: one folder for each population, at home (`places`) or among its run's artifacts.

The worker that writes them and a later stage that reads them both use it.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rothamsted import places, tracking
from rothamsted.errors import StoreError
from rothamsted.given_files import check_folder_to_make
from rothamsted.spec import Sweep
from rothamsted.studies import CheckpointFiles
from rothamsted.tracking.failures import StoreAwayError

OF_RUN = "checkpoints"  # the folder of a sweep's run
WAIT_SECONDS = 5.0  # for a server that is away: training goes on without this checkpoint
_WAY_OUT = "keep artifacts in an MLflow server, or give a folder that all machines share, and checkpoints: folder"
_log = logging.getLogger(__name__)


def checkpoints_of(home: Path, sweep: Sweep, sweep_run_id: str) -> Path:
    """Return the folder of all checkpoints of one sweep."""
    safe_name = re.sub(r"[^\w.-]", "_", sweep.name)
    return home / sweep.execution.checkpoint_dir / safe_name / sweep_run_id[-12:]  # its beginning is only the time


def check_place_of_checkpoints(sweep: Sweep, tracking_uri: str) -> None:
    """Check that workers of this machine can make the folder of the checkpoints; makes nothing.

    Raises:
        StoreError: its name is too long, a file is in the way, or it may not be written.
    """
    if sweep.execution.checkpoints == "folder":
        given = sweep.execution.checkpoint_dir
        folder = (places.home(tracking_uri) / given).absolute()
        check_folder_to_make(
            folder, place=f"execution.checkpoint_dir {given!r}", way_out="name another folder", error=StoreError
        )


def checkpoint_folder(home: Path, sweep: Sweep, sweep_run_id: str, part: str) -> Path:
    """Return the folder of one population, by its `population_part`."""
    return checkpoints_of(home, sweep, sweep_run_id) / part


def checkpoints_at(home: Path, sweep: Sweep, sweep_run_id: str, part: str, *, uri: str) -> Path | CheckpointFiles:
    """Return where the checkpoints of one population are written and read, as the sweep's file says."""
    if sweep.execution.checkpoints == "artifacts":
        return RunFolder(run_id=sweep_run_id, folder=f"{OF_RUN}/{part}", uri=uri)
    return checkpoint_folder(home, sweep, sweep_run_id, part)


@dataclass(kw_only=True, eq=False)
class RunFolder:
    """Keeps checkpoints in a folder among the artifacts of a run; `CheckpointFiles` of one worker.

    If the server is away, it waits only a moment: training goes on without this checkpoint.

    Attributes:
        run_id: id of the sweep's run, which exists as long as a trial may be taken over or go on in a later stage.
        folder: its path there.
        uri: URI of the tracking store.
    """

    run_id: str
    folder: str
    uri: str
    _known: list[str] | None = None  # the names, once they have been asked for

    def place(self, name: str) -> str:
        """See `CheckpointFiles`."""
        return f"run {self.run_id}, artifact {self.folder}/{name}"

    def names(self) -> list[str]:
        """See `CheckpointFiles`. The store is asked once."""
        if self._known is None:
            listed = tracking.list_files(self.run_id, self.folder, uri=self.uri)
            self._known = [path.rpartition("/")[2] for path in listed]
        return list(self._known)

    def read(self, name: str) -> bytes:
        """See `CheckpointFiles`. A file that is gone is empty."""
        return tracking.read_bytes(self.run_id, f"{self.folder}/{name}", uri=self.uri) or b""

    def write(self, name: str, content: bytes) -> bool:
        """See `CheckpointFiles`.

        Raises:
            StoreError: the store refuses it.
        """
        known, path = self.names(), f"{self.folder}/{name}"
        with self._unless_away("not kept"):
            tracking.write_bytes(self.run_id, content, path, uri=self.uri, wait_seconds=WAIT_SECONDS)
            self._known = [*known, name]
            return True
        return False

    def remove(self, names: Iterable[str]) -> None:
        """See `CheckpointFiles`.

        Raises:
            StoreError: the store refuses deletion.
        """
        gone = list(names)
        with self._unless_away("not removed"):
            paths = [f"{self.folder}/{name}" for name in gone]
            tracking.delete_files(self.run_id, paths, uri=self.uri, wait_seconds=WAIT_SECONDS)
        self._known = [name for name in self.names() if name not in gone]

    def set_aside(self, name: str) -> None:
        """See `CheckpointFiles`."""
        self.remove([name])

    def clear(self) -> None:
        """See `CheckpointFiles`."""
        self.remove(self.names())

    @contextmanager
    def _unless_away(self, what: str) -> Iterator[None]:
        """Say so where a server is away; what is within is then left undone."""
        try:
            yield
        except StoreError as error:
            if not isinstance(error.__cause__, StoreAwayError):
                raise
            _log.warning("checkpoint %s, training goes on: %s", what, error)


def check_artifacts(run_id: str, *, uri: str) -> None:
    """Check that the store of a run's artifacts can write, read and delete, as checkpoints need.

    Raises:
        StoreError: it cannot.
    """
    content, path = secrets.token_bytes(16), f"{OF_RUN}/probe-{secrets.token_hex(8)}"
    try:
        tracking.write_bytes(run_id, content, path, uri=uri)
        if tracking.read_bytes(run_id, path, uri=uri) != content:
            raise StoreError(f"run {run_id}: artifact {path} was written, and cannot be read")
        tracking.delete_files(run_id, [path], uri=uri)
    except StoreError as error:
        raise StoreError(f"execution.checkpoints: artifacts: {error}; {_WAY_OUT}") from error


def check_seen(run_id: str, *, uri: str) -> None:
    """Check that this worker can read the artifacts of the sweep's run, where the sweep's file is.

    Raises:
        StoreError: it cannot.
    """
    if not any(tracking.list_files(run_id, folder, uri=uri) for folder in ("sweep", "contest")):
        here = tracking.folder_here(run_id, uri=uri)
        where = f"lie in {here}, which is not shared with this machine" if here else "are not there"
        raise StoreError(f"execution.checkpoints: artifacts: those of run {run_id} {where}; {_WAY_OUT}")


def remove_checkpoints(home: Path, sweep: Sweep, sweep_run_id: str, *, uri: str, but: Collection[int] = ()) -> None:
    """Remove all checkpoints of a sweep, except those of some trials of its search."""
    kept = {str(trial) for trial in but}
    if sweep.execution.checkpoints == "artifacts":
        for path in tracking.list_folders(sweep_run_id, OF_RUN, uri=uri):
            if path.rpartition("/")[2].split("-")[0] not in kept:
                tracking.delete_files(sweep_run_id, tracking.list_files(sweep_run_id, path, uri=uri), uri=uri)
        return
    folder = checkpoints_of(home, sweep, sweep_run_id)
    if not kept:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # other sweeps of this name have theirs there
            folder.parent.rmdir()
    elif folder.is_dir():
        for part in folder.iterdir():
            if part.name.split("-")[0] not in kept:
                shutil.rmtree(part, ignore_errors=True)


def state_part(trial: int | str, replicate: int) -> str:
    """Return the folder's part for a replicate of the search that trains alone."""
    return f"{trial}-{replicate}"


def population_part(members: Sequence[tuple[str, int]]) -> str:
    """Return the last part of a population's folder, which is unique within the sweep.

    Args:
        members: trial key and replicate of each member, in the order in which they train.
    """
    parts = [state_part(key, replicate) for key, replicate in members]
    if len(parts) == 1:
        return parts[0]
    return f"{len(parts)}-members-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:20]}"
