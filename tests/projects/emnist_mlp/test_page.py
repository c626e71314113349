"""The study's page: its commands, run as it says in a copy of the project, and the files that it names."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from projects.emnist_mlp.__main__ import STUDY
from projects.emnist_mlp.config import Config
from rothamsted.studies.command_line import parse
from rothamsted.studies.multirun import combinations
from rothamsted.tracking import find_runs
from tests.conftest import ROOT
from tests.projects.emnist_mlp.files import idx_files, write
from tests.projects.pages import commands_of, copied_project, page_of, run

PAGE = page_of("emnist_mlp")
COMMANDS = commands_of(PAGE)


@pytest.fixture
def folder(tmp_path: Path, new_mlflow: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project with a small EMNIST beside it."""
    write(tmp_path / "emnist-files", idx_files())
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    of_dvc = ("dvc.yaml", "params.yaml")
    return copied_project(tmp_path, monkeypatch, new_mlflow, page=PAGE, more_files=of_dvc, more_folders=[".dvc"])


def test_the_page_has_its_commands() -> None:
    assert {mark: len(lines) for mark, lines in COMMANDS.items()} == {"run": 3, "slow": 11, "download": 1}


def test_the_study_takes_the_words_of_the_commands_of_the_page() -> None:
    by_hand, several, composed = (shlex.split(command)[3:] for command in COMMANDS["run"])
    lines = [by_hand, *combinations(several), composed[:-2]]
    found = [parse(STUDY, line)[0].model_dump() for line in lines]
    assert [one["model"]["dropout"] for one in found] == [0.0, 0.2, 0.4, 0.0]
    assert (found[-1]["data"]["name"], found[-1]["optimizer"]["schedule"]) == ("emnist", "cosine")
    assert composed[-2:] == ["--cfg", "job"]


@pytest.mark.slow
def test_the_commands_of_the_page_run(folder: Path) -> None:
    told = [run(command, folder) for command in COMMANDS["run"]]
    assert "finished; 3 measurements" in told[0]
    assert "name: emnist" in told[2]
    assert "schedule: cosine" in told[2]
    assert sorted(found.params["model.dropout"] for found in find_runs(None, {})) == ["0.0", "0.2", "0.4"]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("dvc") is None, reason="dvc is not installed (pip install -e '.[dvc]')")
def test_the_commands_of_the_page_that_take_longer_run(folder: Path) -> None:
    for command in COMMANDS["slow"]:
        run(command, folder)
        if "synthetic_emnist" in command:
            assert (folder / "data/synthetic_emnist/images.pt").is_file()
            shutil.rmtree(folder / "data/synthetic_emnist")  # DVC takes no folder over that it did not make
    assert (folder / "data/synthetic_emnist/images.npz").is_file()
    written = {path.name for path in (folder / "reports").iterdir()}
    assert {"emnist-quick.html", "emnist-quick-samples_epoch0.png", "emnist-quick-curves.png"} <= written


def test_what_needs_the_network_names_a_data_set_of_the_study() -> None:
    words = shlex.split(COMMANDS["download"][0])
    assert next(word for word in words if word.startswith("dataset=")).partition("=")[2] in STUDY.datasets


@pytest.mark.parametrize("sweep", sorted((ROOT / "sweeps" / "emnist_mlp").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_page_names_every_sweep(sweep: Path) -> None:
    assert f"`{sweep.stem}`" in PAGE


def test_the_other_names_on_the_page_are_names_of_the_study() -> None:
    for name in ("training.optimizer.params.lr", "training.epochs", "training.batch_size"):
        assert f"`{name}`" in PAGE
        assert name in Config.ALIASES
