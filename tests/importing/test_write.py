"""Imported runs in MLflow: each exactly once, whatever was killed or runs beside, and as MLflow can hold them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from rothamsted import tags, tracking
from rothamsted.importing.fitted import fitted_name
from rothamsted.importing.values import ImportedRun
from rothamsted.importing.write import RunWriter, TakenRun
from rothamsted.recordable import name_fault
from rothamsted.records import MetricPoint, RunStatus
from tests.importing.conftest import Place

START = 1_700_000_000_000


def taken(place: Place, *runs: ImportedRun, experiment: str = "before") -> list[TakenRun]:
    """Write runs as one import does."""
    experiment_id = tracking.experiment_called(experiment, place.uri)
    there = tracking.ImportedRuns(place.uri, experiment_id)
    with (
        tracking.open_recorder(place.uri) as recorder,
        RunWriter(recorder, there, experiment_id=experiment_id, address="somewhere") as writer,
    ):
        return [writer.take(run) for run in runs]


def run(source_id: str = "tool:a", **more: object) -> ImportedRun:
    points = [MetricPoint("loss", 1 / (step + 1), START + step, step) for step in range(3)]
    return ImportedRun(**{"source_id": source_id, "start_ms": START, "points": points, **more})  # type: ignore[arg-type]


def test_mlflows_own_client_sees_the_run_as_its_source_has_it(place: Place) -> None:
    [done] = taken(
        place,
        run(
            params={"lr": "0.1"},
            tags={"who": "me"},
            end_ms=START + 5_000,
            state=RunStatus.FAILED,
            description="**old**",
        ),
    )
    found = MlflowClient(place.uri).get_run(done.run_id)
    assert (found.info.status, found.info.start_time, found.info.end_time) == ("FAILED", START, START + 5_000)
    assert found.data.params == {"lr": "0.1"}
    assert (found.data.tags["who"], found.data.tags["mlflow.note.content"]) == ("me", "**old**")
    history = MlflowClient(place.uri).get_metric_history(done.run_id, "loss")
    assert [(one.step, one.value, one.timestamp) for one in history] == [
        (0, 1.0, START),
        (1, 0.5, START + 1),
        (2, 1 / 3, START + 2),
    ]


def test_the_same_source_twice_is_one_run_and_in_another_experiment_another_one(place: Place) -> None:
    assert [done.fate for done in taken(place, run())] == ["new"]
    assert [done.fate for done in taken(place, run())] == ["there"]
    assert [done.fate for done in taken(place, run(), experiment="other")] == ["new"]
    assert len(place.runs("before")) == len(place.runs("other")) == 1


def test_on_postgresql_the_same_is_true_and_a_run_that_has_grown_keeps_no_older_point(
    place: Place, postgres_url: str
) -> None:
    tracking.migrate(postgres_url)
    there = replace(place, uri=postgres_url)
    points = [MetricPoint("loss", 0.75, START, 0)]
    fates = [taken(there, run(points=points, revision=revision))[0].fate for revision in ("1", "1")]
    assert fates == ["new", "there"]
    assert [done.fate for done in taken(there, run(revision="2"))] == ["updated"]
    [found] = there.runs("before").values()
    assert there.history(found)["loss"] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert found.status == "FINISHED"


def test_runs_of_one_name_are_told_apart_by_a_number(place: Place) -> None:
    taken(place, run("tool:a", name="same"), run("tool:b", name="same"))
    assert sorted(place.runs("before")) == ["same", "same (2)"]


def test_a_run_that_was_deleted_in_mlflow_is_imported_again(place: Place) -> None:
    [first] = taken(place, run())
    MlflowClient(place.uri).delete_run(first.run_id)
    [second] = taken(place, run())
    assert (second.fate, second.run_id != first.run_id) == ("new", True)
    assert len(place.runs("before")) == 1


def test_an_import_that_was_killed_in_the_middle_is_completed_and_nothing_is_doubled(place: Place) -> None:
    def cut() -> Iterator[MetricPoint]:
        for step in range(23_000):
            if step == 22_000:
                raise KeyboardInterrupt
            yield MetricPoint("loss", float(step), START + step, step)

    with pytest.raises(KeyboardInterrupt):
        taken(place, run("tool:whole"), run("tool:half", points=cut()))
    assert place.runs("before")["tool:half"].status == "RUNNING"
    points = [MetricPoint("loss", float(step), START + step, step) for step in range(23_000)]
    done = taken(place, run("tool:whole"), run("tool:half", points=points))
    assert [one.fate for one in done] == ["there", "updated"]
    runs = place.runs("before")
    assert {name: one.status for name, one in runs.items()} == {"tool:whole": "FINISHED", "tool:half": "FINISHED"}
    assert place.history(runs["tool:half"])["loss"] == [(step, float(step)) for step in range(23_000)]
    assert len(place.history(runs["tool:whole"])["loss"]) == 3


def test_names_texts_and_tags_that_mlflow_cannot_hold_are_changed_by_one_rule_and_noted(place: Place) -> None:
    from rothamsted.tracking import read_text

    [done] = taken(
        place,
        run(
            points=[
                MetricPoint("a+b", 1.0, START, 0),
                MetricPoint("a_b", 2.0, START, 0),
                MetricPoint("x" * 300, 3.0, 0, 1),
            ],
            params={
                "lr+warm": "0.1",
                "lr_warm": "0.2",
                "long": "y" * 7_000,
                "nul": "a\0b",
                "url": "http://me:pw@host/",
            },
            tags={"mlflow.parentRunId": "fake", "rothamsted.role": "sweep", "a": "b"},
        ),
    )
    [found] = place.runs("before").values()
    assert found.params["lr_warm"] == "0.2"  # the name that fits keeps its own
    assert found.params["lr_warm_2"] == "0.1"
    assert (len(found.params["long"]), found.params["nul"]) == (6_000, "a\\x00b")
    assert found.params["url"] == "http://***@host/"
    assert {value for name, value in found.metrics.items() if name.startswith("a_b")} == {1.0, 2.0}
    assert (found.tags["imported.mlflow.parentRunId"], found.tags["imported.rothamsted.role"]) == ("fake", "sweep")
    assert found.tags[tags.ROLE] == "imported"
    assert "mlflow.parentRunId" not in found.tags
    kept = read_text(found.run_id, "imported.json", uri=place.uri)
    assert kept is not None
    assert "y" * 7_000 in kept
    assert any("renamed in MLflow: param 'lr+warm' is lr_warm_2" in note for note in done.notes)


@pytest.mark.parametrize(
    "name", ["a+b", "", ".", "..", "/", "//a", "a/../b", "a/./b", "../../etc", "ä" * 300, "\0", " ", "a/", "\ud800"]
)
def test_every_name_becomes_one_that_mlflow_takes(name: str) -> None:
    from mlflow.utils.validation import _validate_metric_name

    made = fitted_name(name)
    assert name_fault(made) == ""
    _validate_metric_name(made)
    assert name_fault(fitted_name(name, 40), room=40) == ""


def test_a_number_of_the_whole_run_is_written_once_and_apart_where_the_history_ends_otherwise(place: Place) -> None:
    taken(place, run(summary={"loss": 1 / 3, "acc": 0.9, "best": 0.1}), run("tool:b", name="b", summary={"loss": 0.2}))
    runs = place.runs("before")
    assert runs["tool:a"].metrics == {"loss": 1 / 3, "acc": 0.9, "best": 0.1}
    assert runs["b"].metrics == {"loss": 1 / 3, "summary/loss": 0.2}


def test_points_without_a_step_that_a_database_holds_are_counted_and_left_out(place: Place) -> None:
    [done] = taken(place, run(points=[MetricPoint("loss", 1.0, START, 2**64), MetricPoint("loss", 0.5, -5, 1)]))
    assert done.n_points == 1
    assert any("1 point is left out" in note for note in done.notes)


def test_two_imports_at_once_give_each_run_once(place: Place) -> None:
    rows = "".join(f"r{run},{step},{1 / (step + 1)}\n" for run in range(60) for step in range(20))
    (place.folder / "t.csv").write_text(f"run_id,step,loss\n{rows}")
    command = [sys.executable, "-m", "rothamsted", "import_runs", "t.csv", "experiment=before"]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": place.uri}
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [one.wait(timeout=300) for one in both] == [0, 0]
    runs = place.runs("before")
    assert len(runs) == 60
    assert {one.status for one in runs.values()} == {"FINISHED"}
    assert all(len(place.history(one)["loss"]) == 20 for one in list(runs.values())[:3])


def test_an_import_that_is_killed_by_the_system_is_completed_by_the_next(place: Place) -> None:
    rows = "".join(f"r{run},{step},{1 / (step + 1)}\n" for run in range(800) for step in range(10))
    (place.folder / "t.csv").write_text(f"run_id,step,loss\n{rows}")
    command = [sys.executable, "-m", "rothamsted", "import_runs", "t.csv", "experiment=before"]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": place.uri}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 240
    while time.monotonic() < until and not _n_runs(place):
        time.sleep(0.05)
    process.kill()
    assert process.wait(timeout=60) == -9
    assert 0 < _n_runs(place) < 800
    place.bring("t.csv", "experiment=before")
    runs = place.runs("before")
    assert len(runs) == 800
    assert {one.status for one in runs.values()} == {"FINISHED"}
    histories = tracking.read_history([one.run_id for one in runs.values()], uri=place.uri)
    assert {len(points) for points in histories.values()} == {10}


def _n_runs(place: Place) -> int:
    import contextlib
    import sqlite3

    with contextlib.closing(sqlite3.connect(Path(place.folder) / "mlflow.db", timeout=20)) as connection:
        return connection.execute("SELECT COUNT(*) FROM runs").fetchone()[0]
