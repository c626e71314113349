"""Measure the milliseconds of bookkeeping per replicate: `mlflow run`, MLflow's fluent API, and this engine.

The training costs nothing, so all that is measured is overhead.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
MOST_GROWTH = 1.15  # last 300 replicates over first 300 by CPU time; one sweep alone is off by about 20 %


@dataclass(frozen=True, kw_only=True)
class Trend:
    """Says how the cost of a replicate changes over one sweep, by CPU and by wall time."""

    first_ms: float  # mean over the first stretch, after warming
    last_ms: float  # mean over the last stretch
    slope_us: float  # microseconds per replicate and replicate before it, least squares

    @property
    def ratio(self) -> float:
        """Return cost at the end over cost at the beginning."""
        return self.last_ms / self.first_ms


def sweep_document(n_replicates: int, n_workers: int) -> dict[str, Any]:
    """Return a random search over the trivial objective, with about so many replicates."""
    return {
        "name": "overhead",
        "study": "trivial",
        "space": {name: {"low": 0.0, "high": 1.0} for name in PARAMETERS},
        "objective": {"metric": "val_loss", "direction": "minimize", "reduce": "last"},
        "sampler": {"name": "random", "seed": 0},
        "trials": max(1, round(n_replicates / N_REPLICATES_A_TRIAL)),
        "replicates": {"count": N_REPLICATES_A_TRIAL},
        "execution": {"workers": n_workers, "report": False},
    }


def measure_engine(n_replicates: int, n_workers: int) -> SampledSweep:
    """Measure the engine: one sweep, its own worker processes."""
    with benchmark_project(TRIVIAL) as project:
        return run_sampled(project, sweep_document(n_replicates, n_workers))


def measure_fluent(n_trials: int, *, has_intervals: bool) -> dict[str, np.ndarray]:
    """Measure the fluent way: wall and CPU seconds per replicate, (trial,) each, in a process that has imported all."""
    with benchmark_project(TRIVIAL) as project:
        arguments = ["--trials", str(n_trials), "--replicates", str(N_REPLICATES_A_TRIAL)]
        output = project.run("benchmarks.fluent_loop", *arguments, "--intervals", str(has_intervals).lower())
    seconds: Mapping[str, list[float]] = json.loads(output.strip().splitlines()[-1])
    return {name: np.array(values) / N_REPLICATES_A_TRIAL for name, values in seconds.items()}


def measure_mlflow_run(n_calls: int) -> np.ndarray:
    """Time `mlflow run --env-manager local` per replicate: wall seconds, (call,); migrating the store is left out."""
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
    """Return the trend over a sweep of one worker: a trial costs from its claim to the next one's."""
    at = sweep.claimed[min(N_TRIALS_TO_WARM, len(sweep.claimed) // 4) :]
    if is_cpu:
        at = sweep.workers[0].cpu_at(at)
    cost_ms = 1000 * np.diff(at) / sweep.n_replicates_a_trial
    n_end = min(N_TRIALS_AT_AN_END, len(cost_ms) // 2)
    index = sweep.n_replicates_a_trial * np.arange(len(cost_ms))
    centred = index - index.mean()
    slope = float(centred @ cost_ms / (centred @ centred))
    return Trend(
        first_ms=float(cost_ms[:n_end].mean()),
        last_ms=float(cost_ms[-n_end:].mean()),
        slope_us=1000 * slope,
    )


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Says what a second worker brings, and what this machine lets a second process bring at all."""

    two_workers: np.ndarray  # (round,) throughput of two workers of one sweep over that of one
    two_sweeps: np.ndarray  # (round,) of two sweeps at once that share no database, one worker each: the ceiling


def measure_scaling(n_replicates: int, n_rounds: int) -> Scaling:
    """Measure one worker, two workers, and two sweeps that share nothing: one after the other, each time."""
    rounds = [_measure_round(n_replicates) for _ in range(n_rounds)]
    return Scaling(
        two_workers=np.array([two / one for one, two, _ in rounds]),
        two_sweeps=np.array([apart / one for one, _, apart in rounds]),
    )


def _measure_round(n_replicates: int) -> tuple[float, float, float]:
    one, two = (measure_engine(n_replicates, n).steady_throughput for n in (1, 2))
    with ThreadPoolExecutor(2) as pool:
        apart = list(pool.map(measure_engine, (n_replicates, n_replicates), (1, 1)))
    return one, two, sum(sweep.steady_throughput for sweep in apart)


def engine_figures(sweeps: Sequence[SampledSweep], scaling: Scaling) -> list[Figure]:
    """Return what a replicate costs through the engine, what a second worker brings, and whether the cost grows."""
    one = sorted(sweeps, key=lambda sweep: sweep.seconds_per_replicate)[len(sweeps) // 2]
    return [
        Figure(
            name="engine, one worker",
            value=1000 * one.seconds_per_replicate,
            unit="ms/replicate",
            at_most=20.0,
            note=f"first claim to last trial told, {one.n_replicates} replicates, intervals written back",
        ),
        Figure(
            name="engine, one worker, CPU",
            value=1000 * one.cpu_seconds_per_replicate,
            unit="ms/replicate",
            note="of the worker process, in the same stretch",
        ),
        Figure(name="engine, start-up", value=one.startup_seconds, unit="s", note="command to first claim"),
        Figure(name="engine, closing", value=one.closing_seconds, unit="s", note="last trial told to the end"),
        Figure(
            name="two workers / one worker",
            value=float(np.median(scaling.two_workers)),
            unit="x throughput",
            at_least=1.5,
            note=f"while both work; median of {_listed(scaling.two_workers)}",
        ),
        Figure(
            name="two sweeps that share nothing / one worker",
            value=float(np.median(scaling.two_sweeps)),
            unit="x throughput",
            note=f"the most this machine gives a second process; median of {_listed(scaling.two_sweeps)}",
        ),
        *(_trend_figure([trend_of(sweep, is_cpu=is_cpu) for sweep in sweeps], is_cpu) for is_cpu in (True, False)),
    ]


def comparison_figures(
    engine_seconds: float, fluent: Mapping[str, np.ndarray], bare: Mapping[str, np.ndarray], mlflow_run: np.ndarray
) -> list[Figure]:
    """Return figures of the other two ways, and how many times the engine's seconds per replicate they take."""
    wall, bare_wall = float(fluent["wall_seconds"].mean()), float(bare["wall_seconds"].mean())
    cpu, called = float(fluent["cpu_seconds"].mean()), float(np.median(mlflow_run))
    unit = "ms/replicate"
    return [
        Figure(name="fluent way", value=1000 * wall, unit=unit, note="intervals written back, too"),
        Figure(name="fluent way, CPU", value=1000 * cpu, unit=unit),
        Figure(name="fluent way without intervals", value=1000 * bare_wall, unit=unit),
        Figure(name="mlflow run", value=1000 * called, unit=unit, note=f"median of {len(mlflow_run)} calls"),
        Figure(name="fluent way / engine", value=wall / engine_seconds, unit="x", at_least=5.0),
        Figure(
            name="fluent way without intervals / engine",
            value=bare_wall / engine_seconds,
            unit="x",
            note="the engine with intervals",
        ),
        Figure(name="mlflow run / engine", value=called / engine_seconds, unit="x", at_least=150.0),
    ]


def main(
    *,
    replicates: int = 3000,
    sweeps: int = 5,
    scaling_replicates: int = 1500,
    rounds: int = 4,
    fluent_trials: int = 20,
    mlflow_runs: int = 4,
    json_path: Path | None = None,
) -> None:
    """Compare the three ways, in one run on this machine.

    Args:
        replicates: through the engine with one worker; the trend is measured over these.
        sweeps: how many such sweeps; the median of cost and of growth counts.
        scaling_replicates: in each sweep that compares one worker with two.
        rounds: how many such comparisons; their median counts.
        fluent_trials: trials of three replicates through Optuna and the fluent API.
        mlflow_runs: calls of `mlflow run`; seconds each.
        json_path: write the figures here too.
    """
    alone = [measure_engine(replicates, 1) for _ in range(sweeps)]
    scaling = measure_scaling(scaling_replicates, rounds)
    fluent = measure_fluent(fluent_trials, has_intervals=True)
    bare = measure_fluent(fluent_trials, has_intervals=False)
    mlflow_run = measure_mlflow_run(mlflow_runs)
    figures = engine_figures(alone, scaling)
    figures += comparison_figures(figures[0].value / 1000, fluent, bare, mlflow_run)
    publish("Overhead per replicate", figures, json_path)


def _trend_figure(trends: Sequence[Trend], is_cpu: bool) -> Figure:
    ratios = [trend.ratio for trend in trends]
    return Figure(
        name=f"cost at the end / at the beginning, {'CPU' if is_cpu else 'wall'}",
        value=float(np.median(ratios)),
        at_most=MOST_GROWTH if is_cpu else None,
        note=f"median of {_listed(ratios)}; mean slope {np.mean([trend.slope_us for trend in trends]):.2f} "
        "us per replicate and replicate before it",
    )


def _listed(ratios: Iterable[float]) -> str:
    return ", ".join(f"{ratio:.2f}" for ratio in ratios)


if __name__ == "__main__":
    auto_cli(main)
