"""Compare a part of the sweep `comprehensive` of the Global Workspace study with one process for each run.

A run ends with probes and decompositions. The study's data are made first.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jsonargparse import auto_cli

from benchmarks.project import REPOSITORY, BenchmarkProject, benchmark_project
from benchmarks.report import Figure, publish
from benchmarks.sampled_sweep import SampledSweep, run_sampled
from benchmarks.trainings import sweep_seconds_per_training

STUDY = REPOSITORY / "projects" / "global_workspace"
SWEEP = REPOSITORY / "sweeps" / "global_workspace" / "comprehensive.yaml"
N_RUNS, MOST_MINUTES = 1000, 30.0  # of the whole sweep


def document(runs: int, workers: int, vae_steps: int) -> dict[str, Any]:
    """Return the shipped sweep, cut to two scales, two seeds and as many widths as that leaves."""
    sweep: dict[str, Any] = yaml.safe_load(SWEEP.read_text(encoding="utf-8"))
    n_seeds = 2
    n_widths = max(1, runs // n_seeds // 2)
    widths = sweep["space"]["model.workspace_dim"]
    sweep["space"]["model.workspace_dim"] = widths[:n_widths]
    sweep["space"]["synergy.loss_scale"] = [0.1, 10.0]
    sweep["replicates"] = {"count": n_seeds}
    sweep["parameters"] |= {"data.visual_vae.steps": vae_steps}
    sweep["execution"]["workers"] = workers
    return sweep


def measure(runs: int, workers: int, processes: int, vae_steps: int) -> tuple[SampledSweep, np.ndarray]:
    """Time the sweep, then processes of their own: seconds, (call,).

    Data are made, and functions compiled, before both.
    """
    with benchmark_project(STUDY) as project:
        cut = document(runs, workers, vae_steps)
        _seconds_of_process(project, cut["parameters"], seed=0)  # makes the data, fills JAX's cache
        sweep = run_sampled(project, cut)
        alone = [_seconds_of_process(project, cut["parameters"], seed=seed) for seed in range(processes)]
    return sweep, np.array(alone)


def figures(sweep: SampledSweep, processes: np.ndarray) -> list[Figure]:
    """Return rates, their ratio, and how long 1,000 runs take at this rate."""
    warm, process = 1 / sweep_seconds_per_training(sweep), float(np.median(processes))
    n_workers = len(sweep.workers)
    return [
        Figure(name="sweep", value=warm, unit="runs/s", note=f"{n_workers} workers, after each one's first run"),
        Figure(name="sweep, CPU of workers", value=1000 * sweep.cpu_seconds_per_replicate, unit="ms/run"),
        Figure(
            name=f"{N_RUNS:,} runs at this rate",
            value=N_RUNS / warm / 60 + (sweep.startup_seconds + sweep.closing_seconds) / 60,
            unit="min",
            at_most=MOST_MINUTES,
            note="extrapolated; start-up and closing of the measured sweep included",
        ),
        Figure(
            name="process per run", value=process, unit="s/run", note=f"median of {len(processes)}, JAX's cache filled"
        ),
        Figure(name="sweep / process per run", value=warm * process, unit="x", note="processes one after another"),
    ]


def main(
    *,
    runs: int = 40,
    workers: int = 2,
    processes: int = 3,
    vae_steps: int = 200,
    json_path: Path | None = None,
) -> None:
    """Compare a sweep with processes, in one run on this machine.

    Args:
        runs: of the sweep, at most 40.
        workers: of the sweep.
        processes: runs in processes of their own.
        vae_steps: steps of the autoencoder that makes the data; it costs nothing in the figures.
        json_path: write the figures here too.
    """
    sweep, alone = measure(runs, workers, processes, vae_steps)
    publish("Runs of the global_workspace study", figures(sweep, alone), json_path)


def _seconds_of_process(project: BenchmarkProject, parameters: Mapping[str, Any], seed: int) -> float:
    words = [word for key, value in parameters.items() for word in (f"--{key}", str(value))]
    began = time.perf_counter()
    project.run(f"projects.{project.study}", "--no-save", *words, "--seed", str(seed))
    return time.perf_counter() - began


if __name__ == "__main__":
    auto_cli(main)
