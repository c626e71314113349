"""Scripts that use Optuna, as people write them: what `init from=optuna` makes of their objective and their search."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rothamsted.cli.main import main
from rothamsted.starters.from_optuna import from_optuna
from rothamsted.starters.starter import StarterSweep, write_starter
from tests.starters.test_translated import written

SEARCHES_AT_ONCE = """\
import optuna

SCALE = 4.0
calls = open("calls.txt", "a")


def objective(trial):
    calls.write("called ")
    calls.flush()
    x = trial.suggest_float("x", -SCALE, SCALE)
    return x**2


study = optuna.create_study()
study.optimize(objective, n_trials=100)
best = study.best_params
print(best["x"])
"""
A_CLASS = """\
import optuna
from optuna.samplers import RandomSampler

data = [1.0, 3.0]
sampler = RandomSampler(seed=1)
N = 12


class Objective:
    def __init__(self, data, power):
        self.data, self.power = data, power

    def __call__(self, trial):
        return self.loss(trial, trial.suggest_float("x", 0, 4))

    def loss(self, trial, x):
        return trial.suggest_int("n", 1, 2) * sum(abs(x - one) ** self.power for one in self.data)


if __name__ == "__main__":
    study = optuna.create_study(sampler=sampler, direction="minimize")
    study.optimize(Objective(data, power=2), N)
"""
HELPERS = """\
import optuna


def make_model(trial):
    n = trial.suggest_int("layers", 1, 3)
    widths = [trial.suggest_int(f"width_{i}", 4, 8) for i in range(n)]
    return n, widths


def make_optimizer(trial, model):
    return trial.suggest_float("lambda", 1e-5, 1e-1, log=True)


def objective(trial, data):
    model = make_model(trial)
    rate = make_optimizer(trial, model) * trial.suggest_float("opt.lr", 0, 1)
    return rate + len(data) + trial.suggest_int("seed", 0, 9)


def plot(trial):
    return trial.suggest_int("other", 1, 2)


def main():
    local = [1, 2]
    study = optuna.create_study()
    study.optimize(lambda trial: objective(trial, local), n_trials=7)
    study.optimize(lambda trial: objective(trial, local), n_trials=9)


if __name__ == "__main__":
    main()
"""


def train_beside(starter: StarterSweep) -> Callable[..., Any]:
    """The study that the file beside the sweep file holds, run as it is written."""
    write_starter(starter, Path("s.yaml"))
    [path] = starter.beside
    beside: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), beside)
    return beside["train"]


def test_a_script_that_searches_when_it_is_imported_is_translated_without_its_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my-search.py").write_text(SEARCHES_AT_ONCE)
    assert main(["init", "my-search.py", "from=optuna"]) == 0
    assert Path("my-search.yaml").exists()
    assert written(from_optuna("my-search.py"))["space"] == {"x": {"low": -4.0, "high": 4.0}}  # SCALE is a constant
    assert Path("calls.txt").read_text() == ""
    assert main(["check", "my-search.yaml"]) == 0
    n_calls = len(Path("calls.txt").read_text().split())
    assert 1 <= n_calls <= 6  # check trains a few times; the search would have called it 100 times
    assert main(["sweep", "my-search.yaml", "trials=3", "replicates=1"]) == 0
    assert len(Path("calls.txt").read_text().split()) == n_calls + 3


def test_an_objective_that_is_an_object_is_made_as_the_script_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("an_object.py").write_text(A_CLASS)
    starter = from_optuna("an_object.py")
    found = written(starter)
    assert found["space"] == {"x": {"low": 0.0, "high": 4.0}, "n": {"low": 1, "high": 2}}
    assert [found["sampler"], found["trials"], starter.left] == ["random", 12, []]
    assert train_beside(starter)(seed=0, x=2.0, n=2) == {"value": 4.0}  # 2 (|2 - 1|^2 + |2 - 3|^2)


def test_domains_that_helpers_of_the_objective_suggest_are_translated_and_names_are_made_to_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("helped.py").write_text(HELPERS)
    starter = from_optuna("helped.py")
    found = written(starter)
    assert list(found["space"]) == ["layers", "lambda_", "opt_lr", "seed_"]
    assert found["trials"] == 7
    assert 'FixedTrial({"layers": layers, "lambda": lambda_, "opt.lr": opt_lr, "seed": seed_})' in next(
        iter(starter.beside.values())
    )
    compile(next(iter(starter.beside.values())), "helped_study.py", "exec")
    lines = [line.partition(": ")[0] + " " + line.partition(": ")[2].split()[0] for line in starter.left]
    assert lines == [
        "helped.py:6 trial.suggest_int(f'width_{i}',",
        "helped.py:21 suggest_int",
        "helped.py:27 importing",  # local
        "helped.py:28 optimize",
    ]


def test_a_lambda_that_suggests_by_itself_is_an_objective(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("short.py").write_text(
        "import optuna\n\nif __name__ == '__main__':\n"
        "    optuna.create_study().optimize(lambda trial: trial.suggest_float('x', -1, 1) ** 2, n_trials=3)\n"
    )
    starter = from_optuna("short.py")
    assert (train_beside(starter)(seed=0, x=0.5), starter.left) == ({"value": 0.25}, [])


def test_helpers_that_call_each_other_many_times_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    calls = "".join(f"def f{n}(trial):\n    return f{n + 1}(trial) + f{n + 1}(trial)\n" for n in range(60))
    Path("deep.py").write_text(f"{calls}def f60(trial):\n    return trial.suggest_float('x', 0, 1) + f0(trial)\n")
    assert written(from_optuna("deep.py"))["space"] == {"x": {"low": 0.0, "high": 1.0}}
