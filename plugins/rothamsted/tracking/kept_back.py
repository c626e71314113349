"""Keep what cannot be written while a server is away in a file, and deliver it in order when it is back.

Each process has one file with one line for each batch, on disk before the call returns. A line may be sent twice, since
MLflow keeps one row for equal points, params and tags. So a file is removed only when all of it is delivered. Files of
ended processes are delivered by the next process that writes. A lock on a file says that its process still lives.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import logging
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from rothamsted.errors import StoreError
from rothamsted.given_files import reading
from rothamsted.records import DatasetUsed, MetricPoint, RunStatus
from rothamsted.tracking.batch import Batch, Fence, RunOpening, Waiting, Writer
from rothamsted.tracking.failures import StoreAwayError
from rothamsted.tracking.run_files import put_texts

FOLDER = "undelivered"  # at home
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0  # between two tries while training goes on

_logger = logging.getLogger(__name__)


class KeptBackError(StoreError):
    """Says that a server stayed away; the batch is kept in the file."""


class KeptBack:
    """Handles the file of this process, and those that others have left."""

    def __init__(self, folder: Path, place: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is made here yet.

        Args:
            folder: Where the files are.
            place: The server, without its password.
            clock: Gives seconds.
        """
        self.folder, self._place, self._clock = folder, place, clock
        self._of_server = server_mark(place)
        self._file: IO[str] | None = None
        self._pause, self._due_at = FIRST_PAUSE_SECONDS, float("-inf")

    def __bool__(self) -> bool:
        """Whether something of this process is kept."""
        return self._file is not None

    @property
    def path(self) -> Path | None:
        """Return the file of this process; None if it has none."""
        return None if self._file is None else Path(self._file.name)

    @property
    def has_left(self) -> bool:
        """Say whether other processes have left something."""
        return bool(self._left())

    @property
    def is_due(self) -> bool:
        """Say whether a caller that does not wait for the server may try it again."""
        return self._clock() >= self._due_at

    def keep(self, batch: Batch, fence: Fence, why: BaseException | None = None) -> None:
        """Append a batch, on disk when this returns.

        Args:
            batch: What could not be written.
            fence: Which runs in it are held, by which number.
            why: The error of a try that has just failed; the next one is put off.
        """
        if isinstance(why, StoreAwayError):
            self._due_at = self._clock() + max(self._pause * random.uniform(0.5, 1), why.asked_seconds or 0)
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        if not batch:
            return
        if self._file is None:
            self._file = self._opened()
            _logger.warning(
                "%s: away since %s; new records wait in %s",
                self._place,
                time.strftime("%H:%M:%S"),
                self._file.name,
            )
        self._file.write(json.dumps(_plain(batch, fence)) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def deliver(self, writer: Writer) -> frozenset[str]:
        """Deliver the kept batches, first those of ended processes, then our own, and return the lost runs.

        Raises:
            StoreAwayError: the server is away.
        """
        for path in self._left():
            with path.open("r+") as file:
                if _is_locked(file):
                    self._deliver(writer, path)
        lost: frozenset[str] = frozenset()
        if self._file is not None:
            path = Path(self._file.name)
            lost = self._deliver(writer, path)
            self.let_go()
        self._pause, self._due_at = FIRST_PAUSE_SECONDS, float("-inf")
        return lost

    def let_go(self) -> None:
        """Leave what is kept to others."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _deliver(self, writer: Writer, path: Path) -> frozenset[str]:
        lost: frozenset[str] = frozenset()
        try:
            for batch, fence in _lines(path):
                batch = batch.without(lost)
                lost |= writer.write(batch, fence)
                put_texts(writer, batch.without(lost).texts())
        except StoreAwayError:
            raise
        except StoreError as error:
            refused = path.with_suffix(".refused")
            path.rename(refused)
            _logger.warning("%s; what waited for it is left in %s", error, refused)
            return lost
        path.unlink()
        _logger.warning("%s: is back; what waited in %s is delivered", self._place, path)
        return lost

    def _left(self) -> list[Path]:
        """The files of other processes, the oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(p for p in self.folder.glob(f"{self._of_server}-*.jsonl") if p != self.path and p.is_file())

    def _opened(self) -> IO[str]:
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{self._of_server}-{time.time_ns() // 1_000_000}-{os.getpid()}.jsonl"
        file = (self.folder / name).open("a")
        _is_locked(file)
        return file


def runs_kept(path: Path) -> dict[str, bool]:
    """Return the ids of all runs that a file has something for, and whether the run itself is one of these things.

    Raises:
        ValueError, KeyError, TypeError: it is not such a file.
    """
    kept: dict[str, bool] = {}
    for batch, _ in _lines(path):
        for run_id, waiting in batch.runs.items():
            kept[run_id] = kept.get(run_id, False) or waiting.opening is not None
    return kept


def server_mark(place: str) -> str:
    """Return how the names of files begin that wait for a server, given without its password."""
    return hashlib.sha256(place.encode()).hexdigest()[:12]


def _is_locked(file: IO[str]) -> bool:
    """Lock a file for as long as it is open; False: another process has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return os.fstat(file.fileno()).st_nlink > 0  # not delivered meanwhile


def _plain(batch: Batch, fence: Fence) -> dict[str, Any]:
    return {
        "runs": {
            run_id: dataclasses.asdict(waiting) | {"replaced": sorted(waiting.replaced)}
            for run_id, waiting in batch.runs.items()
        },
        "tokens": dict(fence.tokens),
        "new": sorted(fence.new),
    }


def _lines(path: Path) -> Iterator[tuple[Batch, Fence]]:
    """The batches of a file; a last line that its process did not finish was never promised."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                with reading(path, way_out="what waited in it cannot be delivered", error=StoreError):
                    plain = json.loads(line)
                    runs = {run_id: _waiting(one) for run_id, one in plain["runs"].items()}
                    read = Batch(runs), Fence(tokens=plain["tokens"], new=frozenset(plain["new"]))
                yield read


def _waiting(plain: dict[str, Any]) -> Waiting:
    opening, state = plain["opening"], plain["state"]
    if opening is not None:
        dataset = opening["dataset"]
        opening = RunOpening(**{**opening, "dataset": None if dataset is None else DatasetUsed(**dataset)})
    return Waiting(
        opening=opening,
        state=None if state is None else (RunStatus(state[0]), state[1]),
        tags=plain["tags"],
        params=plain["params"],
        metrics=[MetricPoint(*point) for point in plain["metrics"]],
        replaced=set(plain["replaced"]),
        texts=plain["texts"],
    )
