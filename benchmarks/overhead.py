"""Milliseconds of bookkeeping per replicate: `mlflow run`, the fluent way, and this engine, in one run.

Apart from `trainings` because here the training costs nothing, so that all that is measured is overhead.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jsonargparse import auto_cli

from benchmarks.project import REPOSITORY, benchmark_project
from benchmarks.report import Figure, publish
from benchmarks.sampled_sweep import SampledSweep, run_sampled
from benchmarks.trivial import PARAMETERS

TRIVIAL = REPOSITORY / "benchmarks" / "trivial"
N_REPLICATES_A_TRIAL = 3
N_TRIALS_TO_WARM = 10  # statement caches and first flushes; left out of the trend alone
N_TRIALS_AT_AN_END = 100  # 300 replicates: the two ends that the trend compares


@dataclass(frozen=True, kw_only=True)
class Trend:
    """How the cost of a replicate changes over one sweep, by CPU and by wall time."""

    first_ms: float  # mean over the first stretch, after warming
    last_ms: float  # mean over the last stretch
    slope_us: float  # microseconds per replicate and replicate before it, least squares
    slope_error_us: float  # its standard error

    @property
    def ratio(self) -> float:
        """Cost at the end over cost at the beginning."""
        return self.last_ms / self.first_ms


def sweep_document(n_replicates: int, n_workers: int) -> dict[str, Any]:
    """A random search over the trivial objective, with about so many replicates."""
    return {
        "name": "overhead",
        "study": "trivial",
        "space": {name: {"low": 0.0, "high": 1.0} for name in PARAMETERS},
        "objective": {"metric": "val_loss", "direction": "minimize", "reduce": "last"},
        "sampler": {"name": "random", "seed": 0},
        "trials": max(1, round(n_replicates / N_REPLICATES_A_TRIAL)),
        "replicates": {"count": N_REPLICATES_A_TRIAL},
        "execution": {"workers": n_workers},
    }


def measure_engine(n_replicates: int, n_workers: int) -> SampledSweep:
    """The engine: one sweep, its own worker processes."""
    with benchmark_project(TRIVIAL) as project:
        return run_sampled(project, sweep_document(n_replicates, n_workers))


def measure_fluent(n_trials: int, *, has_intervals: bool) -> dict[str, np.ndarray]:
    """The fluent way: wall and CPU seconds per replicate, (trial,) each, in a process that has imported all."""
    with benchmark_project(TRIVIAL) as project:
        arguments = ["--trials", str(n_trials), "--replicates", str(N_REPLICATES_A_TRIAL)]
        output = project.run("benchmarks.fluent_loop", *arguments, "--intervals", str(has_intervals).lower())
    seconds: Mapping[str, list[float]] = json.loads(output.strip().splitlines()[-1])
    return {name: np.array(values) / N_REPLICATES_A_TRIAL for name, values in seconds.items()}


def measure_mlflow_run(n_calls: int) -> np.ndarray:
    """`mlflow run --env-manager local` per replicate: wall seconds, (call,); migrating the store left out."""
    with benchmark_project(TRIVIAL) as project:
        project.run("mlflow", "experiments", "search")  # makes the tables
        seconds = []
        for seed in range(n_calls):
            condition = [word for name in PARAMETERS for word in ("-P", f"{name}=0.25")]
            began = time.perf_counter()
            project.run(
                "mlflow", "run", ".", "-e", "replicate", "--env-manager", "local", *condition, "-P", f"seed={seed}"
            )
            seconds.append(time.perf_counter() - began)
    return np.array(seconds)


def trend_of(sweep: SampledSweep, *, is_cpu: bool) -> Trend:
    """The trend over a sweep of one worker: a trial costs from its claim to the next one's."""
    at = sweep.claimed[min(N_TRIALS_TO_WARM, len(sweep.claimed) // 4) :]
    if is_cpu:
        at = sweep.workers[0].cpu_at(at)
    cost_ms = 1000 * np.diff(at) / sweep.n_replicates_a_trial
    n_end = min(N_TRIALS_AT_AN_END, len(cost_ms) // 2)
    index = sweep.n_replicates_a_trial * np.arange(len(cost_ms))
    centred = index - index.mean()
    slope = float(centred @ cost_ms / (centred @ centred))
    residual = cost_ms - cost_ms.mean() - slope * centred
    error = float(np.sqrt(residual @ residual / (len(cost_ms) - 2) / (centred @ centred)))
    return Trend(
        first_ms=float(cost_ms[:n_end].mean()),
        last_ms=float(cost_ms[-n_end:].mean()),
        slope_us=1000 * slope,
        slope_error_us=1000 * error,
    )


def engine_figures(one: SampledSweep, two: SampledSweep) -> list[Figure]:
    """What one and two workers cost, and whether the cost grows."""
    figures = [
        Figure(
            name="engine, one worker",
            value=1000 * one.seconds_per_replicate,
            unit="ms/replicate",
            at_most=20.0,
            note=f"wall, first claim to last trial told, {one.n_replicates} replicates, start-up left out",
        ),
        Figure(
            name="engine, one worker, CPU",
            value=1000 * one.cpu_seconds_per_replicate,
            unit="ms/replicate",
            note="of the worker process, the same stretch",
        ),
        Figure(
            name="two workers / one worker",
            value=two.steady_throughput / one.steady_throughput,
            unit="x throughput",
            at_least=1.5,
            note=f"from when all workers are at work to the last claim; {two.n_replicates} replicates with two",
        ),
        Figure(
            name="engine, two workers, CPU",
            value=1000 * two.cpu_seconds_per_replicate,
            unit="ms/replicate",
            note="of both workers together",
        ),
    ]
    for is_cpu, kind in ((True, "CPU"), (False, "wall")):
        trend = trend_of(one, is_cpu=is_cpu)
        figures.append(
            Figure(
                name=f"cost at the end / at the beginning, {kind}",
                value=trend.ratio,
                at_most=1.1 if is_cpu else None,  # 10 %: samples of CPU time are 10 ms apart, and noise
                note=f"{trend.last_ms:.2f} / {trend.first_ms:.2f} ms; slope {trend.slope_us:.2f} +- "
                f"{trend.slope_error_us:.2f} us per replicate and 1 before it",
            )
        )
    return figures


def main(
    *,
    replicates: int = 3000,
    two_worker_replicates: int = 1500,
    fluent_trials: int = 50,
    mlflow_runs: int = 4,
    json_path: Path | None = None,
) -> None:
    """Compare the three ways, in one run on this machine.

    Args:
        replicates: through the engine with one worker.
        two_worker_replicates: through the engine with two workers.
        fluent_trials: trials of three replicates through Optuna and the fluent API.
        mlflow_runs: calls of `mlflow run`; seconds each.
        json_path: write the figures here too.
    """
    one = measure_engine(replicates, 1)
    two = measure_engine(two_worker_replicates, 2)
    with_intervals = measure_fluent(fluent_trials, has_intervals=True)
    without_intervals = measure_fluent(fluent_trials, has_intervals=False)
    mlflow_run = measure_mlflow_run(mlflow_runs)
    ours = one.seconds_per_replicate
    fluent, bare = (float(np.mean(w["wall_seconds"])) for w in (with_intervals, without_intervals))
    called = float(np.median(mlflow_run))
    fluent_cpu = float(np.mean(with_intervals["cpu_seconds"]))
    figures = [
        *engine_figures(one, two),
        Figure(name="fluent way", value=1000 * fluent, unit="ms/replicate", note="the same record, intervals too"),
        Figure(name="fluent way, CPU", value=1000 * fluent_cpu, unit="ms/replicate"),
        Figure(name="fluent way without intervals", value=1000 * bare, unit="ms/replicate"),
        Figure(name="mlflow run", value=1000 * called, unit="ms/replicate", note=f"median of {mlflow_runs} calls"),
        Figure(name="fluent way / engine", value=fluent / ours, unit="x", at_least=5.0),
        Figure(name="fluent way without intervals / engine", value=bare / ours, unit="x", note="engine with them"),
        Figure(name="mlflow run / engine", value=called / ours, unit="x", at_least=150.0),
    ]
    publish("Overhead per replicate", figures, json_path)


if __name__ == "__main__":
    auto_cli(main)
