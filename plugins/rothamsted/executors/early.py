"""Start worker processes of this machine, also before their job is known.

The imports of a worker take a second, so they run while the sweep is being opened.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from rothamsted.errors import UserError
from rothamsted.executors.crew import Job


def start_process(
    environment: Mapping[str, str], flags: Sequence[str], imports: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """Start a worker, which waits for its job on its standard input.

    Args:
        environment: its whole environment.
        flags: flags of its interpreter.
        imports: modules that it imports before it looks for a job.

    Raises:
        UserError: the system has no more processes or memory.
    """
    try:
        return subprocess.Popen(
            [sys.executable, *flags, "-m", "rothamsted.executors.process", "worker", *imports],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C reaches the coordinator only, which asks workers to stop
        )
    except OSError as error:
        raise UserError(
            f"executor local: a worker cannot be started ({error.strerror or error}); end other programs, or "
            "give fewer execution.workers"
        ) from error


def give_job(process: subprocess.Popen[bytes], job: Job) -> None:
    """Give a waiting worker its job."""
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # it has died already, and is told as any death
            process.stdin.write(f"{job.as_json()}\n".encode())


def shared_out(n_workers: int, own: Mapping[str, str]) -> dict[str, str]:
    """Return an environment that divides the cores among the workers, unless it already sets them."""
    n_threads = max(1, (os.cpu_count() or 1) // n_workers)
    shared = {name: str(n_threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    return {**shared, **own}


@dataclass(frozen=True, kw_only=True, eq=False)
class EarlyWorkers:
    """Starts processes that import and wait; a context manager. At its end, processes that were not taken are ended.

    Attributes:
        n_workers: number of workers of the crew, which divide the cores.
        imports: modules.
        n_cores: number of cores; None: as the system says. One core is left to this process, which opens the sweep
            while workers import.
        flags: flags of their interpreters.
        own: the environment before the job's variables; None: this process's.

    Example:
        >>> with EarlyWorkers(n_workers=1, imports=["json"]) as early:
        ...     process = early.take(shared_out(1, os.environ), ())
        ...     early.take(shared_out(1, os.environ), ()) is None
        True
        >>> _, _ = process.communicate()  # without a job it leaves
        >>> process.returncode
        0
    """

    n_workers: int
    imports: Sequence[str]
    n_cores: int | None = None
    flags: Sequence[str] = ()
    own: Mapping[str, str] | None = None
    _waiting: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _environment: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._environment.update(shared_out(self.n_workers, os.environ if self.own is None else self.own))
        try:
            for _ in range(min(self.n_workers, max(1, (self.n_cores or os.cpu_count() or 1) - 1))):
                self._waiting.append(start_process(self._environment, self.flags, self.imports))
        except UserError:
            self._end()  # who starts the crew tries again, and says so
        return self

    def __exit__(self, *raised: object) -> None:
        self._end()

    def take(self, environment: Mapping[str, str], flags: Sequence[str]) -> subprocess.Popen[bytes] | None:
        """Return a process that was started with this environment and these flags, or None."""
        if self._environment != environment or tuple(self.flags) != tuple(flags):
            return None
        return self._waiting.pop() if self._waiting else None

    def _end(self) -> None:
        for process in self._waiting:
            process.kill()
            process.communicate()
        self._waiting.clear()
