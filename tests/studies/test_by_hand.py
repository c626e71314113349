"""A run by hand: one MLflow run with all of it, or nothing at all; stopped, killed and started again."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rothamsted.errors import DataError, StoreError, StudyError
from rothamsted.records import Outcome
from rothamsted.studies import ByHand, Study, flatten, run_by_hand
from rothamsted.studies.command_line import parse
from rothamsted.studies.signals import StopRequest
from rothamsted.tracking import FoundRun, find_runs, read_history, read_text, tracking_uri
from tests.studies.conftest import RunToy, toy_command, toy_environment
from tests.studies.test_driver import own_metrics, trained
from tests.toy import STUDY, Config, Optimizer, ToyError, train

TEN = Config(seed=3, steps=40, n_points=10, optimizer=Optimizer(momentum=0.9))


def only_run() -> FoundRun:
    [run] = find_runs(None, {})
    return run


def logged(run_id: str) -> dict[str, list[tuple[int, float]]]:
    """Metric -> (step, value) as the store has them; the times left out."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for point in read_history([run_id])[run_id]:
        if point.key not in ("seconds", "samples_per_second"):
            curves.setdefault(point.key, []).append((point.step, point.value))
    return curves


def expected(config: Config) -> dict[str, list[tuple[int, float]]]:
    """What the store should have: the toy's metrics (tested against theory in test_driver) and its epochs."""
    [ending] = trained(config)
    curves: dict[str, list[tuple[int, float]]] = {
        name: [(m.step, row[name]) for m, row in zip(ending.history, own_metrics(ending))]
        for name in own_metrics(ending)[0]
    }
    return curves | {"epoch": [(m.step, m.epoch or 0.0) for m in ending.history]}


def artifacts(run: FoundRun, home: Path) -> Path:
    return home / "mlruns" / run.experiment_id / run.run_id / "artifacts"


# ---- what is recorded ----


def test_a_run_is_logged_with_params_metrics_and_status(home: Path) -> None:
    run_by_hand(STUDY, TEN)
    run = only_run()
    assert run.params == {name: str(value) for name, value in flatten(TEN).items()}
    assert logged(run.run_id) == expected(TEN)
    assert (run.status, run.tags["rothamsted.outcome"], run.name) == ("FINISHED", "finished", "toy")


def test_a_run_carries_its_exports_as_artifacts(home: Path) -> None:
    ending = run_by_hand(STUDY, TEN, ByHand(output=home / "out"))
    folder = artifacts(only_run(), home)
    figures = {f"{figure}.{kind}" for figure in ("loss", "lr_schedule") for kind in ("svg", "png")}
    names = {"metrics.csv", "metrics.json", "summary.json", "config.json", *figures}
    assert {path.name for path in (home / "out").iterdir()} == names
    assert {path.name for path in folder.iterdir()} == names | {"origin.json", "environment.txt"}
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    assert [float(row["val_loss"]) for row in rows] == [m.metrics["val_loss"] for m in ending.history]


def test_equal_runs_have_equal_metrics_to_the_bit(home: Path) -> None:
    for _ in range(2):
        run_by_hand(STUDY, TEN)
    first, second = (logged(run.run_id) for run in find_runs(None, {}))
    assert first == second


def test_a_run_names_its_commit_and_its_data(home: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], cwd=home, check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], cwd=home, check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=home, check=True, capture_output=True, text=True)
    run_by_hand(STUDY, Config())
    tags = only_run().tags
    assert tags["mlflow.source.git.commit"] == commit.stdout.strip()
    origin = json.loads(read_text(only_run().run_id, "origin.json", uri=tracking_uri()) or "")
    assert origin["rothamsted.data_digest"] == STUDY.data_digest(Config())  # type: ignore[misc]
    assert not origin.keys() & tags.keys()
    assert tags["rothamsted.study"] == "toy"


def test_a_diverged_run_is_finished_with_its_nan_on_record(home: Path) -> None:
    run_by_hand(STUDY, Config(lr=3.0, diverge_above=100.0))
    run = only_run()
    assert (run.status, run.tags["rothamsted.outcome"]) == ("FINISHED", "diverged")
    assert np.isnan(logged(run.run_id)["train_loss"][-1][1])


def test_a_failed_run_keeps_its_traceback(home: Path) -> None:
    run_by_hand(STUDY, Config(fail=True))
    run = only_run()
    assert (run.status, run.tags["rothamsted.reason"]) == ("FAILED", "RuntimeError: the toy was told to fail")
    assert "RuntimeError: the toy was told to fail" in (artifacts(run, home) / "traceback.txt").read_text()


