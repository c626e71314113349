"""A name that no file can have is one line of error in every command, whatever the name is of."""

from __future__ import annotations

from pathlib import Path

import pytest

from rothamsted.cli.main import main

LONG = "n" * 300  # file systems take 255
SWEEP = """
name: short
command: python train.py --lr {lr} --seed {seed}
replicates: {count: 2}
objective: {metric: loss, direction: minimize}
space: {lr: [0.1, 0.2]}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "train.py").write_text("print('{\"loss\": 1.0}')\n")
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    monkeypatch.setenv("ROTHAMSTED_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", [LONG, f"{LONG}.yaml", f"a/{LONG}/b.yaml", "/".join(["d" * 200] * 25)])
@pytest.mark.parametrize(
    "line",
    [
        "check {}",
        "sweep {}",
        "sweep sweep.yaml storage=sqlite:///{}",
        "sweep sweep.yaml execution.checkpoint_dir={}",
        "check --all {}",
        "check sweep.yaml project={} command=",
        "report {}",
        "report short folder={}",
        "analyze short export={}",
        "export short folder={}",
        "analyze {} group_by=a metric=b",
        "import_runs source={}",
        "init {} from=wandb",
        "init {} from=hydra",
        "init {} from=optuna",
        "list storage=sqlite:////{}",
        "doctor storage=sqlite:////{}",
        "prune storage=sqlite:////{}",
        "reproduce run={}",
        "train {}",
        "prepare_data {}",
    ],
)
def test_a_name_that_is_too_long_is_one_line(
    line: str, name: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(project.rglob("*"))
    assert main(line.format(name).split()) == 2
    written = capsys.readouterr()
    (said,) = written.err.splitlines()
    assert said.startswith("error: ")
    assert sorted(project.rglob("*")) == before


@pytest.mark.parametrize("variable", ["ROTHAMSTED_HOME", "MLFLOW_TRACKING_URI"])
def test_a_variable_with_a_name_that_is_too_long_is_one_line(
    variable: str, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, f"/{LONG}" if variable == "ROTHAMSTED_HOME" else f"sqlite:////{LONG}")
    assert main(["list"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "File name too long" in said


def test_a_file_in_the_way_of_the_checkpoints_is_said_before_anything_is_made(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", "sweep.yaml", "execution.checkpoint_dir=train.py/here"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"error: execution.checkpoint_dir 'train.py/here': {project / 'train.py'} is a file, and must be a folder; "
        "name another folder"
    ]
    assert not (project / "mlflow.db").exists()
