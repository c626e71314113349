"""Run the process that mirrors a sweep beside its coordinator: start it, read it, and wait for it at the end.

It cannot harm the sweep: each failure is one line of warning. It has no thread, since no drawing process can be forked
while one lives.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from rothamsted import wandb_access
from rothamsted.errors import UserError, as_line
from rothamsted.masking import masked
from rothamsted.mirroring.missing import find_missing
from rothamsted.mirroring.record import place_of
from rothamsted.sweeping.opened import Opened
from rothamsted.wording import plain_count

BEAT_SECONDS = 1.0  # between two signs of life
END_SECONDS = 10.0  # for the replicate that is being written
MOST_SILENT_SECONDS = 180.0  # of a mirror that is waited for
_MOST_READ = 1 << 24  # bytes at once; a replicate is said in a hundred
SAY_SECONDS = 10.0  # between two lines of how many are left
_OF_ONE_RUN = (  # what a shell, or an agent of W&B, has set for a run of its own
    *("WANDB_RUN_ID", "WANDB_RUN_GROUP", "WANDB_NAME", "WANDB_NOTES", "WANDB_TAGS", "WANDB_JOB_TYPE", "WANDB_RESUME"),
    *("WANDB_SWEEP_ID", "WANDB_SWEEP_PARAM_PATH"),
    *("WANDB_MODE", "WANDB_DIR"),  # which are given by word
)

_QUIET = {"WANDB_ERROR_REPORTING": "false"}  # its package tells its makers of errors unless it is told not to

_LATER = "the same command again mirrors what is missing"

Say = Callable[[str], None]


@contextmanager
def mirrored(opened: Opened, say: Say) -> Iterator[Mirror | None]:
    """Mirror a sweep inside the block, while this process decides for the sweep; yield None if no mirror is wanted.

    Args:
        opened: the sweep.
        say: shows a line.
    """
    mirror = _mirror_of(opened, say)
    try:
        if mirror is not None:
            mirror.tick()
        yield mirror
    finally:
        if mirror is not None:
            mirror.stop()


def catch_up(opened: Opened, say: Say) -> None:
    """Mirror what is missing of a sweep that has ended: an earlier session was stopped, or its file asked for none.

    Args:
        opened: the sweep.
        say: shows a line.
    """
    if (mirror := _mirror_of(opened, say)) is not None and mirror.is_behind():
        try:
            mirror.launch()
            mirror.catch_up()
        finally:
            mirror.stop()


def _mirror_of(opened: Opened, say: Say) -> Mirror | None:
    """None where the sweep's file asks for none, or WANDB_MODE is disabled."""
    wanted = opened.sweep.execution.wandb
    if wanted is None or (mode := wandb_access.mode(wanted.mode)) == "disabled":
        return None
    return Mirror(
        opened=opened,
        say=say,
        target={
            "mode": mode,
            "project": wanted.project,
            "entity": wanted.entity,
            "group": wanted.group or opened.sweep.name,
            "folder": os.environ.get("WANDB_DIR") or str(opened.home),
        },
    )


