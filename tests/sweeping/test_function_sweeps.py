"""Sweeps of functions: by a file that names a script, with workers that get the function by value, models, copies."""

from __future__ import annotations

import subprocess
import sys
import threading
from io import StringIO
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from rich.console import Console

from rothamsted import UserError, tags
from rothamsted.records import RunStatus
from rothamsted.studies.function import as_study
from rothamsted.studies.function.by_value import read_function
from rothamsted.studies.source_code import code_digest
from rothamsted.sweeping.open.check import print_plan
from rothamsted.sweeping.open.from_file import load
from rothamsted.tracking import FoundRun, find_runs
from tests.sweeping.conftest import Project

SCRIPT = """
from pathlib import Path

import numpy as np

from rothamsted import report, study

with Path("imported.txt").open("a") as file:
    file.write("once\\n")
SCALE = 2.0


@study
def train(seed: int, x: float = 0.0, steps: int = 3):
    print("training", x)
    for step in range(steps):
        report(loss=SCALE * x / (step + 1) + 1e-3 * np.random.rand(), artifacts={"note.txt": f"x {x}"})
"""
SWEEP: dict[str, Any] = {
    "name": "functions",
    "study": "train.py:train",
    "parameters": None,
    "space": {"x": [1.0, 3.0]},
    "objective": {"metric": "loss", "direction": "minimize", "reduce": "last"},
    "replicates": {"count": 2},
    "execution": {"artifacts": True},
}


@pytest.fixture
def script(project: Project) -> Project:
    """A project's folder with a script in it."""
    (project.root / "train.py").write_text(SCRIPT + "\n\ntrain.main()\n")
    return project


def replicates(project: Project) -> list[FoundRun]:
    found = find_runs(None, {}, uri=project.tracking_uri)
    return sorted((run for run in found if tags.REPLICATE in run.tags), key=lambda run: run.run_id)


def test_a_sweep_file_names_a_scripts_function_whose_main_does_not_run(script: Project) -> None:
    opened = script.start(SWEEP)
    script.work(opened)
    runs = replicates(script)
    assert [run.status for run in runs] == [RunStatus.FINISHED] * 4
    # By hand: SCALE * x / 3 of the last step, and noise of at most 0.001.
    lasts = sorted(run.metrics["loss"] for run in runs)
    assert lasts == pytest.approx([2 / 3, 2 / 3, 2, 2], abs=1e-3)
    assert len(set(lasts)) == 4
    client = mlflow.MlflowClient(script.tracking_uri)
    files = {one.path for one in client.list_artifacts(runs[0].run_id)}
    assert {"output.txt", "note.txt"} <= files
    path = client.download_artifacts(runs[0].run_id, "output.txt")
    assert Path(path).read_text().startswith("training ")


def test_a_script_with_one_study_is_named_alone_and_a_wrong_name_gets_the_known_ones(script: Project) -> None:
    assert load(script.write({**SWEEP, "study": "train.py"}), {}, script.root)[1].name == "train"
    with pytest.raises(UserError, match=r"has no 'tran'; did you mean train\? known: train"):
        load(script.write({**SWEEP, "study": "train.py:tran"}), {}, script.root)
    with pytest.raises(UserError, match=r"there is no such script; give the path of one"):
        load(script.write({**SWEEP, "study": "missing.py:train"}), {}, script.root)


def test_a_parameter_that_nobody_gives_is_named(script: Project) -> None:
    (script.root / "needs.py").write_text("def f(seed, lr, x=0.0):\n    return lr\n")
    with pytest.raises(UserError, match="lr of f has no default and must be given"):
        load(script.write({**SWEEP, "study": "needs.py:f"}), {}, script.root)


def test_two_seeds_with_equal_bits_stop_the_sweep_with_what_to_do(script: Project) -> None:
    (script.root / "fixed.py").write_text("def f(seed, x=0.0):\n    return x\n")
    changes = {**SWEEP, "study": "fixed.py:f", "objective": {**SWEEP["objective"], "metric": "value"}}
    with pytest.raises(UserError, match=r"seeds 0 and 1 gave the same bits.*pass seed to what is random.*count: 1"):
        script.work(script.start(changes))


def test_a_function_that_never_depends_on_its_seed_is_swept_with_one_replicate(script: Project) -> None:
    (script.root / "fixed.py").write_text("def f(seed, x=0.0):\n    return x\n")
    objective = {**SWEEP["objective"], "metric": "value"}
    opened = script.start({**SWEEP, "study": "fixed.py:f", "objective": objective, "replicates": {"count": 1}})
    script.work(opened)
    assert [run.metrics["value"] for run in replicates(script)] == [1.0, 3.0]


def test_an_objective_that_is_not_finite_at_the_end_is_diverged_and_a_raise_has_failed(script: Project) -> None:
    text = "def f(seed, x=0.0):\n    if x > 2:\n        raise ValueError('too far')\n    return float('nan')\n"
    (script.root / "bad.py").write_text(text)
    objective = {**SWEEP["objective"], "metric": "value"}
    opened = script.start({**SWEEP, "study": "bad.py:f", "objective": objective})
    script.work(opened)
    outcomes = [run.tags[tags.OUTCOME] for run in replicates(script)]
    assert outcomes == ["diverged", "diverged", "failed", "failed"]
    assert replicates(script)[-1].tags[tags.REASON] == "ValueError: too far (bad.py, line 3)"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("    return np.random.default_rng().normal()", "value at step 1 was"),
        (
            "    for e in range(state['e'] if state else 0, 4):\n        report(value=np.random.rand() + (0.5 if state"
            " else 0), state={'e': e + 1})",
            "stopped and gone on with, value at step 3 was",
        ),
    ],
)
def test_check_says_what_is_not_the_same_when_it_is_trained_again(script: Project, code: str, said: str) -> None:
    header = "import numpy as np\nfrom rothamsted import report\n\ndef f(seed, x=0.0, state=None):\n"
    (script.root / "again.py").write_text(header + code + "\n")
    objective = {**SWEEP["objective"], "metric": "value"}
    spec, study = load(script.write({**SWEEP, "study": "again.py:f", "objective": objective}), {}, script.root)
    screen = StringIO()
    print_plan(spec, study, console=Console(file=screen, width=200))
    assert "repeated:       not the same: see below" in screen.getvalue()
    assert said in screen.getvalue()


