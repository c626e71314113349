"""Compare real trainings: one sweep with two workers, a plain loop, and a process for each training.

It measures what compiling once and dividing the cores gains, and what logging costs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jsonargparse import auto_cli

from benchmarks.project import REPOSITORY, BenchmarkProject, benchmark_project
from benchmarks.report import Figure, publish
from benchmarks.sampled_sweep import SampledSweep, run_sampled

STUDY = REPOSITORY / "projects" / "batch_size"
N_SEEDS = 3
LOWEST_LR, HIGHEST_LR = 0.01, 0.5  # nothing diverges here, so every training has all its steps
FIXED = {"width": 128, "batch_size": 64, "data.name": "digits"}


@dataclass(frozen=True, kw_only=True)
class Loop:
    """Holds the times of the plain loop."""

    seconds_in_all: float  # of the process, from its start to its end
    ended: np.ndarray  # (training,) unix seconds

    @property
    def throughput(self) -> float:
        """Return trainings a second after the first, which compiles."""
        return (len(self.ended) - 1) / float(self.ended[-1] - self.ended[0])


def learning_rates(n_trainings: int) -> list[float]:
    """Return the conditions: learning rates evenly spaced on a log scale, three seeds each."""
    return [float(lr) for lr in np.geomspace(LOWEST_LR, HIGHEST_LR, max(1, n_trainings // N_SEEDS))]


def measure_sweep(rates: Sequence[float], steps: int, n_workers: int) -> SampledSweep:
    """Run all trainings as one sweep, JAX's cache of compiled functions empty at the start."""
    document: Mapping[str, Any] = {
        "name": "trainings",
        "study": STUDY.name,
        "parameters": {**FIXED, "steps": steps},
        "space": {"optimizer.lr": list(rates)},
        "objective": {"metric": "val_loss", "direction": "minimize", "reduce": "last"},
        "sampler": {"name": "grid"},
        "replicates": {"count": N_SEEDS},
        "execution": {"workers": n_workers},
    }
    with benchmark_project(STUDY) as project:
        return run_sampled(project, document)


def measure_loop(rates: Sequence[float], steps: int) -> Loop:
    """Run the same trainings one after another in one process, JAX's cache empty at the start."""
    with benchmark_project(STUDY) as project:
        path = project.root / "conditions.json"
        path.write_text(json.dumps(_conditions(rates, steps)), encoding="utf-8")
        began = time.monotonic()
        output = project.run("benchmarks.plain_loop", "--study", STUDY.name, "--conditions", str(path))
        seconds = time.monotonic() - began
    return Loop(seconds_in_all=seconds, ended=np.array(json.loads(output.strip().splitlines()[-1])))


def measure_processes(rates: Sequence[float], steps: int, n_calls: int) -> np.ndarray:
    """Time a process per training, nothing logged: seconds, (call,); the first fills JAX's cache and is not counted."""
    conditions = _conditions(rates, steps)
    with benchmark_project(STUDY) as project:
        return np.array([_seconds_of_process(project, c) for c in conditions[: 1 + n_calls]])[1:]


def sweep_seconds_per_training(sweep: SampledSweep) -> float:
    """Return the seconds a training between the end of every worker's first training and the last end."""
    ends = sweep.replicate_ended
    first = len(sweep.workers)  # each worker's first training compiles; the others end after these
    return float(ends[-1] - ends[first - 1]) / (len(ends) - first)


def figures(sweep: SampledSweep, loop: Loop, processes: np.ndarray) -> list[Figure]:
    """Return the comparison, without and with start-up."""
    n = len(loop.ended)
    warm, process = 1 / sweep_seconds_per_training(sweep), float(np.median(processes))
    return [
        Figure(
            name="sweep", value=warm, unit="/s", note=f"{len(sweep.workers)} workers, {n} trainings, after start-up"
        ),
        Figure(name="sweep, all", value=n / sweep.total_seconds, unit="/s", note="the whole command"),
        Figure(
            name="sweep, CPU of workers",
            value=1000 * sweep.cpu_seconds_per_replicate,
            unit="ms/training",
            note="first claim to last told, compiling included",
        ),
        Figure(name="sweep, start-up", value=sweep.startup_seconds, unit="s", note="command to first claim"),
        Figure(name="sweep, closing", value=sweep.closing_seconds, unit="s", note="last trial told to the end"),
        Figure(name="plain loop", value=loop.throughput, unit="/s", note="one process, after its first training"),
        Figure(name="plain loop, all", value=n / loop.seconds_in_all, unit="/s", note="the whole process"),
        Figure(
            name="process per training",
            value=process,
            unit="s/training",
            note=f"median of {len(processes)}, --no-save, JAX's cache filled",
        ),
        Figure(name="sweep / plain loop", value=warm / loop.throughput, unit="x", at_least=1.2, note="after start-up"),
        Figure(
            name="sweep / plain loop, all",
            value=loop.seconds_in_all / sweep.total_seconds,
            unit="x",
            note="start-up, compiling and closing tables included",
        ),
        Figure(
            name="sweep / process per training",
            value=warm * process,
            unit="x",
            at_least=30.0,
            note="throughput after start-up; the processes one after another",
        ),
        Figure(name="sweep / process per training, all", value=n * process / sweep.total_seconds, unit="x"),
    ]


def main(
    *,
    trainings: int = 300,
    steps: int = 500,
    workers: int = 2,
    processes: int = 3,
    json_path: Path | None = None,
) -> None:
    """Compare the three ways, in one run on this machine.

    Args:
        trainings: in the sweep and in the loop; a third of them conditions, at three seeds each.
        steps: of each training.
        workers: of the sweep.
        processes: trainings in processes of their own.
        json_path: write the figures here too.
    """
    rates = learning_rates(trainings)
    loop = measure_loop(rates, steps)
    sweep = measure_sweep(rates, steps, workers)
    alone = measure_processes(rates, steps, processes)
    publish("Trainings of the batch_size study", figures(sweep, loop, alone), json_path)


def _conditions(rates: Sequence[float], steps: int) -> list[dict[str, Any]]:
    fixed = {**FIXED, "steps": steps}
    return [{**fixed, "optimizer.lr": lr, "seed": seed} for lr in rates for seed in range(N_SEEDS)]


def _seconds_of_process(project: BenchmarkProject, condition: Mapping[str, Any]) -> float:
    words = [word for key, value in condition.items() for word in (f"--{key}", str(value))]
    began = time.monotonic()
    project.run(f"projects.{project.study}", "--no-save", *words)
    return time.monotonic() - began


if __name__ == "__main__":
    auto_cli(main)
