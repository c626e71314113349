"""A sweep mirrored online: its package sends to a server on loopback, which keeps what it gets."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from rothamsted import tags
from rothamsted.mirroring.beside import catch_up
from rothamsted.sweeping.opened import Opened
from rothamsted.tracking import FoundRun, find_runs, open_recorder, read_history
from tests.sketch import picture
from tests.sweeping.conftest import Project
from tests.sweeping.sketch_project import SWEEP
from tests.wandb_server import KEY, WandbServer, serve

CHANGES: dict[str, Any] = {
    **SWEEP,
    "space": {"lr": [0.5], "fail_at": [-1, 2]},
    "confirm": {"keep": 1, "replicates": 2},
    "execution": {"wandb": {"mode": "online", "project": "digits", "entity": "lab"}},
}


def runs_of(project: Project) -> dict[str, FoundRun]:
    found = find_runs(None, {tags.SWEEP: "sketches"}, uri=project.tracking_uri)
    return {run.run_id: run for run in found if tags.REPLICATE in run.tags}


@pytest.fixture(scope="module")
def server() -> Iterator[WandbServer]:
    with serve(WandbServer()) as server, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        yield server


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def opened(sketches: Project, server: WandbServer, said: list[str]) -> Opened:
    """A sweep that has ended, and is mirrored."""
    opened = sketches.start(CHANGES)
    sketches.work(opened)
    catch_up(opened, said.append)
    return opened


def test_the_server_has_each_replicate_with_its_metrics_and_end(
    sketches: Project, server: WandbServer, opened: Opened
) -> None:
    ours = runs_of(sketches)
    assert len(ours) == 6  # two conditions and a confirmed one, at two seeds
    assert set(server.runs) == set(ours)
    points = read_history(list(ours), uri=sketches.tracking_uri)
    for run_id, run in server.runs.items():
        one = ours[run_id]
        assert (run.group, run.jobType, run.config["seed"]) == (
            "sketches",
            one.tags[tags.PHASE],
            int(one.params["seed"]),
        )
        assert run.config["model"] == {"hidden": [4], "dropout": 0.0}
        assert run.exit_code == (1 if one.status == "FAILED" else 0)
        rows = {
            (key, value, row["_step"])
            for row in run.rows
            for key, value in row.items()
            if not key.startswith("_") and not isinstance(value, dict)
        }
        assert rows == {(point.key, point.value, point.step) for point in points[run_id]}
        assert run.summary["outcome"] == one.tags[tags.OUTCOME]
        assert run.summary.get("objective") == one.metrics.get("objective")


def test_pictures_are_sent(sketches: Project, server: WandbServer, opened: Opened) -> None:
    for run_id, run in server.runs.items():
        one = runs_of(sketches)[run_id]
        [content] = [content for name, content in run.files.items() if name.startswith("media/images/")]
        assert content == picture(int(one.tags[tags.SEED]), 1 if one.status == "FAILED" else 2)


def test_the_run_in_mlflow_links_to_it_and_the_session_says_where(
    sketches: Project, server: WandbServer, opened: Opened, said: list[str]
) -> None:
    for run_id, run in runs_of(sketches).items():
        assert run.tags[tags.MIRRORED].rpartition("#")[0] == f"{server.url}/lab/digits/runs/{run_id}"
    assert said[-1] == f"Weights & Biases: 6 replicates mirrored, {server.url}/lab/digits"


def test_the_key_is_nowhere_on_the_disk(sketches: Project, opened: Opened) -> None:
    # In another process: who opens and closes a file of SQLite lets go of the locks of his own.
    found = subprocess.run(["grep", "-rl", KEY, str(sketches.root)], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (1, "")


def test_what_was_sent_in_part_is_sent_to_the_same_run_and_no_row_twice(
    sketches: Project, server: WandbServer, opened: Opened
) -> None:
    run_id = next(run_id for run_id, run in runs_of(sketches).items() if run.status == "FINISHED")
    run = server.runs[run_id]
    whole = list(run.rows)
    run.rows, run.exit_code, run.state = whole[:1], None, "running"
    run.summary = dict(whole[0])
    with open_recorder(sketches.tracking_uri) as recorder:
        recorder.log(run_id, tags={tags.MIRRORED: ""})
    catch_up(opened, lambda line: None)
    assert [row["_step"] for row in run.rows] == [row["_step"] for row in whole]
    assert [row["validation/loss"] for row in run.rows] == [row["validation/loss"] for row in whole]
    assert (run.exit_code, run.state) == (0, "finished")
    assert len(server.runs) == 6


def test_a_key_that_is_refused_is_one_warning(
    sketches: Project, server: WandbServer, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run_id in runs_of(sketches):
        with open_recorder(sketches.tracking_uri) as recorder:
            recorder.log(run_id, tags={tags.MIRRORED: ""})
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "10")
    said: list[str] = []
    catch_up(opened, said.append)
    [line] = said
    assert line.startswith("warning: Weights & Biases: ")
    assert "0" * 40 not in line
