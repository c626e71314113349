"""Studies of Optuna in each of its storages become runs; sweeps of ours are refused."""

from __future__ import annotations

import datetime
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from rothamsted.search.storage import create_study
from tests.importing.conftest import Place


def study(storage: object, name: str = "rates") -> optuna.Study:
    """Three trials: complete, pruned, failed; and one that waits."""
    made = optuna.create_study(storage=storage, study_name=name, direction="maximize")  # type: ignore[arg-type]

    def train(trial: optuna.Trial) -> float:
        lr = trial.suggest_float("lr", 0.0, 1.0)
        trial.suggest_categorical("opt", ["sgd", "adam"])
        trial.set_user_attr("host", "a")
        trial.set_user_attr("shape", [1, 2])
        for step in range(3):
            trial.report(lr + step, step)
            if trial.number == 1 and step == 1:
                raise optuna.TrialPruned
        if trial.number == 2:
            raise ValueError("diverged")
        return lr

    for lr in (0.25, 0.5, 0.75):
        made.enqueue_trial({"lr": lr, "opt": "sgd"})
    made.optimize(train, n_trials=3, catch=ValueError)
    made.enqueue_trial({"lr": 1.0, "opt": "adam"})
    return made


def storages(kind: str, folder: Path, postgres_url: str = "") -> tuple[str, object]:
    """What the user writes, and what Optuna is given."""
    if kind == "journal":
        return "rates.journal", JournalStorage(JournalFileBackend(str(folder / "rates.journal")))
    address = {"file": "rates.db", "sqlite": f"sqlite:///{folder / 'rates.db'}", "postgresql": postgres_url}[kind]
    return address, f"sqlite:///{folder / 'rates.db'}" if kind == "file" else address


@pytest.mark.parametrize("kind", ["file", "sqlite", "journal", "postgresql"])
def test_every_trial_arrives_with_params_values_states_and_times(
    kind: str, place: Place, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else ""
    address, storage = storages(kind, place.folder, url)
    made = study(storage)
    before = made.trials
    out = place.bring(address, "experiment=before")
    runs = place.runs("before")
    assert {name: run.status for name, run in runs.items()} == {
        "rates-0": "FINISHED",
        "rates-1": "KILLED",
        "rates-2": "FAILED",
    }
    first = runs["rates-0"]
    assert (first.params, first.metrics["value"]) == ({"lr": "0.25", "opt": "sgd"}, 0.25)
    assert place.history(first)["intermediate_value"] == [(0, 0.25), (1, 1.25), (2, 2.25)]
    assert runs["rates-1"].metrics["value"] == 1.5  # Optuna gives a pruned trial its last report
    assert "value" not in runs["rates-2"].metrics
    assert (first.tags["host"], first.tags["shape"]) == ("a", "[1, 2]")
    # Optuna writes datetime.now(): local time without a zone, as `timestamp` reads it.
    started = before[0].datetime_start
    assert isinstance(started, datetime.datetime)
    assert first.start_ms == round(started.timestamp() * 1000)
    assert "rothamsted analyze --experiment before --group_by lr --metric value --direction maximize" in out
    assert made.trials == before  # nothing was written there


def test_the_trials_of_several_objectives_have_a_metric_each(place: Place) -> None:
    made = optuna.create_study(storage="sqlite:///two.db", study_name="two", directions=["minimize", "maximize"])
    made.optimize(lambda trial: (trial.suggest_float("x", 0, 1), 2.0), n_trials=1)
    place.bring("two.db", "experiment=before")
    [run] = place.runs("before").values()
    assert sorted(run.metrics) == ["value_0", "value_1"]


def test_of_several_studies_one_is_to_be_named_and_a_misspelt_name_is_told_with_the_nearest(place: Place) -> None:
    study("sqlite:///two.db")
    study("sqlite:///two.db", "others")
    assert "has 2 studies; add study=NAME" in place.refused("two.db")
    assert "no study called 'othrs' here; did you mean others?" in place.refused("two.db", "study=othrs")
    place.bring("two.db", "study=others", "experiment=before")
    assert sorted(place.runs("before")) == ["others-0", "others-1", "others-2"]


def test_a_sweep_of_ours_is_refused_with_the_command_that_analyses_it(place: Place) -> None:
    create_study("sqlite:///ours.db", "mine", ["minimize"], attributes={"rothamsted:spec": {}})
    assert "rothamsted analyze sweep=mine" in place.refused("ours.db")


def test_a_database_without_studies_is_one_line(place: Place) -> None:
    assert "holds no study of Optuna" in place.refused("mlflow.db")
    assert "there is no such file" in place.refused("sqlite:///nothing.db")
    assert not (place.folder / "nothing.db").exists()


def test_a_journal_that_is_cut_off_is_read_as_far_as_optuna_reads_it(place: Place) -> None:
    address, storage = storages("journal", place.folder)
    study(storage)
    path = place.folder / address
    path.write_bytes(path.read_bytes()[:-20])
    place.bring(address, "experiment=before")
    assert len(place.runs("before")) == 3


def test_a_trial_that_ran_is_brought_up_to_date_when_it_has_ended(place: Place) -> None:
    made = optuna.create_study(storage="sqlite:///going.db", study_name="going")
    trial = made.ask({"lr": optuna.distributions.FloatDistribution(0.0, 1.0)})
    place.bring("going.db", "experiment=before")
    [run] = place.runs("before").values()
    assert run.status == "RUNNING"
    made.tell(trial, 0.5)
    assert "0 new, 1 brought up to date, 0 there already" in place.bring("going.db", "experiment=before")
    [run] = place.runs("before").values()
    assert (run.status, run.metrics) == ("FINISHED", {"value": 0.5})
