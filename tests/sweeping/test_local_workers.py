"""A sweep whose workers are processes that misbehave: it ends, and its screen shows what must be seen and no more."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from rothamsted import api
from rothamsted.executors import LocalExecutor
from rothamsted.sweeping.open.from_file import load
from tests.conftest import ROOT
from tests.sweeping.conftest import Project, stop_in_replicate

NOISE = """
    if step == 1:
        import logging, sys, warnings
        print("a line of the study's own")
        for fd in (1, 2):
            os.write(fd, b"\\xff\\xfe is not UTF-8\\n" * 10_000)
        warnings.warn("the labels are not sorted")
        logging.getLogger("projects.toy").warning("the validation set is empty")
        warnings.warn_explicit("a library's own", UserWarning, logging.__file__, 1)
"""


def screen(project: Project, changes: dict[str, Any]) -> str:
    """What the terminal shows of a sweep whose coordinator is this process and whose workers are others."""
    path = project.write(changes)
    sweep, study = load(path, {}, project.root)
    text = io.StringIO()
    api.run(sweep, study, project.place, executor=LocalExecutor(), console=Console(file=text, width=1000))
    return text.getvalue()


@pytest.fixture
def local(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Workers find the tests' packages, as those of the console script do."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return project


def test_warnings_of_workers_are_shown_once_and_bytes_that_are_not_utf8_hang_nothing(local: Project) -> None:
    changes = {"space": {"lr": [0.1, 0.2]}, "replicates": {"count": 2}, "execution": {"checkpoint_every": 0.001}}
    local.work(local.start(changes), stop_in_replicate(1, 6))
    for checkpoint in (damaged := list(local.root.glob("checkpoints/**/*.safetensors"))):
        checkpoint.write_bytes(b"")
    study = local.root / "projects" / "toy" / "__init__.py"
    head = "def _misbehave(config: Config, step: int) -> None:\n"
    study.write_text(study.read_text().replace(head, head + NOISE))
    shown = screen(local, {**changes, "execution": {**changes["execution"], "workers": 2}})
    assert "4 done | 0 running | 0 failed | 0 remaining" in shown
    for text in ("the labels are not sorted", "the validation set is empty", max(map(str, damaged))):
        assert shown.count(text) == 1, text
    assert "is damaged (its SHA-256 is not the one in its name)" in shown
    assert "(from rothamsted.studies.checkpoint)" in shown
    for text in ("a line of the study's own", "a library's own", "UTF-8"):
        assert text not in shown


def test_a_replicate_that_is_killed_for_its_time_is_said_to_be_over_it(
    local: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rothamsted.sweeping.coordinator.coordinator.TIMEOUT_GRACE_SECONDS", 0.25)
    monkeypatch.setattr("rothamsted.sweeping.coordinator.coordinator.SETUP_SECONDS", 0.0)  # the toy says nothing of it
    changes = {
        "parameters": {"steps": 1, "n_points": 1, "sleep_seconds": 60.0},  # never reaches a measurement
        "space": {"lr": [0.1]},
        "replicates": {"count": 1},
        "execution": {"timeout_per_trial": 0.5},
    }
    shown = screen(local, changes)
    why = "its worker was ended: its replicate was 0.25 s over its timeout_per_trial of 0.5 s"
    [told] = [line for line in shown.splitlines() if line.startswith("trial 0 replicate 0: ")]
    assert told == f"trial 0 replicate 0: {why}"
