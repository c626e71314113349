"""The command: what it prints, what it hands on, and that an analysis follows at once."""

from __future__ import annotations

import json
import shlex
import threading
from pathlib import Path
from typing import Any

import pytest

from rothamsted.cli.main import main
from rothamsted.tracking import ImportedRuns, Recorder, experiment_called, find_runs
from rothamsted.tracking.client_writer import ClientWriter
from tests.importing.conftest import Place


def table(path: Path) -> None:
    rows = [
        f"{lr}-{seed},{lr},{2 * lr},{seed},logs/{lr}-{seed},{lr + seed / 100 + (seed % 2) / 50}"
        for lr in (0.1, 0.2, 0.4)
        for seed in range(4)
    ]
    path.write_text("\n".join(["run_id,lr,twice_lr,seed,folder,val_loss", *rows]) + "\n")


def test_the_command_that_is_printed_analyses_the_runs_with_intervals(place: Place) -> None:
    table(place.folder / "t.csv")
    out = place.bring("t.csv", "experiment=my runs")
    [line] = [line.partition(": ")[2] for line in out.splitlines() if line.startswith("analyse them: ")]
    # twice_lr says the same as lr, and folder is another text in each run: neither is a factor.
    assert line == ("rothamsted analyze --experiment 'my runs' --group_by lr --replicate_by seed --metric val_loss")
    assert main([*shlex.split(line)[1:], "--json"]) == 0
    analysis = json.loads(place.capsys.readouterr().out)
    # By hand: 0.1 + (0 + 0.01 + 0.02 + 0.03) / 4 + (0 + 0.02 + 0 + 0.02) / 4 is the least of the three means.
    best = analysis["conditions"][0]
    assert (best["values"], best["value"]) == ({"lr": 0.1}, pytest.approx(0.125))
    assert best["ci_low"] < 0.125 < best["ci_high"]
    assert (len(analysis["conditions"]), best["n"]) == (3, 4)


def test_a_dry_run_says_what_would_come_and_writes_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    table(place.folder / "t.csv")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place.folder / 'none.db'}")
    out = place.bring("t.csv", "--dry-run")
    assert "12 runs (table; 12 FINISHED), 12 points; nothing is written" in out
    assert "0.1-0: FINISHED, 4 params, 1 point of val_loss" in out
    assert not (place.folder / "none.db").exists()


def test_the_result_as_json_has_counts_states_and_the_next_command(place: Place) -> None:
    table(place.folder / "t.csv")
    out = json.loads(place.bring("t.csv", "--json"))
    assert (out["kind"], out["experiment"], out["runs"], out["new"]) == ("table", "imported-table", 12, 12)
    assert (out["states"], out["varies"]) == ({"FINISHED": 12}, {"lr": 3, "twice_lr": 3, "seed": 4})
    assert out["first_runs"][0]["run_id"] in {run.run_id for run in place.runs("imported-table").values()}


def test_mistakes_of_the_command_line_are_one_line(place: Place) -> None:
    table(place.folder / "t.csv")
    assert "source= is missing" in place.refused()
    assert "kind=tabel: is not known; did you mean table?" in place.refused("t.csv", "kind=tabel")
    assert "unknown keys expriment" in place.refused("t.csv", "expriment=a")
    assert "experiment= is not a name" in place.refused("t.csv", "experiment= ")
    assert "dry_run=maybe must be true or false" in place.refused("t.csv", "dry_run=maybe")
    assert ".: no run found; looked for files called *tfevents*" in place.refused(".", "kind=tensorboard")


def test_an_experiment_that_was_deleted_is_said_with_the_way_back(place: Place) -> None:
    from mlflow import MlflowClient

    table(place.folder / "t.csv")
    MlflowClient(place.uri).delete_experiment(experiment_called("gone", place.uri))
    assert "is deleted; restore it with `mlflow experiments restore" in place.refused("t.csv", "experiment=gone")


def claiming(place: Place, experiment_id: str, **given: Any) -> ImportedRuns:
    """MLflow's own client on the database stands for any store that is no SQL of ours."""
    runs = ImportedRuns(place.uri, experiment_id, **given)
    runs._is_sql = False
    return runs


@pytest.mark.parametrize("round_of", range(3))
def test_a_store_that_gives_ids_itself_has_each_run_once_when_many_ask_at_once(round_of: int, place: Place) -> None:
    experiment_id = experiment_called("before", place.uri)
    found: list[str] = []

    def claim() -> None:
        found.append(claiming(place, experiment_id).run_id("tool:a", name="a", start_ms=1_700_000_000_000))

    threads = [threading.Thread(target=claim) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    [run] = find_runs([experiment_id], {}, uri=place.uri)
    assert set(found) == {run.run_id}
    assert len(found) == 6


def test_a_claim_whose_process_was_killed_is_waited_for_and_then_taken_away(place: Place) -> None:
    from mlflow import MlflowClient

    experiment_id = experiment_called("before", place.uri)
    claim = {"rothamsted.import_claim": "tool:a"}
    left = MlflowClient(place.uri).create_run(experiment_id, tags=claim).info.run_id
    waits: list[float] = []
    runs = claiming(place, experiment_id, sleep=waits.append, jitter=lambda: 1.0)
    made = runs.run_id("tool:a", name="a", start_ms=1_700_000_000_000)
    [run] = find_runs([experiment_id], {}, uri=place.uri)
    assert (run.run_id, made != left) == (made, True)
    assert sum(waits) > 30  # seconds


def test_through_mlflows_client_runs_arrive_as_through_sql(place: Place) -> None:
    from rothamsted.importing.write import RunWriter
    from tests.importing.test_write import run

    experiment_id = experiment_called("before", place.uri)
    for _ in range(2):
        runs = claiming(place, experiment_id)
        with (
            Recorder(ClientWriter(place.uri)) as recorder,
            RunWriter(recorder, runs, experiment_id=experiment_id, address="somewhere") as writer,
        ):
            fate = writer.take(run(params={"lr": "0.1"})).fate
    assert fate == "there"
    [one] = place.runs("before").values()
    assert (one.status, one.params, len(place.history(one)["loss"])) == ("FINISHED", {"lr": "0.1"}, 3)
