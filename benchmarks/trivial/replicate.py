"""Run one replicate as a separate process, as `mlflow run` starts it, and log by the fluent API."""

from __future__ import annotations

import sys

import mlflow

from . import PARAMETERS, curve


def main(arguments: list[str]) -> None:
    """Log two curves and the final number to the run that `mlflow run` has made."""
    given = {key.removeprefix("--"): value for key, value in zip(arguments[::2], arguments[1::2], strict=True)}
    condition = {name: float(given[name]) for name in PARAMETERS}
    with mlflow.start_run():
        final = float("nan")
        for step, metrics in curve(condition, int(given["seed"])):
            mlflow.log_metrics(metrics, step=step)
            final = metrics["val_loss"]
        mlflow.log_metric("objective", final)


if __name__ == "__main__":
    main(sys.argv[1:])
