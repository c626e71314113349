"""Mirror a sweep in a process: read the record, write what is missing, and report each by a JSON line.

Its first line of input says what to mirror. Each later line is a sign of life of the parent process. `end` means that
the sweep is over and the rest must be mirrored. The end of the input means that the parent has gone.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from rothamsted import tags, tracking
from rothamsted.errors import UserError, raised
from rothamsted.mirroring import writer
from rothamsted.mirroring.missing import find_missing
from rothamsted.mirroring.pictures import MOST_BYTES, Picture, pictures_of
from rothamsted.mirroring.record import fingerprint, mirrored_run
from rothamsted.mirroring.writer import Destination
from rothamsted.studies import CONFIG_FILE
from rothamsted.tracking import FoundRun

POLL_SECONDS = 2.0
SHARE_OF_TIME = 0.05  # that looking takes at most
SILENT_SECONDS = 20.0  # without a sign of life another process may decide and mirror by now: it is waited for
MOST_IN_A_ROW = 3  # replicates that W&B refuses: then it refuses all
_LOCK_SECONDS = 0.2  # between two looks
_AT_ONCE = 20  # histories that are read in one query

Tell = Callable[[Mapping[str, Any]], None]


class Heard:
    """Keeps, by a thread that listens, what the process that started this one has said."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._at = time.monotonic()
        self.is_ending, self.is_gone = threading.Event(), threading.Event()
        self._news = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def has_to_stop(self) -> bool:
        """Say whether nobody is there any more; wait for a process that has given no sign of life for long."""
        while time.monotonic() - self._at > SILENT_SECONDS and not self.is_gone.is_set():
            time.sleep(0.1)
        return self.is_gone.is_set()

    def wait(self, seconds: float) -> None:
        """Wait, unless there is an end to be heard of."""
        self._news.wait(seconds)

    def _listen(self) -> None:
        for line in self._lines:
            self._at = time.monotonic()
            if line.strip() == "end":
                self.is_ending.set()
                self._news.set()
        self.is_gone.set()
        self._news.set()


def mirror(asked: Mapping[str, Any], heard: Heard, tell: Tell) -> None:
    """Mirror a sweep until it is over or nobody is there any more.

    Raises:
        UserError: the record cannot be read.
    """
    target = Destination(**{**asked["target"], "folder": Path(asked["target"]["folder"])})
    refused: set[str] = set()  # not tried again by this process
    n_in_a_row = 0
    while not heard.has_to_stop:
        is_last, began = heard.is_ending.is_set(), time.monotonic()
        missing = find_missing(asked["experiment_id"], asked["sweep"], target.place, uri=asked["uri"])
        seconds = time.monotonic() - began
        runs = [run for run in missing.runs if run.run_id not in refused]
        left, n_left = iter(runs), len(runs)
        while some := list(islice(left, _AT_ONCE)):
            histories = tracking.read_history([run.run_id for run in some], uri=asked["uri"])
            for run in some:
                if heard.has_to_stop:
                    return
                n_left -= 1
                above = missing.above.get(run.tags.get("mlflow.parentRunId", ""))
                try:
                    address = _mirror_one(run, above, histories[run.run_id], target, uri=asked["uri"])
                except UserError:
                    raise
                except Exception as error:  # the package's, of which a sweep takes no harm
                    refused.add(run.run_id)
                    n_in_a_row += 1
                    tell({"event": "refused", "name": run.name, "text": raised(error)})
                    if n_in_a_row == MOST_IN_A_ROW or isinstance(error, _away()):
                        return
                    continue
                n_in_a_row = 0
                tell({"event": "mirrored", "address": address, "n_left": n_left})
        if is_last:
            return
        heard.wait(max(POLL_SECONDS, seconds / SHARE_OF_TIME))


def _mirror_one(run: FoundRun, above: FoundRun | None, points: Any, target: Destination, *, uri: str) -> str:
    config = tracking.read_text(run.run_id, CONFIG_FILE, uri=uri)
    link = tracking.run_link(uri, run.experiment_id, run.run_id)
    ready = mirrored_run(run, above, points, config, link=link)
    address = writer.write(ready, _pictures(run, {row.step for row in ready.rows}, uri), target)
    with tracking.open_recorder(uri) as recorder:
        recorder.log(run.run_id, tags={tags.MIRRORED: f"{address}#{fingerprint(run, target.place)}"})
    return address


def _pictures(run: FoundRun, steps: set[int], uri: str) -> dict[Picture, bytes]:
    found = {one: tracking.read_bytes(run.run_id, one.path, uri=uri) for one in pictures_of(run.run_id, steps, uri=uri)}
    return {one: content for one, content in found.items() if content and len(content) <= MOST_BYTES}


def _away() -> tuple[type[Exception], ...]:
    """What is raised where the server does not answer or refuses everything: it would refuse the next one, too."""
    from wandb.errors import CommError, UsageError

    return (CommError, UsageError, TimeoutError, OSError)


@contextmanager
def _alone(target: Mapping[str, Any], sweep: str, heard: Heard) -> Iterator[None]:
    """Wait for another process of this machine that mirrors this sweep here: of a session that has just ended."""
    folder = Path(target["folder"]) / "wandb"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{sweep}.lock").open("w") as file:
        while not heard.has_to_stop:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                time.sleep(_LOCK_SECONDS)
        yield


def main() -> int:
    """Mirror what the first line of the input says."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a package prints is not what this process says

    def tell(what: Mapping[str, Any]) -> None:
        with suppress(BrokenPipeError):
            print(json.dumps(what), file=out, flush=True)

    asked = json.loads(sys.stdin.readline())
    try:
        heard = Heard(iter(sys.stdin))
        with _alone(asked["target"], asked["sweep"], heard):
            mirror(asked, heard, tell)
    except UserError as error:
        tell({"event": "stopped", "text": str(error)})
        return 1
    finally:
        if "wandb" in sys.modules:
            writer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
