"""Run one sweep as a user does, `rothamsted sweep`, and measure it from outside: claims, CPU time, memory.

Nothing is added to the engine: times are those in its two databases, CPU time and memory are the operating system's.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.project import BenchmarkProject, failure

SAMPLE_SECONDS = 0.2  # 5 samples a second of each process: under 1 % of a core


@dataclass(frozen=True, kw_only=True)
class ProcessTrace:
    """Holds samples of one process over time."""

    pid: int
    times: np.ndarray  # (sample,) unix seconds
    cpu_seconds: np.ndarray  # (sample,) user and system, since the process began
    rss_bytes: np.ndarray  # (sample,)
    peak_bytes: int  # the most ever resident: the system's own mark where it keeps one, else of the samples

    def cpu_at(self, times: np.ndarray) -> np.ndarray:
        """Return CPU seconds at these moments, by linear interpolation between samples."""
        return np.interp(times, self.times, self.cpu_seconds)


@dataclass(frozen=True, kw_only=True)
class SampledSweep:
    """Says of a finished sweep when each trial was claimed and told, and what its processes used."""

    n_replicates_a_trial: int
    claimed: np.ndarray  # (trial,) unix seconds, ascending
    told: np.ndarray  # (trial,) unix seconds, in the same order
    replicate_ended: np.ndarray  # (replicate,) unix seconds, ascending, to the millisecond
    coordinator: ProcessTrace
    workers: tuple[ProcessTrace, ...]
    began: float  # unix seconds: the command was started
    total_seconds: float  # of the whole command, start-up and closing tables included

    @property
    def startup_seconds(self) -> float:
        """Return the seconds from the command to the first claim: imports, migrations, the plan, the first worker."""
        return float(self.claimed[0]) - self.began

    @property
    def closing_seconds(self) -> float:
        """Return the seconds from the last trial told to the command's end: tables, best conditions, worker's exit."""
        return self.began + self.total_seconds - float(self.told.max())

    @property
    def n_replicates(self) -> int:
        """Count all replicates of the sweep."""
        return len(self.claimed) * self.n_replicates_a_trial

    @property
    def seconds_per_replicate(self) -> float:
        """Divide the time from the first claim to the last trial told by the replicates; start-up is not in it."""
        return float(self.told.max() - self.claimed[0]) / self.n_replicates

    @property
    def cpu_seconds_per_replicate(self) -> float:
        """Divide the CPU time of all workers in the same stretch by the replicates."""
        ends = np.array([self.claimed[0], self.told.max()])
        return float(sum(np.diff(worker.cpu_at(ends))[0] for worker in self.workers)) / self.n_replicates

    @property
    def steady_throughput(self) -> float:
        """Return replicates a second between the moment when every worker has work and the last claim.

        With several workers the first comes up before the others: counting starts at the first claim that
        finds as many trials running as there are workers.
        """
        running = np.array([np.sum(self.told[:i] > at) + 1 for i, at in enumerate(self.claimed)])
        full = np.flatnonzero(running >= len(self.workers))
        if not len(full) or full[0] >= len(self.claimed) - 1:
            raise RuntimeError(
                f"{len(self.workers)} workers were never at work together in {len(self.claimed)} trials: "
                "measure more replicates"
            )
        first = int(full[0])
        n = (len(self.claimed) - 1 - first) * self.n_replicates_a_trial
        return n / float(self.claimed[-1] - self.claimed[first])


def run_sampled(project: BenchmarkProject, document: Mapping[str, Any]) -> SampledSweep:
    """Run a sweep to its end in its own process, sampling that process and its workers.

    Raises:
        RuntimeError: the sweep failed, or a trial of it did.
    """
    path = project.write_sweep(document)
    command = [sys.executable, "-m", "rothamsted", "sweep", "--config", str(path)]
    began, began_monotonic = time.time(), time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        sweep = subprocess.Popen(
            command, cwd=project.root, env=project.environment(), stdout=output, stderr=subprocess.STDOUT
        )
        samples = _sample_until_ended(sweep)
        seconds = time.monotonic() - began_monotonic
        if sweep.returncode:
            output.seek(0)
            raise failure(command, sweep.returncode, output.read())
    claimed, told = _read_trials(project.search_path)
    return SampledSweep(
        n_replicates_a_trial=int(document["replicates"]["count"]),
        claimed=claimed,
        told=told,
        replicate_ended=_read_replicate_ends(project.tracking_path),
        coordinator=_trace(sweep.pid, samples.pop(sweep.pid)),
        workers=tuple(_trace(pid, rows) for pid, rows in samples.items() if rows),
        began=began,
        total_seconds=seconds,
    )


Samples = dict[int, list[tuple[float, float, int, int]]]  # pid -> (unix seconds, CPU seconds, RSS bytes, peak bytes)


def _sample_until_ended(sweep: subprocess.Popen[bytes]) -> Samples:
    coordinator = psutil.Process(sweep.pid)
    known: dict[int, psutil.Process] = {sweep.pid: coordinator}
    samples: Samples = {sweep.pid: []}
    while sweep.poll() is None:
        for child in _workers_of(coordinator, known):
            known[child.pid] = child
            samples[child.pid] = []
        for pid, process in list(known.items()):
            try:
                with process.oneshot():
                    cpu, rss = process.cpu_times(), process.memory_info().rss
            except psutil.Error:
                continue  # ended a moment ago
            if rss:  # a zombie has none
                samples[pid].append((time.time(), cpu.user + cpu.system, rss, _peak_of(pid, rss)))
        time.sleep(SAMPLE_SECONDS)
    return samples


def _workers_of(coordinator: psutil.Process, known: Mapping[int, psutil.Process]) -> list[psutil.Process]:
    """Worker processes that are not known yet; other children (git, say) left aside."""
    found = []
    try:
        for child in coordinator.children():
            if child.pid not in known and "worker" in child.cmdline()[:4]:
                found.append(child)
    except psutil.Error:
        return found
    return found


def _peak_of(pid: int, rss: int) -> int:
    """Linux keeps the most that was ever resident: what comes and goes between two samples counts, too."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return rss
    found = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")]
    return 1024 * found[0] if found else rss


def _trace(pid: int, rows: Sequence[tuple[float, float, int, int]]) -> ProcessTrace:
    times, cpu, rss, peak = np.array(rows, dtype=float).T
    return ProcessTrace(pid=pid, times=times, cpu_seconds=cpu, rss_bytes=rss, peak_bytes=int(peak.max()))


def _read_trials(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(claimed, told) of every trial, in the order of claims."""
    query = "SELECT number, state, datetime_start, datetime_complete FROM trials ORDER BY datetime_start"
    with sqlite3.connect(path) as connection:
        rows = connection.execute(query).fetchall()
    connection.close()
    if wrong := [number for number, state, _, _ in rows if state != "COMPLETE"]:
        raise RuntimeError(f"trials {wrong[:10]} did not complete, so nothing was measured")
    return np.array([_unix(row[2]) for row in rows]), np.array([_unix(row[3]) for row in rows])


def _read_replicate_ends(path: Path) -> np.ndarray:
    query = (
        "SELECT end_time FROM runs JOIN tags USING (run_uuid) "
        "WHERE tags.key = 'rothamsted.role' AND tags.value = 'replicate' ORDER BY end_time"
    )
    with sqlite3.connect(path) as connection:
        rows = connection.execute(query).fetchall()
    connection.close()
    return np.array([end_ms for (end_ms,) in rows], dtype=float) / 1000


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
