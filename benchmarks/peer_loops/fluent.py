"""Search by Optuna on SQLite with nested fluent MLflow runs, as most people do; a killed search is loaded again."""

from __future__ import annotations

import mlflow
import optuna

from benchmarks.peer_loops import SEED, asked, condition_of, in_processes, train


def objective(trial: optuna.Trial) -> float:
    """Train one run below the search's."""
    a, b = trial.suggest_float("a", 0, 1), trial.suggest_float("b", 0, 1)
    with mlflow.start_run(run_name=f"trial {trial.number}", nested=True):
        mlflow.log_params({**condition_of(a, b), "seed": SEED})
        loss = float("nan")
        for step, metrics in train(a, b):
            mlflow.log_metrics(metrics, step=step)
            loss = metrics["val_loss"]
    return loss


def main() -> None:
    """Search the grid; several workers are several processes."""
    grid = asked()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    mlflow.set_experiment("fluent")
    search = optuna.create_study(
        storage="sqlite:///optuna.db",
        study_name="grid",
        load_if_exists=True,
        sampler=optuna.samplers.GridSampler({"a": grid.a, "b": grid.b}, seed=0),  # one seed for all processes
    )
    if grid.workers > 1:
        return in_processes(__file__, grid.workers)
    with mlflow.start_run(run_name="search"):
        search.optimize(objective)  # the sampler ends it


if __name__ == "__main__":
    main()
