"""Search by Optuna with MLflow as its storage (`mlflow.optuna.storage`): a trial is a run, and has the curves."""

from __future__ import annotations

import mlflow
import optuna
from mlflow.optuna.storage import MlflowStorage

from benchmarks.peer_loops import SEED, asked, condition_of, in_processes, train


def objective(trial: optuna.Trial) -> float:
    """Train in the trial's own run; parameters that are searched are in it already."""
    a, b = trial.suggest_float("a", 0, 1), trial.suggest_float("b", 0, 1)
    run_id = str(trial._trial_id)
    others = {name: value for name, value in condition_of(a, b).items() if name not in trial.params}
    for name, value in {**others, "seed": SEED}.items():
        mlflow.MlflowClient().log_param(run_id, name, value)
    loss = float("nan")
    for step, metrics in train(a, b):
        mlflow.log_metrics(metrics, step=step, run_id=run_id)
        loss = metrics["val_loss"]
    return loss


def main() -> None:
    """Search the grid; several workers are several processes."""
    grid = asked()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = MlflowStorage(experiment_id=mlflow.set_experiment("storage").experiment_id)
    sampler = optuna.samplers.GridSampler({"a": grid.a, "b": grid.b}, seed=0)
    if storage.get_study_id_by_name_if_exists("grid"):  # load_if_exists would make a second one of that name
        search = optuna.load_study(study_name="grid", storage=storage, sampler=sampler)
    else:
        search = optuna.create_study(study_name="grid", storage=storage, sampler=sampler)
    if grid.workers > 1:
        storage.flush_all_batches()
        return in_processes(__file__, grid.workers)
    search.optimize(objective)
    storage.flush_all_batches()


if __name__ == "__main__":
    main()
