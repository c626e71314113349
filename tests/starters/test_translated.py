"""Files of W&B, Hydra and Optuna become sweep files: what is said there stands here, and what cannot be is named."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml

from rothamsted.cli.main import main
from rothamsted.errors import SpecError, StoreError, UserError
from rothamsted.starters.from_hydra import from_hydra
from rothamsted.starters.from_optuna import from_optuna
from rothamsted.starters.from_optuna_storage import from_optuna_storage
from rothamsted.starters.from_wandb import from_wandb
from rothamsted.starters.starter import NAME_RULE, StarterSweep, write_starter

WANDB = """\
program: train.py
method: bayes
name: my sweep
project: demo
run_cap: 40
metric: {name: val/loss, goal: minimize, target: 0.1}
parameters:
  lr: {distribution: log_uniform_values, min: 1e-5, max: 1e-1}
  layers: {min: 1, max: 5}
  dropout: {distribution: q_uniform, min: 0, max: 0.5, q: 0.1}
  opt: {values: [adam, sgd]}
  epochs: {value: 10}
  noise: {distribution: normal, mu: 0, sigma: 1}
  net: {parameters: {width: {values: [32, 64]}}}
early_terminate: {type: hyperband, min_iter: 3, eta: 2, strict: true}
command: ["${env}", python3, "${program}", "${args}", --debug]
entity: me
"""
HYDRA = """\
defaults: [{override hydra/sweeper: optuna}]
hydra:
  sweeper:
    sampler: {_target_: optuna.samplers.RandomSampler, seed: 123, multivariate: true}
    direction: maximize
    study_name: sphere
    n_trials: 20
    n_jobs: 2
    params:
      x: range(-5.0,5.0,step=0.5)
      y: choice(-5,0,5)
      lr: tag(log, interval(0.001, 1))
      z: glob(*)
      opt: adam,sgd
seed: 0
"""
APP = "import hydra\n\n\n@hydra.main(version_base=None, config_path='.', config_name='conf')\ndef main(cfg): ...\n"
OPTUNA = """\
import optuna


def objective(trial):
    lr = trial.suggest_float("lr", 1e-5, 1e-1, log=True)
    n = trial.suggest_int("n", 1, 10)
    kind = trial.suggest_categorical("kind", ["a", "b"])
    if kind == "a":
        n += trial.suggest_int("more", 0, 8, step=4)
    width = trial.suggest_int("width", LOW, 10)
    trial.report(1.0, 1)
    return lr * n


