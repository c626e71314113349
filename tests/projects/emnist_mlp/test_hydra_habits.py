"""Hydra's habits on the command line: every combination, groups of files, the composed config, Optuna's sweeper."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from projects.emnist_mlp.__main__ import STUDY
from projects.emnist_mlp.config import Config
from rothamsted.cli.hydra_search import as_search, sweep_line
from rothamsted.errors import StudyError, UserError
from rothamsted.studies.command_line import ByHand, parse
from rothamsted.studies.fields import flatten
from rothamsted.studies.multirun import combinations, numbered
from rothamsted.sweeping.open.from_file import load
from rothamsted.tracking import find_runs
from tests.conftest import ROOT

CONF = ROOT / "projects" / "emnist_mlp" / "conf"
TINY = ["epochs=1", "evals=1", "batch_size=16", "data.per_class=4", "data.test_per_class=2", "model.hidden_dims=[8]"]


@pytest.fixture
def project(tmp_path: Path, new_mlflow: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(ROOT / "MLproject", tmp_path)
    shutil.copytree(ROOT / "projects", tmp_path / "projects", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", new_mlflow(tmp_path))
    return tmp_path


def config(*words: str) -> Config:
    found = parse(STUDY, words)[0]
    assert isinstance(found, Config)
    return found


def train(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`rothamsted train emnist_mlp WORDS` in a process of its own: a study lies in the project where it is called."""
    line = [sys.executable, "-m", "rothamsted", "train", "emnist_mlp", *words]
    return subprocess.run(line, cwd=project, env=os.environ, capture_output=True, text=True, timeout=550)


def test_every_combination_of_bare_overrides_is_trained(project: Path) -> None:
    # The words of a Hydra user, with a study small enough for a test.
    done = train(project, *["-m", "model.dropout=0.2,0.4", "optimizer.lr=0.001,0.0003"], *TINY)
    assert done.returncode == 0, done.stderr
    trained = {(run.params["model.dropout"], run.params["optimizer.lr"]) for run in find_runs(None, {})}
    assert trained == {("0.2", "0.001"), ("0.2", "0.0003"), ("0.4", "0.001"), ("0.4", "0.0003")}


@pytest.mark.parametrize(
    ("words", "conditions"),
    [
        (["model.hidden_dims=[256,128],[64]"], [["model.hidden_dims=[256, 128]"], ["model.hidden_dims=[64]"]]),
        (["model.hidden_dims='[64]','[8]'"], [["model.hidden_dims=[64]"], ["model.hidden_dims=[8]"]]),
        (["--optimizer.lr=choice(0.1,0.2)"], [["optimizer.lr=0.1"], ["optimizer.lr=0.2"]]),
        (["epochs=range(1,4)"], [["epochs=1"], ["epochs=2"], ["epochs=3"]]),
        (["data=fonts,mnist", "hydra/sweeper=basic"], [["data=fonts"], ["data=mnist"]]),
    ],
)
def test_lists_choices_ranges_and_groups_make_combinations(words: list[str], conditions: list[list[str]]) -> None:
    assert combinations(["-m", *words]) == conditions
    for condition in conditions:
        config(*condition)