def test_metrics_are_in_the_store_while_the_run_goes_on(home: Path) -> None:
    command = toy_command("--steps", 100, "--n_points", 100, "--sleep_seconds", 0.1)
    process = subprocess.Popen(command, cwd=home, env=toy_environment(), stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not any(run.metrics for run in find_runs(None, {})) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert process.poll() is None
        assert only_run().metrics["train_loss"] > 0
    finally:
        process.kill()
        process.wait()


def test_a_store_that_is_away_for_a_while_loses_no_measurement(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rothamsted.studies import run_record
    from rothamsted.tracking import Recorder

    real, n_calls = Recorder.flush, 0

    def sometimes_away(recorder: Any) -> None:
        nonlocal n_calls
        n_calls += 1
        if n_calls in (3, 4):  # the first opens the run
            raise StoreError("the store is away")
        real(recorder)

    monkeypatch.setattr(run_record, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(Recorder, "flush", sometimes_away)
    run_by_hand(STUDY, TEN)
    assert n_calls > 4
    assert logged(only_run().run_id) == expected(TEN)


# ---- mlflow run ----


def test_inside_mlflow_run_the_outer_run_is_the_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    outer = MlflowClient().create_run("0")
    MlflowClient().log_param(outer.info.run_id, "lr", "'0.1'")  # shell-quoted, as `mlflow run` logs it
    monkeypatch.setenv("MLFLOW_RUN_ID", outer.info.run_id)
    run_by_hand(STUDY, TEN)
    run = only_run()
    assert (run.run_id, run.status) == (outer.info.run_id, "FINISHED")
    assert (run.params["lr"], run.params["seed"]) == ("'0.1'", "3")
    assert logged(run.run_id) == expected(TEN)


def test_a_run_resumed_inside_mlflow_run_has_the_whole_history(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    stop_by_hand(home, n_points=4)
    first = only_run().run_id
    outer = MlflowClient().create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", outer)
    run_by_hand(STUDY, TEN, kept(home))
    assert logged(outer) == expected(TEN)
    [run] = [run for run in find_runs(None, {}) if run.run_id == outer]
    assert run.tags["rothamsted.continues"] == first


# ---- a name and a folder ----


def test_a_name_is_that_of_the_run_and_of_its_folder(run_toy: RunToy, home: Path) -> None:
    done = run_toy("--name", "base-1")
    assert done.returncode == 0, done.stderr
    assert only_run().name == "base-1"
    assert json.loads((home / "runs" / "base-1" / "summary.json").read_text())["outcome"] == "finished"
    again = run_toy("--name", "base-1")
    assert again.returncode == 2
    assert again.stderr == ("error: --name: runs/base-1 has the files of another run; give another name or remove it\n")
    assert len(find_runs(None, {})) == 1


@pytest.mark.parametrize("name", ["../out", "a/b", ".hidden", "", "a b"])
def test_a_name_that_is_no_folders_is_refused(name: str) -> None:
    with pytest.raises(StudyError, match=r"^--name: the name must be letters, digits, '_', '-' and '\.'"):
        ByHand(name=name)


def test_a_study_with_a_field_called_name_keeps_it(home: Path) -> None:
    class Named(Config):
        name: str = "all"

    study = Study(name="toy", config=Named, train=train, rtol=0.0)
    config, options = parse(study, ["--name", "mine"])
    assert (config.name, options) == ("mine", ByHand())  # type: ignore[attr-defined]


def test_a_run_that_is_killed_has_left_its_files_and_goes_on_from_its_folder(run_toy: RunToy, home: Path) -> None:
    fields = ("--seed", 3, "--steps", 40, "--n_points", 10, "--optimizer.momentum", 0.9)
    kill = ("--kill_at_step", 30, "--kill_marker", home / "marker")
    command = (*fields, *kill, "--name", "killed", "--checkpoint-every", 0)
    assert run_toy(*command).returncode == -signal.SIGKILL
    assert only_run().status == "RUNNING"
    folder = home / "runs" / "killed"
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    steps = [step for step, _ in expected(TEN)["epoch"]]
    assert [int(row["step"]) for row in rows] == steps[: len(rows)]
    assert len(rows) >= 6  # it dies on the way to step 30, of 40 in 10 points
    assert json.loads((folder / "summary.json").read_text())["outcome"] == "running"
    assert {"loss.svg", "loss.png", "lr_schedule.svg", "lr_schedule.png", "config.json", "metrics.json"} <= {
        path.name for path in folder.iterdir()
    }
    done = run_toy(*command)
    assert (done.returncode, only_run().status) == (0, "FINISHED"), done.stderr
    assert logged(only_run().run_id) == expected(TEN)
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    assert [int(row["step"]) for row in rows] == steps
    assert not (folder / "state").exists()


# ---- nothing left behind ----


def test_no_save_leaves_nothing_behind(run_toy: RunToy, home: Path) -> None:
    (home / "mlflow.db").unlink()
    assert run_toy("--no-save").returncode == 0
    assert list(home.iterdir()) == []


def missing(config: Any) -> str:
    raise ToyError("toy.csv: is missing; make it with prepare_data")


@pytest.fixture
def bare(home: Path) -> Path:
    """A working directory without a store: whatever appears in it has been created."""
    (home / "mlflow.db").unlink()
    return home


def test_missing_data_leave_nothing_behind(bare: Path) -> None:
    study = Study(name="toy", config=Config, train=train, rtol=0.0, data_digest=missing, user_errors=(ToyError,))
    with pytest.raises(DataError, match=r"toy\.csv: is missing"):
        run_by_hand(study, TEN, kept(bare))
    assert list(bare.iterdir()) == []


def test_an_unreachable_store_leaves_nothing_behind(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # the discard port: nobody listens
    with pytest.raises(StoreError):
        run_by_hand(STUDY, TEN, kept(bare))
    assert list(bare.iterdir()) == []


def test_checkpoints_of_another_config_are_refused_before_a_run_is_opened(home: Path) -> None:
    stop_by_hand(home, n_points=2)
    with pytest.raises(StudyError, match=r"lr was 0\.1 and is 0\.2"):
        run_by_hand(STUDY, TEN.model_copy(update={"lr": 0.2}), kept(home))
    assert len(find_runs(None, {})) == 1


# ---- stopped and started again ----


def kept(home: Path) -> ByHand:
    return ByHand(checkpoint_dir=home / "ck", checkpoint_seconds=0)


def stop_by_hand(home: Path, *, n_points: int) -> None:
    """Stop a run as a signal would, after so many measurements."""
    request = StopRequest()

    def stopping(configs: Any, state: Any = None) -> Iterator[Any]:
        for point, measurement in enumerate(train(configs, state), start=1):
            if point == n_points:
                request.signal_number = signal.SIGINT
            yield measurement

    parts = {"name": "toy", "config": Config, "varies": STUDY.varies, "rtol": 0.0, "data_digest": STUDY.data_digest}
    ending = run_by_hand(Study(train=stopping, **parts), TEN, kept(home), should_stop=request)  # type: ignore[arg-type]
    assert ending.outcome is Outcome.INTERRUPTED


def test_a_stopped_run_is_killed_in_mlflow_and_says_why(home: Path) -> None:
    stop_by_hand(home, n_points=3)
    run = only_run()
    assert (run.status, run.tags["rothamsted.outcome"]) == ("KILLED", "interrupted")
    assert run.tags["rothamsted.reason"] == "stopped at step 12"  # 40 steps in 10 points: the third


def test_a_stopped_run_goes_on_in_the_same_mlflow_run(home: Path) -> None:
    stop_by_hand(home, n_points=3)
    run_by_hand(STUDY, TEN, kept(home))
    run = only_run()
    assert (run.status, run.tags["rothamsted.outcome"], run.tags["rothamsted.reason"]) == ("FINISHED", "finished", "")
    assert logged(run.run_id) == expected(TEN)
    assert not (home / "ck").exists()


def test_a_finished_run_started_again_is_a_new_run(home: Path) -> None:
    run_by_hand(STUDY, TEN, kept(home))
    run_by_hand(STUDY, TEN, kept(home))
    assert [run.status for run in find_runs(None, {})] == ["FINISHED", "FINISHED"]


def test_a_run_whose_mlflow_run_was_deleted_goes_on_in_a_new_one(home: Path) -> None:
    from mlflow import MlflowClient

    stop_by_hand(home, n_points=3)
    MlflowClient().delete_run(only_run().run_id)
    run_by_hand(STUDY, TEN, kept(home))
    assert logged(only_run().run_id) == expected(TEN)
