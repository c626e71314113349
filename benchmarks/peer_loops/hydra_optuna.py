"""Search by Hydra's Optuna sweeper with joblib; a killed sweep is started again on the same storage and study."""

from __future__ import annotations

import sys

import hydra
import mlflow
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig

from benchmarks.peer_loops import SEED, asked, condition_of, train

ConfigStore.instance().store(name="condition", node=condition_of(0.5, 0.5))


@hydra.main(version_base="1.3", config_path=None, config_name="condition")
def objective(condition: DictConfig) -> float:
    """Train one run for each job."""
    mlflow.set_experiment("hydra")
    with mlflow.start_run():
        mlflow.log_params({**condition_of(condition.a, condition.b), "seed": SEED})
        loss = float("nan")
        for step, metrics in train(condition.a, condition.b):
            mlflow.log_metrics(metrics, step=step)
            loss = metrics["val_loss"]
    return loss


def main() -> None:
    """Give Hydra its own words."""
    grid = asked()
    sys.argv[1:] = [
        "--multirun",
        "hydra/sweeper=optuna",
        "hydra/sweeper/sampler=grid",
        "hydra/launcher=joblib",
        "hydra.sweep.dir=multirun",
        f"hydra.launcher.n_jobs={grid.workers}",
        f"hydra.sweeper.n_jobs={grid.workers}",
        f"hydra.sweeper.n_trials={len(grid.cells)}",
        "hydra.sweeper.storage=sqlite:///optuna.db",
        "hydra.sweeper.study_name=grid",
        *(f"{name}=choice({','.join(map(str, values))})" for name, values in (("a", grid.a), ("b", grid.b))),
    ]
    objective()


if __name__ == "__main__":
    main()