def test_each_of_several_runs_has_a_name_and_a_folder_of_its_own() -> None:
    named = numbered(ByHand(name="grid", output=Path("runs/grid"), checkpoint_dir=Path("kept")), 3)
    assert (named.name, named.output, named.checkpoint_dir) == ("grid-3", Path("runs/grid-3"), Path("kept/3"))
    assert numbered(ByHand(output=Path("out")), 0).output == Path("out/0")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["optimizer.lr=interval(0,1)"], r"^-m: optimizer\.lr\.points: .*; to search it, add hydra/sweeper=optuna$"),
        (["hydra/launcher=joblib", "seed=1,2"], r"^-m: hydra/launcher=joblib is a setting of Hydra itself; "),
        (["--no-save"], r"^-m: no field is given; write for example -m lr=0\.1,0\.2$"),
    ],
)
def test_what_is_no_combination_is_refused(words: list[str], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        combinations(["-m", *words])


def test_one_mistake_in_a_combination_is_told_before_anything_is_trained(project: Path) -> None:
    done = train(project, "-m", "optimizer.lr=0.1,-1", *TINY)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: --optimizer.lr of Config: must be greater than or equal to 0, not -1\n"


def test_several_values_without_m_say_what_is_missing() -> None:
    with pytest.raises(StudyError, match=r"not '0\.1,0\.2'; to train each of several values, add -m$"):
        config("optimizer.lr=0.1,0.2")


def test_groups_are_files_that_hydra_composes_and_the_command_line_wins() -> None:
    found = config("data=emnist", "training=long", "data.path=/somewhere", "training.epochs=3")
    assert (found.data.name, found.data.path) == ("emnist", "/somewhere")
    assert (found.epochs, found.evals) == (3, 20)
    assert (found.optimizer.schedule, found.optimizer.warmup_fraction) == ("cosine", 0.05)
    assert config("model=baseline").model.hidden_dims == (128, 128, 128)


@pytest.mark.parametrize("path", sorted((CONF).glob("*/*.yaml")), ids=lambda path: path.stem)
def test_every_file_of_a_group_is_taken(path: Path) -> None:
    assert config(f"{path.parent.name}={path.stem}")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["data=nope"], r"conf: Could not find 'data/nope' Available options in 'data': emnist fonts mnist$"),
        (["data=[1]"], r"^data=\[1\]: names no file of .*conf/data; there are: emnist, fonts, mnist$"),
        *(
            ([f"data={value}"], r"names no file of .*conf/data; there are: emnist, fonts, mnist$")
            for value in ("nan", "NULL", "true", "False", "inf", "[emnist,nan]")
        ),
        (["training=long", "training.nope=1"], r"--training\.nope is not an option"),
    ],
)
def test_a_group_that_cannot_be_composed_is_one_line(words: list[str], reason: str) -> None:
    with pytest.raises(StudyError, match=reason):
        config(*words)


def test_the_names_of_the_original_are_other_names_of_the_fields(tmp_path: Path) -> None:
    wanted = Config.model_validate({"optimizer": {"lr": 0.01, "weight_decay": 0.1}, "epochs": 2})
    names = {"training.optimizer.params.lr": 0.01, "training.optimizer.params.weight_decay": 0.1, "training.epochs": 2}
    words = [f"{name}={value}" for name, value in names.items()]
    file = tmp_path / "original.yaml"
    file.write_text("training:\n  epochs: 2\n  optimizer: {params: {lr: 0.01, weight_decay: 0.1}}\n")
    assert config(*words) == config("--set", " ".join(words)) == config("--config", str(file)) == wanted
    with pytest.raises(StudyError, match=r"epochs and training\.epochs are the same field; give one of the two"):
        config("--set", "epochs=1 training.epochs=2")


def test_cfg_job_prints_the_config_and_trains_nothing(project: Path) -> None:
    done = train(project, *["data=emnist", "training=long", "optimizer.lr=0.1", "--cfg", "job"])
    assert done.returncode == 0, done.stderr
    printed = Config.model_validate(yaml.safe_load(done.stdout))
    assert printed == config("data=emnist", "training=long", "optimizer.lr=0.1")
    assert not (project / "mlruns").exists()


def test_a_config_yaml_of_ones_own_is_the_start_and_its_interpolations_see_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "projects/emnist_mlp/conf", tmp_path / "conf")
    (tmp_path / "conf/config.yaml").write_text(
        "defaults: [training: short, _self_]\ntraining: {batch_size: 32}\nevals: ${epochs}\n"
    )
    monkeypatch.setattr("rothamsted.studies.config_groups.conf_folder", lambda study: tmp_path / "conf")
    (tmp_path / "conf/training/short.yaml").write_text("batch_size: 16\n")
    assert config("epochs=7") == Config(batch_size=32, epochs=7, evals=7)
    with pytest.raises(StudyError, match=r"training\.evals and evals are the same field; give one of the two"):
        config("epochs=7", "training=long")


def test_optuna_as_sweeper_is_a_sweep_by_tpe() -> None:
    words = ["-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=12", "hydra.sweeper.sampler.seed=3"]
    words += ["hydra.sweeper.n_jobs=2", "training.optimizer.params.lr=tag(log,interval(1e-4,1e-1))"]
    words += ["model.dropout=interval(0,0.5)", "model=baseline", "--no-save"]
    search = as_search(words)
    assert search is not None
    assert sweep_line(STUDY, "emnist_mlp", search) == [
        "emnist_mlp",
        "space=optimizer.lr=tag(log,interval(1e-4,1e-1)) model.dropout=interval(0,0.5)",
        "metric=validation/loss",
        "direction=minimize",
        "trials=12",
        "sampler=tpe",
        "sampler.seed=3",
        "execution.workers=2",
        "if_exists=new",
        "model.hidden_dims=[128, 128, 128]",
        "--no-save",
    ]