@dataclass(kw_only=True)
class Mirror:
    """Holds the process that mirrors one sweep.

    Attributes:
        opened: the sweep.
        say: shows a line.
        target: where replicates go, as `writer.Destination` has it.
        n_mirrored: replicates, so far.
    """

    opened: Opened
    say: Say
    target: dict[str, Any]
    n_mirrored: int = 0
    _process: subprocess.Popen[str] | None = None
    _said: IO[bytes] | None = None  # a file: nobody has to read for the process to go on
    _errors: IO[bytes] | None = None
    _n_left: int = 0
    _address: str = ""
    _has_warned: bool = False
    _n_heard: int = 0  # bytes
    _rest: bytes = b""  # of a line that is being written
    _heard_at: float = 0.0
    _beat_at: float = field(default=float("-inf"))

    def is_behind(self) -> bool:
        """Say whether something is missing."""
        opened, place = self.opened, place_of(self.target["entity"], self.target["project"])
        try:
            return bool(find_missing(opened.experiment_id, opened.sweep.name, place, uri=opened.tracking_uri).runs)
        except UserError as error:
            self._warn(str(error))
            return False

    def tick(self) -> None:
        """Hear what the process says. It runs while this process decides for the sweep, and needs a sign of life."""
        now = time.monotonic()
        if now - self._beat_at < BEAT_SECONDS:
            return
        self._beat_at = now
        if self.opened.lease.token == 0:
            self.stop()
        elif self._process is None and not self._has_warned:
            self.launch()
        elif self._process is not None and self._process.poll() is not None:
            self.stop()  # and say why
        else:
            self._tell("")
            self._listen()

    def catch_up(self) -> None:
        """Mirror what is missing, and wait for that: the session has ended. Nothing where another process does it.

        Ctrl-C ends the wait alone: the sweep has its result.
        """
        try:
            self._wait()
        except KeyboardInterrupt:
            self.say(f"Weights & Biases: {_replicates(self._n_left)} left; {_LATER}")
        self.stop()

    def stop(self) -> None:
        """End it now: what is missing is mirrored when the same command is given again."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._listen()
        self._process = None
        if process.returncode:
            self._warn(f"its process ended with status {process.returncode}{self._last_line()}")
        self._say_where()

    def launch(self) -> None:
        """Start the process."""
        self._n_heard, self._rest = 0, b""
        self._said, self._errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115  (outlive this)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "rothamsted.mirroring.child"],
                stdin=subprocess.PIPE,
                stdout=self._said,
                stderr=self._errors,
                text=True,
                encoding="utf-8",
                cwd=Path(self.target["folder"]),
                env=_QUIET | {key: text for key, text in os.environ.items() if key not in _OF_ONE_RUN},
                start_new_session=True,  # Ctrl-C is for who started it
            )
        except OSError as error:
            self._warn(f"its process cannot be started in {self.target['folder']} ({error.strerror})")
            return
        opened = self.opened
        asked = {"uri": opened.tracking_uri, "experiment_id": opened.experiment_id, "sweep": opened.sweep.name}
        self._tell(json.dumps({**asked, "target": self.target}))

    # ---- within ----

    def _wait(self) -> None:
        self._tell("end")
        self._heard_at = said_at = time.monotonic()
        while self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(BEAT_SECONDS)
                break
            self._tell("")
            self._listen()
            now = time.monotonic()
            if self._n_left and now - said_at > SAY_SECONDS:
                said_at = now
                self.say(f"Weights & Biases: {_replicates(self._n_left)} still to be mirrored; Ctrl-C leaves them")
            if now - self._heard_at > MOST_SILENT_SECONDS:
                self._warn(f"nothing was mirrored for {MOST_SILENT_SECONDS:g} s")
                break

    def _tell(self, line: str) -> None:
        process = self._process
        if process is not None and process.stdin is not None:
            with suppress(OSError, ValueError):  # it has ended
                process.stdin.write(f"{line}\n")
                process.stdin.flush()

    def _listen(self) -> None:
        if self._said is None:
            return
        new = os.pread(self._said.fileno(), _MOST_READ, self._n_heard)  # both have one place in the file: it is left
        self._n_heard += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        for line in lines:
            self._heard_at = time.monotonic()
            self._on(json.loads(line))

    def _on(self, said: dict[str, Any]) -> None:
        if said["event"] == "mirrored":
            self.n_mirrored += 1
            self._address, self._n_left = said["address"], said["n_left"]
        else:
            name = f"{said['name']}: " if "name" in said else ""
            self._warn(f"{name}{said['text']}")

    def _warn(self, text: str) -> None:
        """Once: every further replicate would say the same."""
        if not self._has_warned:
            self._has_warned = True
            self.say(as_line(masked(f"warning: Weights & Biases: {text}; the sweep goes on; {_LATER}")))

    def _last_line(self) -> str:
        if self._errors is None:
            return ""
        self._errors.seek(0)
        lines = self._errors.read()[-4000:].decode(errors="replace").strip().splitlines()
        return f" ({lines[-1]})" if lines else ""

    def _say_where(self) -> None:
        if self.n_mirrored:
            folder, project = self.target["folder"], self._address.rpartition("/runs/")[0]
            offline = f"in {folder}/wandb; to send them: cd {shlex.quote(folder)} && wandb sync"
            what = f"Weights & Biases: {_replicates(self.n_mirrored)} mirrored"
            self.say(f"{what}, {project if self.target['mode'] == 'online' else offline}")


def _replicates(n: int) -> str:
    return plain_count(n, "replicate")
