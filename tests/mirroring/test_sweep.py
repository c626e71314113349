"""A whole sweep with a mirror beside it: what the user sees, and that the sweep takes no harm."""

from __future__ import annotations

import importlib.util
import io
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from rothamsted import api, tags
from rothamsted.errors import UserError
from rothamsted.executors import InProcessExecutor
from rothamsted.mirroring import beside
from rothamsted.result import SessionResult
from rothamsted.sweeping.open.from_file import load
from rothamsted.tracking import find_runs
from tests.sweeping.conftest import Project

WANDB = {"mode": "offline", "project": "demo"}
SWEEP: dict[str, Any] = {
    "space": {"lr": [0.1, 0.3]},
    "replicates": {"count": 2},
    "stages": [{"parameters": {"steps": 5}}, {"keep": 1, "parameters": {"steps": 10}}],
    "parameters": {"n_points": 5},
    "execution": {"wandb": WANDB},
}


def given(project: Project, changes: dict[str, Any] | None = None) -> tuple[SessionResult, str]:
    """The command, with its worker in this process: its result, and what it prints."""
    sweep, study = load(project.write({**SWEEP, **(changes or {})}), {}, project.root)
    console = Console(file=io.StringIO(), width=300)
    result = api.run(sweep, study, project.place, executor=InProcessExecutor(), console=console)
    return result, console.file.getvalue()  # type: ignore[attr-defined]


def folders(project: Project) -> set[str]:
    """The ids of the runs that were written."""
    return {one.name.rpartition("-")[2] for one in (project.root / "wandb").glob("offline-run-*")}


def replicates(project: Project) -> set[str]:
    found = find_runs(None, {}, uri=project.tracking_uri)
    return {run.run_id for run in found if tags.REPLICATE in run.tags}


def test_all_stages_are_mirrored_and_the_same_command_mirrors_what_is_missing_once(project: Project) -> None:
    result, shown = given(project)
    assert (result.exit_status, result.is_complete) == (0, True)
    assert len(replicates(project)) == 6
    assert folders(project) == replicates(project)
    assert shown.count("Weights & Biases: ") >= 2  # a line a stage

    _, again = given(project)
    assert "Weights & Biases" not in again
    assert folders(project) == replicates(project)

    # Of a key that was added when the sweep was over, everything is missing; the numbers stay as they were.
    shutil.rmtree(project.root / "wandb")
    other, shown = given(project, {"execution": {"wandb": {**WANDB, "project": "other"}}})
    assert "Weights & Biases: 4 replicates mirrored" in shown
    assert "Weights & Biases: 2 replicates mirrored" in shown
    assert folders(project) == replicates(project)
    assert other.analysis.objective == result.analysis.objective


@pytest.mark.parametrize("broken", ["no folder", "no program", "dies"])
def test_a_mirror_that_cannot_be_written_is_one_warning_and_the_sweep_ends_well(
    project: Project, broken: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if broken == "no folder":
        monkeypatch.setenv("WANDB_DIR", str(tmp_path / "missing"))
    elif broken == "no program":
        monkeypatch.setattr(beside.sys, "executable", str(tmp_path / "python"))
    else:
        (tmp_path / "wandb").mkdir()
        (tmp_path / "wandb.py").write_text("raise SystemExit('no such luck')")
        (tmp_path / "wandb").rmdir()
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    result, shown = given(project, {"stages": None, "parameters": {"steps": 5, "n_points": 5}})
    assert (result.exit_status, result.is_complete) == (0, True)
    warnings = [line for line in shown.splitlines() if line.startswith("warning: Weights & Biases: ")]
    assert len(warnings) == 1, shown
    assert warnings[0].endswith("the same command again mirrors what is missing")


def test_what_a_stopped_session_leaves_is_mirrored_by_the_next(project: Project) -> None:
    changes = {"stages": None, "parameters": {"steps": 5, "n_points": 5}}
    opened = project.start({**SWEEP, **changes})
    project.work(opened, lambda events: sum(event["event"] == "end" for event in events) >= 2)
    opened.close()
    assert folders(project) == set()
    given(project, changes)
    assert len(replicates(project)) == 4
    assert folders(project) == replicates(project)


@pytest.mark.parametrize(
    ("wandb", "said"),
    [
        ({"mode": "ofline", "project": "demo"}, r"execution\.wandb\.mode: .*'ofline'"),
        ({"mode": "offline"}, r"execution\.wandb\.project"),
        ({"project": "demo"}, r"execution\.wandb\.mode"),
        ({**WANDB, "project": "my/demo"}, r"execution\.wandb\.project: Weights & Biases takes .* none of / "),
        ({**WANDB, "group": "g" * 129}, r"execution\.wandb\.group: Weights & Biases takes at most 128 characters"),
        ({**WANDB, "grup": "g"}, r"execution\.wandb\.grup"),
        ({**WANDB, "mode": "online"}, r"mode online \(offline needs none\): there is no API key for 127\.0\.0\.1:9"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_made(project: Project, wandb: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        given(project, {"execution": {"wandb": wandb}})
    assert "\n" not in str(refused.value)
    assert not (project.root / "optuna.db").exists()


def test_without_the_package_the_line_names_the_extra(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None if name == "wandb" else find(name, *more))
    with pytest.raises(UserError, match=r"execution\.wandb: the package wandb is not installed; pip install 'rotham"):
        given(project)


def test_the_environment_wins_over_the_file(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"stages": None, "execution": {"wandb": {**WANDB, "mode": "online"}}, "parameters": {"steps": 5}}
    monkeypatch.setenv("WANDB_MODE", "disabled")
    given(project, changes)
    assert not (project.root / "wandb").exists()
    monkeypatch.setenv("WANDB_MODE", "dryrun")
    given(project, changes)
    assert folders(project) == replicates(project)


def test_the_key_is_short_and_dotted_on_the_command_line(project: Project) -> None:
    path = project.write({"stages": None})
    words = {"execution.wandb.mode": "offline", "execution.wandb.project": "demo"}
    sweep, _ = load(path, words, project.root)
    assert sweep.execution.wandb is not None
    assert (sweep.execution.wandb.mode, sweep.execution.wandb.project) == ("offline", "demo")
