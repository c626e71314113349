"""The command `sweep`: several files, a target in place of a file, JSON lines, nothing kept, and exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rothamsted.cli.main import main
from rothamsted.inventory.sweeps import list_sweeps
from tests.inventory.test_listed import TWO
from tests.sweeping.conftest import Project

HERE = "execution.executor=in_process"
FUNCTION = "import random\n\n\ndef bowl(seed: int, x: float = 0.0):\n    return (x - 1) ** 2 + random.gauss(0, 0.01)\n"


def test_several_files_run_one_after_the_other_and_end_with_a_summary(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project.root / "two"
    folder.mkdir()
    for name in ("a", "b"):
        project.write({**TWO, "name": name}).rename(folder / f"{name}.yaml")
    (folder / "c.yaml").write_text("name: c\nstudy: nothing\n")
    assert main(["sweep", "--all", str(folder), HERE]) == 2  # the worst: a mistake in c.yaml
    told = capsys.readouterr()
    rows = [line for line in told.out.splitlines() if "(status " in line]
    assert [row.split(", ")[0].removeprefix(f"{folder}/") for row in rows] == [
        "a.yaml  done (status 0)",
        "b.yaml  done (status 0)",
        "c.yaml  not started: a mistake (status 2)",
    ]
    assert told.err.startswith("error: ")
    listed = list_sweeps(uri=project.tracking_uri, storage=project.storage)
    assert {one.name: one.state for one in listed} == {"a": "finished", "b": "finished"}


def test_a_function_is_swept_by_keys_alone_and_leaves_nothing_behind(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bowl.py").write_text(FUNCTION)
    before = sorted(project.root.iterdir())
    words = ["sweep", "bowl.py:bowl", "space=x=0.0,1.0", "direction=minimize", HERE, "execution.workers=1"]
    assert main([*words, "--no-save", "--json"]) == 0
    told = capsys.readouterr()
    lines = [json.loads(line) for line in told.out.splitlines()]
    result = lines[-1]
    assert (result["event"], result["metric"], result["exit_status"]) == ("result", "value", 0)
    best = result["conditions"][0]
    assert (best["values"], best["n"], best["rank"]) == ({"x": 1.0}, 3, 1)  # (1 - 1)^2 is the least
    assert [line["outcome"] for line in lines if line["event"] == "replicate_ended"] == ["finished"] * 6
    assert [line["values"] for line in lines if line["event"] == "condition_ended"] == [{"x": 0.0}, {"x": 1.0}]
    assert "nothing is kept" in told.err
    assert [path for path in sorted(project.root.iterdir()) if path.name != "__pycache__"] == before
    assert list_sweeps(uri=project.tracking_uri, storage=project.storage) == []


def test_quiet_prints_the_best_condition_alone(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", str(project.write(TWO)), HERE, "-q"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("toys: val_loss ")
    assert line.endswith(" at lr=1")


def test_a_sweep_whose_time_is_over_is_not_done_yet(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(project.write({**TWO, "timeout": 1e-6}))
    assert main(["sweep", config, HERE]) == 3
    assert "give the same command again to go on" in capsys.readouterr().out
    assert main(["sweep", config, HERE, "timeout=1h"]) == 0


def test_a_first_file_for_a_script_is_written_checked_and_swept(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bowl.py").write_text(FUNCTION.replace("x: float = 0.0", "lr: float = 0.1, x: float = 0.0"))
    assert main(["init", "bowl.py"]) == 0
    assert "next: rothamsted check bowl-first.yaml" in capsys.readouterr().out
    assert main(["check", "bowl-first.yaml", "--no-time"]) == 0


def test_files_of_others_pass_the_check_where_all_was_translated(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("train.py").write_text("print(1)\n")
    Path("wandb.yaml").write_text(
        "program: train.py\nmethod: random\nmetric: {name: loss, goal: minimize}\nrun_cap: 9\n"
        "parameters: {lr: {min: 0.0, max: 1.0}, n: {values: [1, 2]}}\n"
        "early_terminate: {type: hyperband, min_iter: 3}\n"
    )
    assert main(["init", "wandb.yaml", "from=wandb", "output=w.yaml"]) == 0
    Path("app.py").write_text("import hydra\n\n\n@hydra.main(config_name='conf')\ndef main(cfg): ...\n")
    Path("conf.yaml").write_text(
        "hydra: {sweeper: {_target_: hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper, n_trials: 5,"
        " params: {lr: 'interval(0.0,1.0)', opt: 'choice(a,b)'}}}\n"
    )
    assert main(["init", "conf.yaml", "--from", "hydra", "--output", "h.yaml"]) == 0
    Path("opt.py").write_text("def objective(trial):\n    return trial.suggest_float('x', 0.0, 1.0)\n")
    assert main(["init", "opt.py", "from=optuna", "output=o.yaml"]) == 0
    said = capsys.readouterr().out
    assert said.count("next: rothamsted check") == 3
    for name in ("w.yaml", "h.yaml", "o.yaml"):
        assert main(["check", name, "--no-time"]) == 0
