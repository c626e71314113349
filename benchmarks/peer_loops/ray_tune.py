"""Search by Ray Tune with its MLflow callback; a killed search is restored from its folder, as Ray's guide says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback

from benchmarks.peer_loops import SEED, asked, condition_of, train

FOLDER = Path("ray_results").resolve()


def trainable(config: dict[str, Any]) -> None:
    """Report ten times."""
    for _, metrics in train(config["a"], config["b"]):
        tune.report(metrics)


def main() -> None:
    """Search the grid, so many trials at once as the cluster has CPUs."""
    grid = asked()
    ray.init(num_cpus=grid.workers, include_dashboard=False, log_to_driver=False)
    space = {**condition_of(0, 0), "a": tune.grid_search(grid.a), "b": tune.grid_search(grid.b), "seed": SEED}
    path = str(FOLDER / "grid")
    if tune.Tuner.can_restore(path):
        tuner = tune.Tuner.restore(path, trainable, resume_unfinished=True, resume_errored=True)
    else:
        logger = MLflowLoggerCallback(tracking_uri=os.environ["MLFLOW_TRACKING_URI"], experiment_name="ray")
        tuner = tune.Tuner(
            trainable,
            param_space=space,
            tune_config=tune.TuneConfig(metric="val_loss", mode="min", num_samples=1),
            run_config=tune.RunConfig(name="grid", storage_path=str(FOLDER), callbacks=[logger], verbose=0),
        )
    tuner.fit()


if __name__ == "__main__":
    main()
