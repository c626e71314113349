"""`status --watch` follows a sweep that another process runs, until it is over."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from rothamsted.cli.main import main
from rothamsted.cli.progress_lines import START_LOOKS, progress_lines, watch
from rothamsted.cli.screen import Screen
from rothamsted.inventory.progress import progress_of
from rothamsted.inventory.sweeps import find_listed, list_sweeps
from rothamsted.search.sql.listed import CountedTrials
from rothamsted.tracking import find_run
from tests.inventory.test_listed import TWO, finished
from tests.sweeping.conftest import Project, stop_in_replicate


def test_a_running_sweep_is_followed_to_its_end(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    path = project.write({**TWO, "confirm": {"keep": 1, "replicates": 3}})
    process = subprocess.Popen(
        [sys.executable, "-m", "rothamsted", "sweep", str(path)],
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 200
        while not list_sweeps(uri=project.tracking_uri, storage=project.storage) and time.monotonic() < until:
            time.sleep(0.2)
        status = main(["status", "toys", "--watch", "--json"])
        assert (process.wait(200), status) == (0, 0)
    finally:
        process.kill()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["state"] for line in lines if line["state"] not in ("running", "unfinished")] == ["finished"]
    done = [line["n_done"] + line["n_fresh_done"] for line in lines]
    assert done == sorted(done)
    assert (lines[-1]["n_done"], lines[-1]["n_fresh_done"], lines[-1]["n_fresh_all"]) == (2, 3, 3)


def test_the_expected_end_is_the_work_that_is_left_by_what_a_condition_took(project: Project) -> None:
    with project.start({**TWO, "space": {"lr": [0.05, 0.5, 1.0]}}) as opened:
        project.work(opened, should_stop=stop_in_replicate(5, 1))  # the second condition is begun
        listed = find_listed("toys", uri=project.tracking_uri, storage=project.storage)
        progress = progress_of(listed, None, storage=project.storage)
        assert progress.conditions.n_complete == 1
        left = 2 * progress.conditions.mean_seconds / max(1, progress.n_running)  # two conditions are left
        assert progress.seconds_left == pytest.approx(left)
        lines = progress_lines(progress, now=lambda: 0.0)
    assert lines[0].startswith("toys: running, begun ")
    assert "1 of 3 done" in lines[1]


def test_a_sweep_that_is_over_is_shown_once(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    finished(project, TWO)
    assert main(["status", "toys", "--watch"]) == 0
    said = capsys.readouterr().out
    assert said.count("toys: finished") == 1
    assert "the search's own estimate, at lr=1" in said


def test_a_sweep_that_is_just_being_made_is_waited_for(project: Project) -> None:
    # Its search is there, with no lease, no run and no trial: nobody works on it yet.
    finished(project, {})
    listed = find_listed("toys", uri=project.tracking_uri, storage=project.storage)
    whole = progress_of(listed, find_run(listed.run_id, uri=project.tracking_uri), storage=project.storage)
    new = replace(whole, listed=replace(whole.listed, state="unfinished"), conditions=CountedTrials())
    reads = iter([new, new, whole])
    waited: list[float] = []
    assert watch(lambda: next(reads), Screen(), sleep=waited.append) is whole
    assert len(waited) == 2
    waited.clear()
    assert watch(lambda: new, Screen(), sleep=waited.append) is new  # whoever made it has died
    assert len(waited) == START_LOOKS
