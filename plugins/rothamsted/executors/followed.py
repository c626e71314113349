"""Follow one worker's process from start to end: its events, the last lines that it wrote, its exit.

One thread for each process reads both of its pipes as bytes. So nothing stops the reading: not bytes that are not
UTF-8, not a line without end, not a pipe that is closed early or kept open by a child.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rothamsted.executors.crew import Death, Event
from rothamsted.masking import masked

POLL_SECONDS = 0.1
MOST_EVENT_BYTES = 2**24  # a line that is longer is no event
TAIL_BYTES = 16_000  # of what is not an event
TAIL_LINES = 40
_CHUNK_BYTES = 2**16
_MOST_CHUNKS_LEFT = 256  # read after the end, of a pipe that a child still writes to


@dataclass(kw_only=True, eq=False)
class Followed:
    """Follows one process: `tell` is called in a separate thread with each event, last with its end."""

    name: str
    popen: subprocess.Popen[bytes]
    tell: Callable[[Event], None]
    thread: threading.Thread = field(init=False)
    _line: bytearray = field(default_factory=bytearray)  # of the events, begun
    _is_too_long: bool = False  # the line that is being read
    _tail: bytearray = field(default_factory=bytearray)
    _why: str = ""
    _is_asked: bool = False

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._follow, name=f"follows {self.name}", daemon=True)

    @property
    def pid(self) -> int:
        """Return its process id, which is also that of its group."""
        return self.popen.pid

    def ask_to_leave(self) -> None:
        """Send SIGTERM."""
        self._is_asked = True
        self.popen.send_signal(signal.SIGTERM)

    def kill(self, why: str) -> None:
        """Send SIGKILL. The first reason counts, and none if it has ended by itself."""
        if self.popen.poll() is None:
            self._why = self._why or why
            self.popen.kill()

    # ---- within ----

    def _follow(self) -> None:
        try:
            self._read()
        except BaseException as error:  # whatever it is: the worker must not go on unheard, nor its crew wait for it
            self._why = self._why or f"what it writes cannot be read: {error!r}"
            self._end_group()
        finally:
            code = self.popen.wait()
            if self._is_asked and code == -signal.SIGTERM:
                code = 0  # it left as it was asked, before Python could take the signal
            for pipe in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
                with contextlib.suppress(OSError, AttributeError):
                    pipe.close()  # type: ignore[union-attr]
            self.tell(
                Event(
                    worker=self.name,
                    death=Death(exit_code=code, last_lines=self._last_lines(), was_ended_because=self._why),
                )
            )

    def _read(self) -> None:
        takers = {self.popen.stdout: self._take_events, self.popen.stderr: self._keep}
        with selectors.DefaultSelector() as selector:
            for pipe, take in takers.items():
                if pipe is not None:
                    os.set_blocking(pipe.fileno(), False)
                    selector.register(pipe, selectors.EVENT_READ, take)
            while self.popen.poll() is None:
                if not selector.get_map():
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self.popen.wait(POLL_SECONDS)
                for key, _ in selector.select(POLL_SECONDS if selector.get_map() else 0):
                    if not _read_once(key.fd, key.data):
                        selector.unregister(key.fileobj)
            self._end_group()
            for key in list(selector.get_map().values()):
                for _ in range(_MOST_CHUNKS_LEFT):
                    if not _read_once(key.fd, key.data):
                        break

    def _end_group(self) -> None:
        """The process, if it lives, and what it started and left behind in its own group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def _take_events(self, chunk: bytes) -> None:
        *ended, begun = chunk.split(b"\n")
        for part in ended:
            self._extend(part)
            if not self._is_too_long:
                self._take_line(bytes(self._line))
            self._line.clear()
            self._is_too_long = False
        self._extend(begun)

    def _extend(self, part: bytes) -> None:
        if self._is_too_long:
            return
        self._line += part
        if len(self._line) > MOST_EVENT_BYTES:
            self._is_too_long = True
            self._keep(self._line + b"\n")
            self._line.clear()

    def _take_line(self, line: bytes) -> None:
        text = line.decode("utf-8", errors="replace")
        event = _event(text)
        if event is None:
            self._keep(line + b"\n")  # something that the study printed
        else:
            self.tell(Event(worker=self.name, said=event))

    def _keep(self, chunk: bytes | bytearray) -> None:
        self._tail += chunk[-TAIL_BYTES:]
        del self._tail[:-TAIL_BYTES]

    def _last_lines(self) -> str:
        lines = self._tail.decode("utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        return masked("\n".join(lines))


def _read_once(fd: int, take: Callable[[bytes], None]) -> bool:
    """Read what is there; False at the end of the pipe, or where nothing is there."""
    try:
        chunk = os.read(fd, _CHUNK_BYTES)
    except BlockingIOError:
        return False
    if chunk:
        take(chunk)
    return bool(chunk)


def _event(text: str) -> dict[str, Any] | None:
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and "event" in event else None