study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1))
study.optimize(objective, n_trials=50, n_jobs=2, timeout=600, callbacks=[print])
"""


def written(starter: StarterSweep) -> dict[str, Any]:
    """The file that is written, as YAML reads it."""
    return yaml.safe_load(starter.text)


def test_a_wandb_sweep_says_the_same_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sweep.yaml").write_text(WANDB)
    starter = from_wandb("sweep.yaml")
    assert written(starter) == {
        "name": "my-sweep",
        "command": "python3 train.py {parameters} --debug",
        "parameters": {"epochs": 10},
        "space": {
            "lr": {"low": 1e-5, "high": 0.1, "log": True},
            "layers": {"low": 1, "high": 5},  # whole ends: int_uniform to W&B, whole numbers here
            "dropout": {"low": 0.0, "high": 0.5, "step": 0.1},
            "opt": ["adam", "sgd"],
            "net.width": [32, 64],
        },
        "objective": {"metric": "val/loss", "direction": "minimize"},
        "sampler": "gp",  # bayes of W&B is a Gaussian process
        "trials": 40,
        "pruner": {"name": "asha", "min_resource": 3, "reduction_factor": 2},
        "experiment": "demo",
        "replicates": 3,
    }


def test_what_a_wandb_sweep_says_and_a_sweep_cannot_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(WANDB)
    starter = from_wandb(str(path))
    places = [line.removeprefix(str(path)) for line in starter.left]
    assert [place.partition(": has")[0].partition(": distribution")[0] for place in places] == [
        ":13: parameters.noise.mu",
        ":13: parameters.noise.sigma",
        ":13: parameters.noise",
        ":6: metric.target",
        ":15: early_terminate.strict",
        ":17: entity",
    ]
    assert all(f"#   {line}" in starter.text for line in starter.left)


def test_exponents_of_e_and_a_grid_of_ranges_are_read_as_wandb_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "program: t.py\nmethod: grid\nmetric: {name: a, goal: maximize}\n"
        "parameters: {lr: {distribution: log_uniform, min: -4, max: 0}, n: {values: [1]}}\nrun_cap: 5\n"
    )
    starter = from_wandb(str(path))
    document = written(starter)
    assert document["space"]["lr"] == {"low": pytest.approx(math.exp(-4)), "high": 1.0, "log": True, "points": 5}
    assert (document["sampler"], document["command"]) == ("grid", "python t.py {parameters}")
    assert "trials" not in document
    assert any("run_cap: a grid has its own number" in line for line in starter.left)
    assert any("space.lr.points: 5" in line for line in starter.guessed)


def test_a_hydra_sweeper_says_the_same_here(tmp_path: Path) -> None:
    (tmp_path / "conf.yaml").write_text(HYDRA)
    (tmp_path / "app.py").write_text(APP)
    starter = from_hydra(str(tmp_path / "conf.yaml"), here=tmp_path)
    assert written(starter) == {
        "name": "sphere",
        "command": "python app.py {overrides}",
        "seed_parameter": "seed",
        "space": {
            "x": {"low": -5.0, "high": 4.5, "step": 0.5},  # the stop of a range is not part of it
            "y": [-5, 0, 5],
            "lr": {"low": 0.001, "high": 1.0, "log": True},
            "opt": ["adam", "sgd"],
        },
        "objective": {"metric": "value", "direction": "maximize"},
        "sampler": {"name": "random", "seed": 123},
        "trials": 20,
        "execution": {"workers": 2},
        "replicates": 3,
    }
    assert ["conf.yaml:13: hydra.sweeper.params.z: glob" in starter.left[0], len(starter.left)] == [True, 2]
    assert "hydra.sweeper.sampler.multivariate: has no counterpart" in starter.left[1]


def test_the_basic_sweeper_of_hydra_is_a_grid_and_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "conf.yaml").write_text("hydra: {sweeper: {params: {lr: '0.1,0.2', n: 'range(1,4)'}}}\n")
    starter = from_hydra(str(tmp_path / "conf.yaml"), here=tmp_path)
    document = written(starter)
    assert document["space"] == {"lr": [0.1, 0.2], "n": {"low": 1, "high": 3, "step": 1}}
    assert document["sampler"] == "grid"
    assert "give command: python PROGRAM {overrides}" in starter.left[0]


def test_an_optuna_objective_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("opt.py").write_text(OPTUNA)
    starter = from_optuna("opt.py")
    assert written(starter) == {
        "name": "opt",
        "study": "opt_study.py:train",
        "space": {
            "lr": {"low": 1e-5, "high": 0.1, "log": True},
            "n": {"low": 1, "high": 10},
            "kind": ["a", "b"],
            "more": {"low": 0, "high": 8, "step": 4},
        },
        "objective": {"metric": "value", "direction": "maximize"},
        "sampler": "random",
        "trials": 50,
        "timeout": 600,
        "execution": {"workers": 2},
        "replicates": 3,
    }
    lines = [line.partition(": ")[0] for line in starter.left]
    assert lines == ["opt.py:9", "opt.py:10", "opt.py:11", "opt.py:16"]  # more, width, report, callbacks


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1e-5, 1e-1", "1, " + "- " * 2_000 + "1"),
        ("direction=", "study_name=a" + ".a" * 2_000 + ", direction="),
        ("1e-5, 1e-1", "[" * 300 + "]" * 300),
    ],
)
def test_what_is_nested_too_deep_for_pythons_own_parser_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("opt.py").write_text(OPTUNA.replace(old, new, 1))
    with pytest.raises(SpecError, match=r"^opt\.py.*give a script with an Optuna objective$"):
        from_optuna("opt.py")


@pytest.mark.parametrize("name", ["x" * 300, "a b " * 50, "a\\nb", "&a " * 40, "9" * 400])
def test_a_strange_name_or_number_leaves_a_file_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("opt.py").write_text(OPTUNA.replace('"lr"', f'"{name}"', 1).replace("n_trials=50", "n_trials=" + "9" * 400))
    found = written(from_optuna("opt.py"))
    assert list(found)[:2] == ["name", "study"]
    assert all(len(one) <= 250 for one in found["space"])


@pytest.mark.parametrize("name", ["9" * 5_000, "a\u2028b", "\n\n"])
def test_a_name_that_no_parameter_can_have_is_named_and_left_out(name: str) -> None:
    starter = StarterSweep(comment=[], document={"name": "a", "space": {name: [1, 2], "lr": [0.1, 0.2]}})
    assert yaml.safe_load(starter.text) == {"name": "a", "space": {"lr": [0.1, 0.2]}}
    assert NAME_RULE in starter.text


def old_study(name: str = "old", *, n_trials: int = 8, **keys: Any) -> optuna.Study:
    """A study of Optuna in `old.db`, whose best value is at the least lr."""

    def objective(trial: optuna.Trial) -> float:
        lr = trial.suggest_float("opt.lr", 1e-4, 1e-1, log=True)
        depth = trial.suggest_int("depth", 2, 6)
        width = trial.suggest_int("width", 8, 64, step=8)
        return lr + depth + width + (trial.suggest_categorical("kind", ["a", None]) == "a")

    sampler = optuna.samplers.RandomSampler(seed=1)
    study = optuna.create_study(study_name=name, storage="sqlite:///old.db", sampler=sampler, **keys)
    study.optimize(objective, n_trials=n_trials)
    return study


def test_a_study_in_a_storage_becomes_a_file_that_tries_its_best_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    study = old_study()
    best = sorted(study.trials, key=lambda trial: trial.value)[:3]  # authority: Optuna's own trials
    assert main(["init", "sqlite:///old.db", "from=optuna", "output=new.yaml"]) == 3  # what is trained is missing
    assert "what was trained is not in the storage" in capsys.readouterr().out
    assert yaml.safe_load(Path("new.yaml").read_text()) == {
        "name": "old",
        "space": {
            "opt.lr": {"low": 1e-4, "high": 0.1, "log": True},
            "depth": {"low": 2, "high": 6},
            "width": {"low": 8, "high": 64, "step": 8},
            "kind": ["a", None],
        },
        "enqueue": [trial.params for trial in best],
        "objective": {"metric": "value", "direction": "minimize"},
        "sampler": "tpe",
        "trials": 30,
        "replicates": 3,
    }
    Path("train.py").write_text(
        "import dataclasses\n@dataclasses.dataclass\nclass Opt:\n    lr: float = 0.1\n"
        "def train(seed: int, opt: Opt, depth: int, width: int, kind: str | None):\n    return opt.lr + seed\n"
    )
    Path("new.yaml").write_text(f"study: train.py:train\n{Path('new.yaml').read_text()}")
    assert main(["check", "new.yaml"]) == 0


def test_one_of_several_studies_is_named_and_what_its_trials_lack_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    old_study(directions=["maximize"])
    several = optuna.create_study(study_name="two", storage="sqlite:///old.db", directions=["minimize", "maximize"])
    several.set_metric_names(["loss", "accuracy"])
    with pytest.raises(StoreError, match=r"has 2 studies; add study=NAME; known: old, two"):
        from_optuna_storage("sqlite:///old.db", None)
    with pytest.raises(StoreError, match=r"no study called 'olt' here; did you mean old"):
        from_optuna_storage("sqlite:///old.db", "olt")
    with pytest.raises(StoreError, match="'two' has no finished trial"):
        from_optuna_storage("sqlite:///old.db", "two")
    with pytest.raises(StoreError, match=r"none\.db: has no study of Optuna"):
        from_optuna_storage("sqlite:///none.db", None)
    assert not Path("none.db").exists()
    several.optimize(lambda trial: (trial.suggest_float("x", 0, trial.number + 1), 1.0), n_trials=2)
    starter = from_optuna_storage("sqlite:///old.db", "two")
    assert [one["metric"] for one in written(starter)["objective"]] == ["loss", "accuracy"]
    assert written(starter)["space"] == {"x": {"low": 0.0, "high": 2.0}}
    assert starter.left[1:] == ["x was suggested with several domains; the last one is kept"]


def test_the_file_beside_gives_the_objective_the_values_of_the_condition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("paraboloid.py").write_text(
        "def objective(trial):\n"
        "    x = trial.suggest_float('x', -5.0, 5.0)\n"
        "    return (x - 1) ** 2 + trial.suggest_int('n', 0, 3)\n"
    )
    starter = from_optuna("paraboloid.py")
    write_starter(starter, Path("s.yaml"))
    namespace: dict[str, Any] = {}
    exec(compile(Path("paraboloid_study.py").read_text(), "paraboloid_study.py", "exec"), namespace)
    assert namespace["train"](seed=0, x=3.0, n=2) == {"value": 6.0}  # (3 - 1)^2 + 2


def test_nothing_is_overwritten_and_a_mistake_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "there.yaml"
    path.write_text("mine")
    starter = StarterSweep(comment=[], document={"name": "a"}, beside={tmp_path / "beside.py": ""})
    with pytest.raises(UserError, match="is there already and is not overwritten"):
        write_starter(starter, path)
    assert (path.read_text(), (tmp_path / "beside.py").exists()) == ("mine", False)
    with pytest.raises(SpecError, match="there is no such file; give the file to translate"):
        from_wandb(str(tmp_path / "missing.yaml"))
    (tmp_path / "bad.py").write_text("def f(:\n")
    with pytest.raises(SpecError, match=r"bad\.py:1: is not Python"):
        from_optuna(str(tmp_path / "bad.py"))
    (tmp_path / "other.py").write_text("x = 1\n")
    with pytest.raises(SpecError, match=r"no call such as trial\.suggest_float"):
        from_optuna(str(tmp_path / "other.py"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("parameters: [1]", "parameters: must be a mapping, not [1]"),
        ("hydra: {sweeper: {params: [1]}}", "hydra.sweeper.params: must be a mapping of parameters, not [1]"),
        (f"hydra: {{sweeper: {{direction: [{', '.join(['minimize'] * 2_000)}]}}}}", "2000 objectives, and at most 20"),
    ],
)
def test_a_file_with_values_of_another_kind_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "theirs.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=re.escape(said)):
        from_hydra(str(path), here=tmp_path) if "hydra" in text else from_wandb(str(path))


@pytest.mark.parametrize(
    "changed",
    [
        "q: x",
        "distribution: log_uniform, min: 0, max: 1000",
        "distribution: [1]",
        "values: 3",
    ],
)
def test_what_is_odd_in_a_file_of_wandb_is_left_and_said(changed: str, tmp_path: Path) -> None:
    path = tmp_path / "theirs.yaml"
    path.write_text(
        f"program: a.py\nparameters: {{x: {{min: 0, max: 1, {changed}}}}}\nmetric: {{name: m}}\n".replace(
            "min: 0, max: 1, distribution: log", "distribution: log"
        )
    )
    assert yaml.safe_load(from_wandb(str(path)).text).get("space", {}).keys() <= {"x"}


def test_a_description_of_several_lines_stays_a_comment(tmp_path: Path) -> None:
    path = tmp_path / "theirs.yaml"
    path.write_text(
        'program: a.py\ndescription: "one\\nname: other\\x1b"\nparameters: {x: {values: [1, 2]}}\nmetric: {name: m}\n'
    )
    text = from_wandb(str(path)).text
    assert text.startswith("# one\n# name: other\\x1b\n")
    assert yaml.safe_load(text)["name"] == "theirs"