def test_a_line_of_hydras_optuna_sweeper_is_searched(project: Path) -> None:
    line = ["-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=1"]
    done = train(project, *line, "optimizer.lr=tag(log,interval(1e-4,1e-1))", *TINY)
    assert done.returncode == 0, done.stderr
    assert "the same as: rothamsted sweep emnist_mlp 'space=optimizer.lr=tag(log" in done.stdout
    assert "report: artifact report/report.html of the sweep's run" in done.stdout


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["hydra/sweeper=ax", "seed=1,2"], r"hydra/sweeper=ax is not known; there are: basic, optuna$"),
        (["hydra/sweeper=optuna", "hydra.sweeper.x=1"], r"hydra\.sweeper\.x has no counterpart here; there are: "),
        (["hydra/sweeper=optuna", "epochs=1"], r"no field has several values; write for example 'lr=interval"),
        (
            ["hydra/sweeper=optuna", "data=fonts,mnist"],
            r"data is a config group, .* searches only fields; fix the group$",
        ),
        (["hydra/sweeper=optuna", "seed=1,2", "--name=a"], r"--name=a is only for a run by hand; .* --no-save$"),
    ],
)
def test_what_a_search_cannot_take_is_refused(words: list[str], reason: str) -> None:
    def line() -> list[str]:
        search = as_search(words)
        assert search is not None
        return sweep_line(STUDY, "emnist_mlp", search)

    with pytest.raises(UserError, match=f"^rothamsted train -m: {reason}"):
        line()


@pytest.mark.parametrize("name", ["batch_size", "global_workspace", "image_classifier", "language_model"])
def test_every_study_has_these_habits(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    study = import_module(f"projects.{name}.__main__").STUDY
    lines = combinations(["-m", "seed=1,2", "--no-save"])
    assert [parse(study, line)[0].model_dump()["seed"] for line in lines] == [1, 2]
    with pytest.raises(SystemExit):
        parse(study, ["seed=3", "--cfg", "job"])
    assert yaml.safe_load(capsys.readouterr().out) == parse(study, ["seed=3"])[0].model_dump(mode="json")
    search = as_search(["-m", "hydra/sweeper=optuna", "evals=range(1,4)", "--no-save"])
    assert search is not None
    metric = study.keeps(study.config()).metric
    assert sweep_line(study, name, search)[1:3] == ["space=evals=range(1,4)", f"metric={metric}"]


def test_a_setting_of_hydra_goes_with_m() -> None:
    with pytest.raises(StudyError, match=r"^hydra/sweeper=optuna is a setting of Hydra itself; .* goes with -m"):
        config("hydra/sweeper=optuna")


def test_the_defaults_stand_in_one_place_the_config() -> None:
    # Without a word that names a file nothing is composed.
    assert not (CONF / "config.yaml").exists()
    assert flatten(config()) == flatten(Config())


def test_a_sweep_takes_the_originals_names_and_a_composed_config(project: Path) -> None:
    composed = train(project, "data=emnist", "training=long", "--cfg", "job")
    assert composed.returncode == 0, composed.stderr
    (project / "long.yaml").write_text(composed.stdout)
    (project / "sweep.yaml").write_text(
        "study: emnist_mlp\n"
        "parameters: {training.batch_size: 64, training: {optimizer: {params: {momentum: 0.9}}}}\n"
        "space: {training.optimizer.params.lr: [0.001, 0.003], training.optimizer.name: [sgd, rmsprop]}\n"
        "objective: {metric: validation/loss, direction: minimize}\n"
    )
    given = {"parameters_file": "long.yaml", "training.epochs": "3", "name": "theirs"}
    sweep, _ = load("sweep.yaml", given, project, known={"emnist_mlp": STUDY})
    assert sorted(sweep.space) == ["optimizer.lr", "optimizer.name"]
    wanted = {"batch_size": 64, "optimizer.momentum": 0.9, "epochs": 3, "data.name": "emnist", "evals": 20}
    assert {name: sweep.parameters[name] for name in wanted} == wanted
    assert not [name for name in sweep.parameters if name.startswith("training.")]
