"""Run the trivial objective as most people write it: Optuna on SQLite, nested MLflow runs by the fluent API.

It runs as a separate program (`python -m benchmarks.fluent_loop`), because both libraries keep global state. It prints
the wall and CPU seconds of each trial as one line of JSON.
"""

from __future__ import annotations

import json
import time
from statistics import mean

import mlflow
import numpy as np
import optuna
from jsonargparse import auto_cli

from benchmarks.trivial import PARAMETERS, curve
from rothamsted.statistics import SUMMARY_KEYS, summarize

Curves = list[dict[int, dict[str, float]]]  # of each replicate: step -> metrics


def main(*, trials: int, replicates: int = 3, storage: str = "sqlite:///fluent.db", intervals: bool = True) -> None:
    """Run the loop.

    Args:
        trials: how many conditions.
        replicates: how often each is run, at seeds 0, 1, ...
        storage: Optuna's database.
        intervals: whether mean, interval, ... at each step are written back to the trial's run.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    mlflow.set_experiment("fluent")
    search = optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler(seed=0))
    wall, cpu = [], []
    with mlflow.start_run(run_name="sweep"):
        for _ in range(trials):
            began = time.perf_counter(), time.process_time()
            _run_trial(search, replicates, intervals)
            wall.append(time.perf_counter() - began[0])
            cpu.append(time.process_time() - began[1])
    print(json.dumps({"wall_seconds": wall, "cpu_seconds": cpu}))


def _run_trial(search: optuna.Study, n_replicates: int, has_intervals: bool) -> None:
    trial = search.ask()
    condition = {name: trial.suggest_float(name, 0.0, 1.0) for name in PARAMETERS}
    curves, finals = [], []
    with mlflow.start_run(run_name=f"trial {trial.number}", nested=True):
        mlflow.log_params(condition)
        for seed in range(n_replicates):
            with mlflow.start_run(run_name=f"replicate {seed}", nested=True):
                mlflow.log_params({**condition, "seed": seed})
                points = dict(curve(condition, seed))
                for step, metrics in points.items():
                    mlflow.log_metrics(metrics, step=step)
                finals.append(list(points.values())[-1]["val_loss"])
                mlflow.log_metric("objective", finals[-1])
                curves.append(points)
        if has_intervals:
            _log_intervals(curves)
        mlflow.log_metric("objective/mean", mean(finals))
    search.tell(trial, mean(finals))


def _log_intervals(curves: Curves) -> None:
    for step, first in curves[0].items():
        summaries = {}
        for name in first:
            summary = summarize(np.array([[points[step][name]] for points in curves]))
            summaries |= {f"{name}/{key}": float(summary[key][0]) for key in SUMMARY_KEYS}
        mlflow.log_metrics(summaries, step=step)


if __name__ == "__main__":
    auto_cli(main)
