"""Folders of W&B, written by its real package without a network, become runs of MLflow."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from rothamsted.errors import DataError
from rothamsted.importing.wandb import offline
from tests.importing.conftest import Place, by_metric

SCRIPT = """
import time, wandb, numpy as np
quiet = wandb.Settings(console="off", silent=True, x_disable_stats=True, x_disable_meta=True, x_save_requirements=False)
given = dict(project="digits", mode="offline", dir=".", reinit="create_new", settings=quiet)
for seed in (0, 1):
    run = wandb.init(
        id=f"r{seed}", name=f"seed {seed}", group="first", job_type="train", tags=["a"], notes="**why**",
        config={"optimizer": {"lr": 0.1}, "layers": [4, 4], "seed": seed}, **given,
    )
    for step in range(3):
        run.log({"val/loss": 1 / (step + 1) + seed, "grad": {"norm": step, "max": 2.0 * step}}, step=10 * step)
    run.log({"odd": float("nan"), "up": float("inf"), "a picture": wandb.Image(np.zeros((2, 2), np.uint8))}, step=20)
    run.config.update({"late": {"key": True}})
    run.summary["best"] = 0.25
    run.finish(exit_code=seed)
run = wandb.init(id="none", name="nothing", group="second", **given)
run.finish()
for part in (0, 1):
    run = wandb.init(id="twice", name="resumed", config={f"part{part}": part}, **given)
    run.log({"loss": part}, step=part)
    run.finish()
    time.sleep(1.1)  # folders are named by the second
