"""Contests: given conditions on common seeds, each replicate once, whatever is killed in between."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console

from rothamsted import api, promoting, tags
from rothamsted.analysis.find import find_sweep
from rothamsted.catalog import EXECUTORS
from rothamsted.errors import ResumeError, SpecError, StoreError, StudyError, UserError
from rothamsted.executors import Event, Job
from rothamsted.spec import Execution, Objective
from rothamsted.studies import drive, load_study
from rothamsted.tracking import FoundRun, find_run, find_runs
from tests.sweeping.conftest import Project
from tests.sweeping.in_this_process import WatchedExecutor, in_this_process, use
from tests.sweeping.line_project import add_line_study
from tests.sweeping.test_run import wait_until

TOYS = ({"lr": 0.3, "steps": 8, "n_points": 4}, {"lr": 0.5, "x": 0.5, "steps": 8, "n_points": 4})


@pytest.fixture
def here(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose contests are run by a worker in this process."""
    use(monkeypatch, in_this_process)
    return project


def contest(project: Project, **changes: Any) -> list[list[str]]:
    """A contest of two toys on three seeds, with arguments replaced."""
    arguments: dict[str, Any] = {
        "name": "toys.contest",
        "study": "toy",
        "contestants": TOYS,
        "labels": ("champion", "challenger"),
        "seeds": (7, 3, 5),
        "objective": Objective(metric="val_loss", direction="minimize"),
        "storage": project.storage,
        "experiment_id": "0",
        "models": False,
        "execution": Execution(workers=1),
    }
    console = changes.pop("console", Console(file=io.StringIO()))
    place = replace(project.place, root=changes.pop("root", project.root))
    work = partial(api.work, executor=EXECUTORS["local"](), console=console)
    return promoting.contest(place, work=work, **{**arguments, **changes})


def runs_of(project: Project, ids: list[list[str]]) -> list[list[FoundRun]]:
    found = [[find_run(run_id, uri=project.tracking_uri) for run_id in of] for of in ids]
    return [[run for run in of if run is not None] for of in found]


def objective_of(project: Project, study_name: str, config: dict[str, Any], seed: int, metric: str) -> float:
    """The study's own last value, trained here without any engine around it."""
    study = load_study(f"python -m projects.{study_name}", project.root)
    config = {**config, "seed": seed}
    [ending] = drive(study, [study.config(**config)], on_measurement=lambda member, measured: None)
    return ending.history[-1].metrics[metric]


def refused(project: Project, kind: type[UserError], **changes: Any) -> str:
    """The one line of a contest that does not begin."""
    with pytest.raises(kind) as caught:
        contest(project, **changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_contestant_is_trained_on_every_seed_as_its_study_alone_would(here: Project) -> None:
    # Authority: the study itself, driven in this process. The contestants differ in a number, in a list, and in
    # fields that only one of them has.
    add_line_study(here)
    contestants = [{"steps": 3, "lr": 0.05, "widths": []}, {"steps": 4, "lr": 0.2, "widths": [2], "shift": 0.5}]
    objective, seeds = Objective(metric="loss", direction="minimize"), (7, 3)
    ids = contest(here, study="line", contestants=contestants, seeds=seeds, objective=objective, models=True)
    found = runs_of(here, ids)
    expected = [[objective_of(here, "line", config, seed, "loss") for seed in seeds] for config in contestants]
    assert [[run.metrics["objective"] for run in of] for of in found] == expected
    assert [[run.tags[tags.SEED] for run in of] for of in found] == [["7", "3"], ["7", "3"]]
    assert all(run.tags[tags.MODEL].startswith("models:/m-") for of in found for run in of)


def test_a_contest_that_is_called_again_gives_the_same_runs_and_trains_nothing(here: Project) -> None:
    ids = contest(here)
    n_runs = len(find_runs(None, {}, uri=here.tracking_uri))
    assert contest(here) == ids
    assert len(find_runs(None, {}, uri=here.tracking_uri)) == n_runs == 1 + 2 + 6


def test_the_runs_of_a_contest_say_what_they_are(here: Project) -> None:
    [champion, _], [challenger, *_] = (of[:2] for of in runs_of(here, contest(here)))
    kept = (tags.ROLE, tags.PHASE, tags.SWEEP, tags.CONTESTANT, tags.SEED)
    assert [champion.tags[key] for key in kept] == ["replicate", "contest", "toys.contest", "champion", "7"]
    above = [find_run(one.tags["mlflow.parentRunId"], uri=here.tracking_uri) for one in (champion, challenger)]
    assert [one.name for one in above if one is not None] == ["champion", "challenger"]
    assert (champion.name, challenger.name) == ("seed 7", "seed 7")


def test_a_contest_is_no_sweep_to_whoever_looks_for_one(here: Project) -> None:
    contest(here)
    with pytest.raises(StoreError, match=r"there is no sweep called 'toys\.contest'"):
        find_sweep("toys.contest", uri=here.tracking_uri)


def test_a_contest_leaves_a_search_of_the_same_stores_alone(here: Project) -> None:
    context = here.start({"name": "toys", "replicates": {"count": 2}})
    contest(here)
    here.work(context)
    assert context.queue.counts().complete == 6  # its own 3 x 2 grid
    assert find_sweep("toys", uri=here.tracking_uri)[0].run_id == context.sweep_run_id


def test_one_contestant_alone_can_be_trained_on_more_seeds(here: Project) -> None:
    [found] = runs_of(here, contest(here, contestants=TOYS[:1], labels=["champion"], seeds=(11, 12)))
    assert [run.metrics["objective"] for run in found] == [
        objective_of(here, "toy", TOYS[0], seed, "val_loss") for seed in (11, 12)
    ]


def test_a_contestant_that_fails_has_its_runs_in_the_answer_too(here: Project) -> None:
    contestants = [TOYS[0], {**TOYS[1], "fail_at_seed": 3}]
    found = runs_of(here, contest(here, contestants=contestants))
    assert [run.tags[tags.OUTCOME] for run in found[1]] == ["finished", "failed", "finished"]


def test_the_terminal_shows_each_contestant_and_names_no_winner(here: Project) -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=200)
    contest(here, console=console)
    text = screen.getvalue()
    assert re.search(r"champion\s+│ lr=0\.3\s.*n\s=\s3\)", text)
    assert "best" not in text


