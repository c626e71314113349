"""The number that a sweep reports is that of the weights of the logged model, whatever its objective; all studies.

Each is trained with an objective that is not the one by which it keeps weights by hand, and its logged model is
evaluated anew on the validation rows.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import yaml

from rothamsted import tags
from rothamsted.studies import set_fields
from rothamsted.tracking import find_runs
from tests.conftest import ROOT

pytestmark = pytest.mark.slow  # five sweeps, each in a process that imports PyTorch or JAX

Evaluate = Callable[[Any], float]  # of a loaded model, on validation rows
SMALL_GW = {"data.n_train": 256, "data.n_val": 64, "data.n_test": 64, "data.visual_vae.steps": 20,
            "data.visual_vae.n_items": 200, "model.hidden_dim": 8, "model.n_layers": 0, "training.epochs": 4,
            "training.batch_size": 64, "probe_rows": 128, "evals": 4, "training.optimizer.lr": 2.0}  # fmt: skip


def _batch_size(fields: dict[str, Any]) -> Evaluate:
    from projects.batch_size.config import Config
    from projects.batch_size.data import load_dataset

    data = load_dataset(set_fields(Config, fields).data)
    return lambda model: float(np.mean(model.predict(data.val_x).argmax(1) == data.val_y))


def _emnist_mlp(fields: dict[str, Any]) -> Evaluate:
    from projects.emnist_mlp.config import Config
    from projects.emnist_mlp.data import load_dataset

    rows = load_dataset(set_fields(Config, fields).data).validation
    x = rows.x.reshape(len(rows.x), -1).astype(np.float32) / 255
    return lambda model: float(np.mean(model.predict(x).argmax(1) == rows.y))


def _image_classifier(fields: dict[str, Any]) -> Evaluate:
    from projects.image_classifier.config import Config
    from projects.image_classifier.data.load import load_images

    rows = load_images(set_fields(Config, fields).data).val
    x = rows.images.transpose(0, 2, 3, 1)
    return lambda model: float(np.mean(model.predict(x).argmax(1) == rows.labels))


def _global_workspace(fields: dict[str, Any]) -> Evaluate:
    from projects.global_workspace.config import Config
    from projects.global_workspace.data.load import load_data

    rows = load_data(set_fields(Config, fields).data).validation

    def loss(model: Any) -> float:
        out = model.predict(dict(rows.domains))
        return float(np.mean([np.mean((out[domain] - rows.domains[domain]) ** 2) for domain in rows.domains]))

    return loss


def _language_model(fields: dict[str, Any]) -> Evaluate:
    import torch

    from projects.language_model.config import Config
    from projects.language_model.data import load_tokens
    from projects.language_model.evaluate import validate

    config = set_fields(Config, fields)

    def bits(model: Any) -> float:
        network = model._model_impl._model  # the network, behind MLflow and the served model
        return validate(network, load_tokens(config), config, torch.device("cpu")).bits_per_byte

    return bits


STUDIES: dict[str, tuple[dict[str, Any], dict[str, str], Callable[[dict[str, Any]], Evaluate]]] = {
    "batch_size": (
        {"width": 8, "steps": 60, "evals": 20, "optimizer.lr": 4.0, "data.n_train": 200, "data.n_val": 100},
        {"metric": "val_accuracy", "direction": "maximize"},
        _batch_size,
    ),
    "emnist_mlp": (
        {"data.per_class": 6, "data.test_per_class": 2, "model.hidden_dims": [16], "batch_size": 32, "epochs": 8,
         "evals": 20, "optimizer.lr": 0.05, "pictures": False},
        {"metric": "validation/accuracy", "direction": "maximize"},
        _emnist_mlp,
    ),
    "image_classifier": (
        {"epochs": 8, "batch_size": 10, "data.image_size": 12, "data.n_train": 40, "data.n_val": 30, "model.width": 4,
         "model.blocks": 2, "optimizer.lr": 0.02},
        {"metric": "val_accuracy", "direction": "maximize"},
        _image_classifier,
    ),
    "global_workspace": (
        SMALL_GW, {"metric": "validation/fusion", "direction": "minimize"}, _global_workspace,
    ),
    "language_model": (
        {"vocab_size": 300, "context_length": 16, "d_model": 16, "num_layers": 2, "num_heads": 2, "d_ff": 24,
         "batch_size": 4, "max_iterations": 24, "warmup_iters": 2, "log_interval": 2, "eval_interval": 2,
         "eval_sequences": 8, "sample_tokens": 0, "device": "cpu", "threads": 1, "learning_rate": 0.1},
        {"metric": "val_bits_per_byte", "direction": "minimize"},
        _language_model,
    ),
}  # fmt: skip


@pytest.mark.parametrize("study", STUDIES)
def test_the_logged_model_has_the_number_that_the_sweep_reports(
    study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields, objective, evaluation = STUDIES[study]
    shutil.copytree(ROOT / "projects", tmp_path / "projects", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "MLproject", tmp_path)
    document = {
        "name": "kept", "study": study, "parameters": fields, "models": "all",
        "objective": {**objective, "reduce": "best"}, "replicates": {"count": 2},
        "storage": f"sqlite:///{tmp_path / 'optuna.db'}", "execution": {"workers": 1, "report": False},
    }  # fmt: skip
    name = next(iter(fields))
    document["parameters"] = {key: value for key, value in fields.items() if key != name}
    document["space"] = {name: [fields[name]]}
    path = tmp_path / "sweep.yaml"
    path.write_text("# Question: whose weights are kept?\n" + yaml.safe_dump(document))
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": uri}
    command = [sys.executable, "-m", "rothamsted", "sweep", "--config", str(path)]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    evaluate = evaluation(fields)  # imported before a model puts its own copy of the code in front
    runs = [run for run in find_runs(None, {}, uri=uri) if tags.REPLICATE in run.tags]
    assert len(runs) == 2
    client, before_the_last = mlflow.MlflowClient(uri), 0
    for run in runs:
        curve = [(point.step, point.value) for point in client.get_metric_history(run.run_id, objective["metric"])]
        best = min if objective["direction"] == "minimize" else max
        step, value = best(((s, v) for s, v in curve if s > 0), key=lambda point: point[1])
        assert run.metrics["objective"] == value
        before_the_last += step < curve[-1][0]
        assert run.tags[tags.KEPT] == f"step {step}, best {objective['metric']}"
        model = mlflow.pyfunc.load_model(run.tags[tags.MODEL])
        assert evaluate(model) == pytest.approx(value, rel=1e-6)
        assert any(metric.startswith("test/") for metric in run.metrics)
    assert before_the_last, "the case needs a best step before the last"
