"""Train once, as a process of its own, for `mlflow run` and phasesweep: logs by the fluent API.

Called as `one_run.py A B`, or `one_run.py --a=A --b=B`; phasesweep reads the loss from a file.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import mlflow

from benchmarks.peer_loops import SEED, condition_of, train


def log(a: float, b: float) -> float:
    """Log one run; return its last loss."""
    loss = float("nan")
    with mlflow.start_run():
        mlflow.log_params({**condition_of(a, b), "seed": SEED})
        for step, metrics in train(a, b):
            mlflow.log_metrics(metrics, step=step)
            loss = metrics["val_loss"]
    return loss


if __name__ == "__main__":
    a, b = (float(word.split("=")[-1]) for word in sys.argv[1:])
    loss = log(a, b)
    if folder := os.environ.get("PHASESWEEP_TRIAL_DIR"):
        (Path(folder) / "result.json").write_text(json.dumps({"val_loss": loss}), encoding="utf-8")
