"""The copy of a search: Optuna and optuna-dashboard open it, and it holds what the search holds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import optuna
import pytest

from rothamsted.errors import StoreError
from rothamsted.search import copy_studies
from tests.sweeping.conftest import Project


def address(path: Path) -> str:
    return f"sqlite:///{path}"


def test_optuna_loads_the_same_trials_from_the_copy(swept: Project, exported: Path) -> None:
    copied = optuna.load_study(study_name="toys", storage=address(exported / "optuna.db"))
    own = optuna.load_study(study_name="toys", storage=address(swept.root / "optuna.db"))
    assert copied.trials == own.trials
    assert len(copied.trials) == 6
    assert copied.directions == own.directions
    assert set(own.user_attrs) - set(copied.user_attrs) == {"rothamsted:sweep_lease"}
    assert optuna.importance.get_param_importances(copied).keys() == {"lr", "x"}


def test_optuna_dashboard_opens_the_copy(exported: Path) -> None:
    from optuna_dashboard import wsgi

    app = wsgi(optuna.storages.RDBStorage(address(exported / "optuna.db")))
    answers: list[str] = []
    environ = {"PATH_INFO": "/api/studies"}
    setup_testing_defaults(environ)
    body = b"".join(app(environ, lambda status, *rest: answers.append(status)))
    assert (answers, b'"toys"' in body) == (["200 OK"], True)


def test_trials_that_wait_or_run_are_left_out_and_others_keep_their_numbers(storage_url: str, tmp_path: Path) -> None:
    study = optuna.create_study(study_name="a", storage=storage_url)
    study.enqueue_trial({"x": 0.1})
    running, done, pruned = study.ask(), study.ask(), study.ask()
    study.enqueue_trial({"x": 0.5})  # waits
    done.suggest_float("x", 1e-3, 1.0, log=True)
    done.report(3.0, 1)
    done.report(2.0, 2)
    study.tell(done, 2.0)
    study.tell(pruned, state=optuna.trial.TrialState.PRUNED)
    assert copy_studies(storage_url, ["a"], tmp_path / "copy.db") == {"a": 2}
    copied = optuna.load_study(study_name="a", storage=address(tmp_path / "copy.db"))
    assert [one.number for one in copied.trials] == [done.number, pruned.number]
    assert running.number not in [one.number for one in copied.trials]
    assert copied.trials[0].intermediate_values == {1: 3.0, 2: 2.0}
    assert copied.trials[0].distributions == study.trials[done.number].distributions
    assert copied.best_value == 2.0


def test_the_copy_takes_the_place_of_one_that_is_there_and_leaves_no_other_file(exported: Path, tmp_path: Path) -> None:
    target = tmp_path / "own" / "copy.db"
    target.parent.mkdir()
    for _ in range(2):
        copy_studies(address(exported / "optuna.db"), ["toys", "nobody"], target)
    assert [path.name for path in target.parent.iterdir()] == ["copy.db"]
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_study_that_is_not_there_and_a_folder_that_is_gone_are_one_line(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no sweep called 'nobody' here"):
        copy_studies(address(exported / "optuna.db"), ["nobody"], tmp_path / "nobody.db")
    with pytest.raises(StoreError, match="cannot be written"):
        copy_studies(address(exported / "optuna.db"), ["toys"], tmp_path / "gone" / "copy.db")
    assert not (tmp_path / "nobody.db").exists()
