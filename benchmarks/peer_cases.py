"""Run three searches of a peer, each in its own folder: undisturbed and timed, killed and resumed, four workers."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.peer_audit import Audit, audit

N_KILLS = 2
PAUSE_SECONDS = {"timed": 0.0, "grid": 0.01, "killed": 0.03}  # at each of a training's ten points


class PeerError(RuntimeError):
    """Says in one line why a peer cannot be measured here."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """Holds one search in a folder of its own, with MLflow's tables made already."""

    folder: Path
    command: Sequence[str]
    environment: dict[str, str]
    a: list[float]
    b: list[float]
    limit_seconds: float

    @property
    def n_cells(self) -> int:
        """Count the conditions of the grid."""
        return len(self.a) * len(self.b)

    def noted(self) -> list[float]:
        """Return when each training began, unix seconds."""
        path = self.folder / "notes"
        return sorted(map(float, path.read_text(encoding="utf-8").split())) if path.exists() else []

    def audited(self) -> Audit:
        """Return what MLflow's database holds."""
        return audit(self.folder / "mlflow.db", {(a, b) for a in self.a for b in self.b})

    @contextmanager
    def started(self) -> Iterator[psutil.Popen]:
        """Start the command; at the end it is killed with all below it if it still runs."""
        with (self.folder / "output").open("w", encoding="utf-8") as output:
            process = psutil.Popen(
                self.command, cwd=self.folder, env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )
            try:
                yield process
            finally:
                kill_tree(process)

    def to_its_end(self) -> None:
        """Wait until it has ended.

        Raises:
            PeerError: it failed, or it took too long.
        """
        with self.started() as process:
            try:
                status = process.wait(self.limit_seconds)
            except psutil.TimeoutExpired as error:
                raise PeerError(f"not ended after {self.limit_seconds:.0f} s") from error
        if status:
            raise PeerError(f"exit status {status}: {last_line(self.folder / 'output')}")


def timed(case: Case) -> dict[str, Any]:
    """Time one worker, with trainings that take no time."""
    began = time.time()
    case.to_its_end()
    whole, notes = time.time() - began, case.noted()
    found = case.audited()
    if not found.is_exact:
        raise PeerError(f"with one worker, undisturbed: {found}")
    each = (notes[-1] - notes[0]) / (len(notes) - 1)
    return {"ms_a_replicate": 1000 * each, "startup_seconds": notes[0] - began, "whole_seconds": whole}


def grid(case: Case) -> dict[str, Any]:
    """Search with four workers."""
    case.to_its_end()
    return {"grid": case.audited()}


def killed(case: Case) -> dict[str, Any]:
    """Search with one worker; kill the whole tree in a training, twice, and give the same command again."""
    half_a_training = 5 * PAUSE_SECONDS["killed"]
    for _ in range(N_KILLS):
        n_before = len(case.noted())
        end = time.monotonic() + case.limit_seconds
        with case.started() as process:
            while process.poll() is None and time.monotonic() < end:
                if len(case.noted()) - n_before > case.n_cells // (N_KILLS + 1):
                    time.sleep(half_a_training)
                    break
                time.sleep(0.01)
    case.to_its_end()
    return {"killed": case.audited()}


CASES = {"timed": timed, "grid": grid, "killed": killed}


def kill_tree(process: psutil.Process) -> None:
    """Send SIGKILL to a process and then to all below it, so that it sees none of them die.

    An ended process is left.
    """
    try:
        tree = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for member in tree:
        with suppress(psutil.NoSuchProcess):
            member.send_signal(signal.SIGKILL)
    psutil.wait_procs(tree, timeout=10)


def last_line(path: Path) -> str:
    """Return the last line that a program wrote; empty if it wrote nothing."""
    return (path.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [""])[-1][:200]
