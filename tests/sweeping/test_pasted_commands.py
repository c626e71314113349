"""The commands that a report gives, pasted into a shell as they stand."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from rothamsted.analysis.analyze import analyze
from rothamsted.analysis.commands import run_line, wrapped
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.analysis.values import Dataset
from rothamsted.publish.pages import report_html
from rothamsted.reporting.next_steps import next_steps
from tests.reporting.reading import Page
from tests.sweeping.conftest import MLPROJECT, Project

NAME = "toys_1.0"
SMALL = {"space": {"lr": [0.00001, 0.1], "x": [0.0, 0.5]}, "replicates": {"count": 2}}
ENTRY = """  sweep:
    parameters:
      config: {type: string}
    command: "python -m rothamsted sweep --config {config}"
"""


def pasted(project: Project, text: str) -> None:
    """Run lines in a shell where `mlflow` and `python` are those of these tests."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", text],
        cwd=project.root,
        env=project.environment(PATH=path),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def scores(found: Dataset) -> dict[tuple[str, str], float]:
    """(condition, seed) -> objective of the search."""
    labels = {one.number: one.label for one in found.conditions}
    return {(labels[one.condition], one.seed): one.objective for one in found.replicates if one.phase == "search"}


def test_a_value_that_a_shell_would_split_or_expand_is_quoted() -> None:
    line = run_line("sweep", {"note": "it's $HOME & more"})
    assert shlex.split(line)[-2:] == ["-P", "note=it's $HOME & more"]
    assert shlex.split(wrapped(line, 20).replace("\\\n", "")) == shlex.split(line)  # as a shell joins lines


@pytest.fixture
def swept(project: Project) -> Project:
    """A small sweep that has ended, with a number that JSON writes as 1e-05, which YAML reads as text."""
    (project.root / "MLproject").write_text(MLPROJECT + ENTRY)
    project.work(project.start({"name": NAME, **SMALL}))
    return project


@pytest.mark.slow
def test_the_lines_under_how_to_reproduce_run_the_same_sweep(swept: Project) -> None:
    first = read_sweep(NAME, uri=swept.tracking_uri)
    page = Page(report_html(analyze(first), plots=("trends",)))
    shown = page.text("reproduce")
    assert all(line.split(" -P ")[0] in shown.replace("\\ ", "") for line in first.how_to_reproduce)
    pasted(swept, "\n".join(wrapped(line) for line in first.how_to_reproduce))
    again = read_sweep("toys_1-0-again", uri=swept.tracking_uri)
    assert scores(again) == scores(first)
    assert len(scores(first)) == 8


@pytest.mark.slow
def test_the_command_to_do_next_confirms_the_best_conditions_of_the_same_sweep(swept: Project) -> None:
    first = analyze(read_sweep(NAME, uri=swept.tracking_uri))
    step = next_steps(first)[0]
    assert step.words.startswith("Confirm ")
    pasted(swept, "\n".join(map(wrapped, step.lines)))
    found = analyze(read_sweep(NAME, uri=swept.tracking_uri))
    assert found.best is not None
    assert {one.condition for one in found.confirmed} == set(found.best.members)
    assert all(one.luck.n_confirmed == 10 for one in found.confirmed)
    assert scores(found.dataset) == scores(first.dataset)