PROGRAM = """
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from rich.console import Console
from tests.sweeping.conftest import Project
from tests.sweeping.test_contest import TOYS, contest
toys = [{**toy, "sleep_seconds": 0.05} for toy in TOYS]
print(contest(Project(root=Path.cwd()), contestants=toys, console=Console(), **eval(sys.argv[1])))
"""


def spawn_contest(project: Project, arguments: str = "{}") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, arguments],
        cwd=project.root,
        env=project.environment(PYTHONPATH=os.pathsep.join(sys.path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def replicates(project: Project) -> list[FoundRun]:
    return find_runs(None, {tags.ROLE: "replicate"}, uri=project.tracking_uri)


def check_once_each(project: Project) -> None:
    """Six finished replicates, one run each, with the numbers of the study alone."""
    found = replicates(project)
    assert sorted((run.tags[tags.CONTESTANT], run.tags[tags.SEED]) for run in found) == sorted(
        (label, seed) for label in ("champion", "challenger") for seed in ("3", "5", "7")
    )
    assert {run.status for run in found} == {"FINISHED"}
    for run in found:
        toy = TOYS[run.tags[tags.CONTESTANT] == "challenger"]
        assert run.metrics["objective"] == objective_of(project, "toy", toy, int(run.tags[tags.SEED]), "val_loss")


@pytest.mark.slow  # of sweeps the same is tested in test_run
def test_a_contest_whose_process_is_killed_goes_on_under_its_name(here: Project) -> None:
    process = spawn_contest(here)
    wait_until(lambda: sum(run.status == "FINISHED" for run in replicates(here)) >= 2)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    for worker in workers:  # a worker would finish its replicate first: the hard case is that it cannot
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    n_before = sum(run.status == "FINISHED" for run in replicates(here))
    assert 2 <= n_before < 6
    ids = contest(here, contestants=[{**toy, "sleep_seconds": 0.05} for toy in TOYS])
    check_once_each(here)
    assert sorted(run_id for of in ids for run_id in of) == sorted(run.run_id for run in replicates(here))


@pytest.mark.slow  # two more processes; of sweeps the same is tested in test_run
def test_a_worker_that_is_killed_is_replaced_and_no_replicate_is_run_twice(project: Project, tmp_path: Path) -> None:
    trap = {"kill_at_step": 5, "kill_marker": str(tmp_path / "killed")}
    execution = Execution(workers=1, retries=1)
    contest(project, contestants=[{**toy, **trap} for toy in TOYS], execution=execution)
    assert (tmp_path / "killed").exists()
    check_once_each(project)


def stopping() -> WatchedExecutor:
    def press(job: Job, event: Event) -> None:
        if event.said.get("event") == "start":
            signal.raise_signal(signal.SIGTERM)

    return WatchedExecutor(on_event=press)


def test_a_contest_that_is_stopped_by_a_signal_says_so_and_can_go_on(
    here: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, stopping)
    with pytest.raises(KeyboardInterrupt):
        contest(here)
    assert [run.status for run in replicates(here)] == ["KILLED"]
    use(monkeypatch, in_this_process)
    contest(here)
    check_once_each(here)


def test_a_contest_of_the_same_name_with_other_contents_is_refused(here: Project) -> None:
    contest(here, seeds=(7, 3))
    message = refused(here, ResumeError, seeds=(7, 4))
    assert message.startswith("contest toys.contest: was started before with other contents: replicates.seeds: [7, 3]")
    changed = [TOYS[0], {**TOYS[1], "x": 0.6}]
    assert "contestants" in refused(here, ResumeError, seeds=(7, 3), contestants=changed)


def test_a_contest_does_not_take_the_name_of_a_sweep(here: Project) -> None:
    here.start({"name": "toys"})
    assert "there is a sweep of this name" in refused(here, StoreError, name="toys")


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [
        ({"contestants": [TOYS[0], {**TOYS[0], "x": 0.0}]}, SpecError, "challenger is the same as champion"),
        ({"contestants": [TOYS[0], {**TOYS[1], "seed": 1}]}, SpecError, "challenger has a seed of its own, 1"),
        ({"contestants": [TOYS[0], {"rate": 1}]}, StudyError, "contest toys.contest, challenger: rate is not a field"),
        ({"labels": ["a"]}, SpecError, "2 contestants and 1 labels"),
        ({"labels": ["a", "a"]}, SpecError, "labels must differ"),
        ({"seeds": ()}, SpecError, "has no seeds"),
        ({"seeds": (1, 1)}, SpecError, "contest toys.contest: replicates.seeds: 1 is given twice"),
        ({"name": "a contest"}, SpecError, "contest a contest: name: must be at most 100 letters"),
        ({"study": "toys"}, UserError, "study 'toys' is not an entry point"),
        ({"root": Path("/")}, UserError, "/MLproject: there is no such file"),
    ],
)
def test_a_contest_that_does_not_hold_together_is_refused_before_anything_is_made(
    here: Project, changes: dict[str, Any], kind: type[UserError], reason: str
) -> None:
    assert reason in refused(here, kind, **changes)
    assert find_runs(None, {}, uri=here.tracking_uri) == []
    assert not (here.root / "optuna.db").exists()