def test_a_scripts_function_reaches_spawned_workers_by_value_and_the_script_runs_once(script: Project) -> None:
    path = script.write({**SWEEP, "execution": {"workers": 2}})
    program = f"\nfrom rothamsted.cli.main import main\nmain(['sweep', '--config', {str(path)!r}])\n"
    (script.root / "train.py").write_text(SCRIPT + program)
    command = [sys.executable, "train.py"]
    done = subprocess.run(
        command, env=script.environment(), cwd=script.root, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (script.root / "imported.txt").read_text() == "once\n"
    assert [run.status for run in replicates(script)] == [RunStatus.FINISHED] * 4
    assert not list(script.root.rglob("function.pkl"))


def test_what_cannot_be_sent_to_workers_is_named() -> None:
    lock = threading.Lock()

    def f(seed: int) -> float:
        with lock:
            return 1.0

    function = as_study(f).function
    assert function is not None
    with pytest.raises(
        UserError, match=r"study 'f': the workers cannot be given lock, a value of type lock that it uses"
    ):
        function.pickled()


def test_a_function_that_cannot_be_read_by_a_worker_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the study's function cannot be read by a worker"):
        read_function(str(tmp_path / "function.pkl"))


def test_the_codes_digest_follows_what_the_function_uses_and_nothing_else(script: Project) -> None:
    def digest(text: str, name: str) -> str:
        (script.root / name).write_text(text)
        return code_digest(f"{name}:f", script.root)

    base = "SCALE = 2.0\nOTHER = 1\n\ndef inner(x):\n    return x * SCALE\n\ndef f(seed, x=0.0):\n    return inner(x)\n"
    first = digest(base, "a.py")
    assert digest(base.replace("OTHER = 1", "OTHER = 2"), "b.py") == first
    assert digest(base.replace("x * SCALE", "x + SCALE"), "c.py") != first
    assert digest(base.replace("SCALE = 2.0", "SCALE = 3.0"), "d.py") != first


def test_models_of_scikit_learn_and_torch_are_logged_and_load_as_functions(script: Project) -> None:
    text = """
import numpy as np
import torch
from sklearn.linear_model import LinearRegression

X = np.linspace(0, 1, 8)[:, None]


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(1, 1)

    def forward(self, x):
        return self.line(x)


def f(seed, kind="sklearn"):
    if kind == "sklearn":
        return np.random.rand(), (LinearRegression().fit(X, 2 * X[:, 0]), X[:2])
    return np.random.rand(), (Net(), np.zeros((2, 1), np.float32))
"""
    (script.root / "models.py").write_text(text)
    changes = {"space": {"kind": ["sklearn", "torch"]}, "objective": {**SWEEP["objective"], "metric": "value"}}
    opened = script.start({**SWEEP, **changes, "study": "models.py:f", "replicates": {"count": 1}, "models": "all"})
    script.work(opened)
    notes = [{k: v for k, v in run.tags.items() if "model" in k} for run in replicates(script)]
    assert all(tags.MODEL in note for note in notes), notes
    lines, net = (mlflow.pyfunc.load_model(note[tags.MODEL]) for note in notes)
    assert lines.predict(np.array([[0.5]])) == pytest.approx([1.0])
    assert np.shape(net.predict(np.zeros((3, 1), np.float32))) == (3, 1)


def test_any_other_model_is_logged_as_a_python_model_of_mlflow_and_else_says_so_in_a_line(script: Project) -> None:
    text = """
import mlflow
import numpy as np


class Threshold:
    at = 0.5


class Asked(mlflow.pyfunc.PythonModel):
    pip_requirements = ("numpy",)

    def __init__(self, own):
        self.own = own

    def predict(self, context, model_input, params=None):
        return np.asarray(model_input) > self.own.at


def f(seed, kind="plain"):
    own = Threshold()
    return np.random.rand(), own if kind == "plain" else (Asked(own), np.zeros((2, 1)))
"""
    (script.root / "others.py").write_text(text)
    changes = {"space": {"kind": ["plain", "asked"]}, "objective": {**SWEEP["objective"], "metric": "value"}}
    script.work(script.start({**SWEEP, **changes, "study": "others.py:f", "replicates": {"count": 1}, "models": "all"}))
    plain, asked = (run.tags for run in replicates(script))
    # The way out is the one that the other replicate takes.
    assert plain[tags.MODEL_PROBLEM].startswith(
        "is a Threshold, which no flavour of MLflow can log; return a scikit-learn estimator"
    )
    assert "mlflow.pyfunc.PythonModel" in plain[tags.MODEL_PROBLEM]
    assert tags.MODEL not in plain
    model = mlflow.pyfunc.load_model(asked[tags.MODEL])
    assert model.predict(np.array([[0.4], [0.6]])).tolist() == [[False], [True]]
    assert model.metadata.signature is not None