for more in ({"group": "third", "tags": ["a"], "notes": "why"}, {}):
    run = wandb.init(id="again", name="gone on", **more, **given)
    run.log({"loss": 1}, step=1 - len(more) // 3)
    run.finish()
    time.sleep(1.1)
run = wandb.init(id="cut", name="cut", **given)
for step in range(400):
    run.log({"loss": step, "text": "x" * 300}, step=step)
run.finish()
wandb.teardown()
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the package leaves."""
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    folder = tmp_path_factory.mktemp("offline")
    environment = {key: text for key, text in os.environ.items() if not key.startswith("WANDB_")}
    environment |= {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_ERROR_REPORTING": "false"}
    environment |= {"WANDB_CONFIG_DIR": str(folder / "config"), "WANDB_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def here(made: Path, place: Place) -> Place:
    """A copy of it in a test's own folder."""
    shutil.copytree(made / "wandb", place.folder / "wandb")
    return place


def file_of(place: Place, run_id: str) -> Path:
    [path] = place.folder.glob(f"wandb/*run-*/run-{run_id}.wandb")
    return path


def test_config_history_summary_tags_and_state_arrive(here: Place) -> None:
    here.bring("source=wandb", "group=first", "experiment=before")
    runs = here.runs("before")
    assert {name: run.status for name, run in runs.items()} == {"seed 0": "FINISHED", "seed 1": "FAILED"}
    run = runs["seed 1"]
    assert run.params == {"optimizer.lr": "0.1", "layers": "[4, 4]", "seed": "1", "late.key": "True"}
    history = here.history(run)
    assert history["val/loss"] == [(0, 2.0), (10, 1.5), (20, 1 / 3 + 1)]
    assert history["grad.max"] == [(0, 0.0), (10, 2.0), (20, 4.0)]
    assert history["best"] == [(20, 0.25)]
    assert str(history["odd"]) == "[(20, nan)]"
    assert history["up"] == [(20, float("inf"))]
    assert set(history) == {"val/loss", "grad.norm", "grad.max", "odd", "up", "best"}
    expected = {"wandb.group": "first", "wandb.job_type": "train", "wandb.tags": '["a"]', "wandb.id": "r1"}
    assert expected.items() <= run.tags.items()
    assert run.tags["mlflow.note.content"] == "**why**"
    assert 0 <= (run.end_ms or 0) - run.start_ms < 600_000


def test_a_picture_is_said_to_be_left_out(here: Place) -> None:
    out = here.bring("source=wandb", "group=first", "experiment=before")
    assert "1 logged value is not a number and is left out: a picture" in out


@pytest.mark.parametrize("which", [".", "wandb", "wandb/offline-run-*-r0", "wandb/offline-run-*-r0/run-r0.wandb"])
def test_a_folder_above_a_folder_of_runs_one_run_or_its_file_may_be_given(here: Place, which: str) -> None:
    [path] = here.folder.glob(which) if which != "." else [here.folder]
    out = here.bring(f"source={path}", "group=first", "experiment=before")
    assert f"{1 if 'r0' in which else 2} run" in out


def test_a_run_without_a_history_is_said(here: Place) -> None:
    assert "it has no history" in here.bring("source=wandb", "group=second", "experiment=before")
    assert here.runs("before")["nothing"].status == "FINISHED"


def test_sessions_of_one_run_are_one_run(here: Place) -> None:
    out = here.bring("source=wandb", "experiment=before")
    run = here.runs("before")["resumed"]
    assert here.history(run)["loss"] == [(0, 0.0), (1, 1.0)]
    assert run.params == {"part0": "0", "part1": "1"}
    assert "it has 2 folders: sessions of one run, whose points are joined" in out


def test_what_a_killed_process_has_left_is_taken_as_far_as_it_is_whole(here: Place) -> None:
    path = file_of(here, "cut")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    out = here.bring(f"source={path}", "experiment=before")
    run = here.runs("before")["cut"]
    points = here.history(run)["loss"]
    assert run.status == "KILLED"
    assert 200 < len(points) < 300  # of 400
    assert points == [(step, float(step)) for step in range(len(points))]
    assert "it has no record of its end: its process was killed, or still runs; it is taken as KILLED" in out


def test_a_damaged_block_costs_itself_and_no_more(here: Place) -> None:
    path = file_of(here, "cut")
    content = bytearray(path.read_bytes())
    content[40_000] ^= 1  # in the second block of 32 KiB
    path.write_bytes(content)
    [run] = offline.read(str(path), {})
    points = by_metric(list(run.points))["loss"]
    assert 250 < len(points) < 400
    assert points[0] == (0, 0.0)
    assert points[-1] == (399, 399.0)
    assert any("damaged" in note for note in run.notes)


def test_no_change_of_bytes_gives_anything_but_a_run_or_a_refusal(made: Path, tmp_path: Path) -> None:
    [path] = made.glob("wandb/*run-*/run-r0.wandb")
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    changed = tmp_path / "run-r0.wandb"
    for _ in range(60):
        content = bytearray(whole[: rng.integers(len(whole) // 2, len(whole))])
        for place in rng.integers(0, len(content), 3):
            content[place] = rng.integers(256)
        changed.write_bytes(content)
        with suppress(DataError):
            for run in offline.read(str(changed), {}):
                assert len(list(run.points)) <= 17


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "does not begin as a file of W&B does"), (b":W&B\xe1\xbe\x00", "names no run")],
)
def test_a_file_of_no_run_is_one_line(place: Place, content: bytes, said: str) -> None:
    (place.folder / "run-a.wandb").write_bytes(content)
    assert said in place.refused("source=run-a.wandb")


def test_one_file_that_cannot_be_read_is_a_note_of_the_others(here: Place) -> None:
    file_of(here, "r1").write_bytes(b"no run")
    out = here.bring("source=wandb", "experiment=before")
    assert "run-r1.wandb: does not begin as a file of W&B does" in out
    assert "seed 0" in here.runs("before")


def test_without_the_package_the_line_names_the_extra(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'rothamsted[wandb]'" in here.refused("source=wandb")


def test_a_pipe_in_place_of_a_file_is_not_waited_for(here: Place) -> None:
    path = file_of(here, "r1")
    path.unlink()
    os.mkfifo(path)
    out = here.bring("source=wandb", "group=first", "experiment=before")
    assert "must be a file, and is a pipe" in out


def test_a_session_that_resumes_a_run_belongs_to_its_group_without_saying_so(here: Place) -> None:
    here.bring("source=wandb", "group=third", "experiment=before")
    run = here.runs("before")["gone on"]
    assert here.history(run)["loss"] == [(0, 1.0), (1, 1.0)]
    assert (run.tags["wandb.group"], run.tags["wandb.tags"]) == ("third", '["a"]')
    assert run.tags["mlflow.note.content"] == "why"


def test_a_group_that_no_run_has_is_one_line_with_those_that_there_are(here: Place) -> None:
    assert "no run has the group thid; did you mean third?" in here.refused("source=wandb", "group=thid")
