"""The examples of docs/any-project.md, "Any command", run as they stand there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from rothamsted import tags
from rothamsted.cli.main import main
from rothamsted.tracking import find_runs, list_files, read_history
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "any-project.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+ file=(\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
LINES = re.findall(r"^rothamsted sweep space=.* -- .*$", PAGE, re.MULTILINE)
OWN = ["execution.executor=in_process", "execution.workers=1", "execution.report=false"]  # of a test, for its time


@pytest.fixture
def uri(tmp_path: Path, new_mlflow: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty folder with the page's files."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    uri = new_mlflow(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri


def _run(words: list[str], uri: str) -> list[tuple[str, float]]:
    """Outcome and objective of each replicate."""
    at = words.index("--") if "--" in words else len(words)
    assert main([*words[:at], *OWN, *words[at:]]) == 0
    found = find_runs(None, {tags.ROLE: "replicate"}, uri=uri)
    return [(run.tags[tags.OUTCOME], run.metrics["objective"]) for run in found]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.rpartition("-- ")[2])
def test_a_command_line_of_the_page_is_a_sweep(line: str, uri: str) -> None:
    words = shlex.split(line)
    replicates = _run(words[1:], uri)
    n_conditions = 4 if "decay" in line else 2
    assert [outcome for outcome, _ in replicates] == ["finished"] * 3 * n_conditions
    assert len({objective for _, objective in replicates}) == 3 * n_conditions  # the seed reaches the program


def test_the_page_has_an_example_of_each_kind_of_program() -> None:
    assert [line.rpartition("-- ")[2].split()[1] for line in LINES] == ["train.py", "with_click.py", "with_hydra.py"]


def test_the_file_of_the_page_is_the_same_sweep(uri: str) -> None:
    assert len(_run(["sweep", "train.yaml"], uri)) == 6


def test_hydra_has_a_curve_and_its_own_files_among_the_artifacts(uri: str) -> None:
    [line] = [line for line in LINES if "with_hydra" in line]
    _run([*shlex.split(line)[1:3], "replicates=1", *shlex.split(line)[3:]], uri)
    run = find_runs(None, {tags.ROLE: "trial"}, uri=uri)[0]
    assert len(read_history([run.run_id], ["val_loss"], uri=uri)[run.run_id]) == 3
    assert ".hydra/overrides.yaml" in list_files(run.run_id, ".hydra", uri=uri)
