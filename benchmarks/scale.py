"""Measure how large sweeps scale: 10,000 replicates of the trivial objective, and 3,000 trials of TPE.

Each sweep takes minutes. One run of each is measured, from the first replicate to the command given again on the
finished sweep.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from jsonargparse import auto_cli

from benchmarks.overhead import N_REPLICATES_A_TRIAL, TRIVIAL, sweep_document
from benchmarks.project import BenchmarkProject, benchmark_project, failure
from benchmarks.report import Figure, publish
from benchmarks.sampled_sweep import SampledSweep, run_sampled

MIB = 2**20
N_TO_WARM = 30  # trials: statement caches and first flushes
N_PARTS = 10
MOST_GROWTH = 1.2  # last tenth over first tenth
MOST_MB = 300.0
MOST_SECONDS_AGAIN = 3.0  # processor time of the command and its children
MOST_SECONDS_TO_DECIDE = 2.0
N_ASKED = 40  # conditions that Optuna alone is asked for, on as many trials as the sweep had then


def by_tenths(sweep: SampledSweep) -> np.ndarray:
    """Return processor time of the one worker in each tenth of the sweep, milliseconds a replicate: (tenth,)."""
    at = sweep.workers[0].cpu_at(sweep.claimed)[min(N_TO_WARM, len(sweep.claimed) // N_PARTS) :]
    cost_ms = 1000 * np.diff(at) / sweep.n_replicates_a_trial
    return np.array([part.mean() for part in np.array_split(cost_ms, N_PARTS)])


def processor_seconds(project: BenchmarkProject, *command: str) -> float:
    """Return processor time of a command with all its children.

    Raises:
        RuntimeError: it failed.
    """
    whole = [sys.executable, "-m", *command]
    process = subprocess.Popen(
        whole, cwd=project.root, env=project.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise failure(whole, process.returncode, "")
    return used.ru_utime + used.ru_stime


def state_of_files(root: Path) -> dict[str, tuple[int, bytes]]:
    """Say of each file when it was written and what is in it; what SQLite has still in its log is copied back first."""
    for database in root.glob("*.db"):
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    left_out = ("-wal", "-shm", ".pyc")
    paths = [path for path in root.rglob("*") if path.is_file() and not path.name.endswith(left_out)]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}


def replicates_figures(n_replicates: int) -> list[Figure]:
    """Measure a random search with so many replicates and a report.

    The figures are of cost over time, memory, closing, and a second command.
    """
    with benchmark_project(TRIVIAL) as project:
        document = sweep_document(n_replicates, 1)
        sweep = run_sampled(project, {**document, "execution": {"workers": 1, "report": True}})
        path = str(project.root / "sweep.yaml")
        before = state_of_files(project.root)
        again = processor_seconds(project, "rothamsted", "sweep", "--config", path)
        n_written = len(before.items() ^ state_of_files(project.root).items())
        told = json.loads(project.run("benchmarks.scale_stages", "decide", path).splitlines()[-1])
    tenths = by_tenths(sweep)
    n = f"{sweep.n_replicates:,} replicates"
    return [
        Figure(
            name=f"{n}: cost of the last tenth / of the first",
            value=float(tenths[-1] / tenths[0]),
            unit="x CPU",
            at_most=MOST_GROWTH,
            note=f"worker, ms a replicate by tenths: {_listed(tenths)}",
        ),
        Figure(
            name=f"{n}: coordinator's memory, peak to the end",
            value=sweep.coordinator.peak_bytes / MIB,
            unit="MiB",
            at_most=MOST_MB,
            note="VmHWM, its close with tables, figures and report included",
        ),
        Figure(name=f"{n}: closing", value=sweep.closing_seconds, unit="s", note="last trial told to the end, wall"),
        Figure(
            name=f"{n}: the command given again",
            value=again,
            unit="s CPU",
            at_most=MOST_SECONDS_AGAIN,
            note="with all its children",
        ),
        Figure(name=f"{n}: files that it wrote", value=float(n_written), at_most=0.0),
        Figure(
            name=f"{n}: deciding what is left",
            value=told["seconds"],
            unit="s CPU",
            at_most=MOST_SECONDS_TO_DECIDE,
            note=f"search read and asked, {told['n_queries']} queries",
        ),
    ]


def trials_figures(n_trials: int) -> list[Figure]:
    """Measure a search by TPE with so many trials of one replicate each, and what Optuna's own sampler takes of it."""
    with benchmark_project(TRIVIAL) as project:
        document: Mapping[str, Any] = {
            **sweep_document(n_trials, 1),
            "sampler": {"name": "tpe", "seed": 0},
            "trials": n_trials,
            "replicates": {"count": 1},
        }
        sweep = run_sampled(project, document)
        print(
            f"{n_trials:,} trials of TPE are done; worker, ms a trial by tenths: {_listed(by_tenths(sweep))}",
            flush=True,
        )
        arguments = [str(project.search_path), str(n_trials), str(N_ASKED)]
        alone = json.loads(project.run("benchmarks.scale_stages", "ask", *arguments).splitlines()[-1])
    tenths, optuna = by_tenths(sweep), np.array(alone["ms"])
    ours = tenths - optuna
    n = f"{n_trials:,} trials of TPE"
    return [
        Figure(name=f"{n}: a trial, first tenth", value=float(tenths[0]), unit="ms CPU"),
        Figure(
            name=f"{n}: a trial, last tenth",
            value=float(tenths[-1]),
            unit="ms CPU",
            note=f"by tenths: {_listed(tenths)}",
        ),
        Figure(
            name=f"{n}: of it Optuna's own sampler",
            value=float(optuna[-1]),
            unit="ms CPU",
            note=f"the same trials in memory, by tenths: {_listed(optuna)}",
        ),
        Figure(
            name=f"{n}: what is ours, last tenth / first",
            value=float(ours[-1] / ours[0]),
            unit="x CPU",
            at_most=MOST_GROWTH,
            note=f"by tenths: {_listed(ours)}",
        ),
    ]


def _listed(values: Sequence[float] | np.ndarray) -> str:
    return " ".join(f"{value:.1f}" for value in values)


def main(*, replicates: int = 10_000, trials: int = 3_000, json_path: Path | None = None) -> None:
    """Run both sweeps, one after the other, and say of each target whether it is reached, as far as it has come.

    Args:
        replicates: of the random search; 0: leave it out.
        trials: of the search by TPE; 0: leave it out.
        json_path: write the figures here too.
    """
    sizes: list[tuple[int, Callable[[int], list[Figure]]]] = [
        (round(replicates / N_REPLICATES_A_TRIAL) * N_REPLICATES_A_TRIAL, replicates_figures),
        (trials, trials_figures),
    ]
    figures: list[Figure] = []
    for size, measure in ((size, measure) for size, measure in sizes if size):
        figures += measure(size)
        publish("Scale, so far", figures, json_path)  # whoever cuts the rest off keeps this


if __name__ == "__main__":
    auto_cli(main)
