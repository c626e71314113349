"""The study's page: its files, written into a copy of the project, and its commands, run as it says."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from projects.language_model.__main__ import STUDY
from rothamsted.studies.command_line import parse
from rothamsted.tracking import find_runs
from tests.projects.language_model.test_brought import PUBLISHED
from tests.projects.pages import commands_of, copied_project, files_of, page_of, run

PAGE = page_of("language_model")
FILES, COMMANDS = files_of(PAGE), commands_of(PAGE)


@pytest.fixture
def folder(tmp_path: Path, new_mlflow: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project with the page's files, tokens for its config and two texts."""
    (tmp_path / "tokens").mkdir()
    for part in ("train", "val"):
        np.save(tmp_path / "tokens" / f"{part}.npy", np.random.default_rng(0).integers(0, 10_000, 2000))
    (tmp_path / "texts").mkdir()
    for part in ("train", "valid"):
        (tmp_path / "texts" / f"TinyStoriesV2-GPT4-{part}.txt").write_text("A cat sat.\n<|endoftext|>\n" * 9)
    return copied_project(tmp_path, monkeypatch, new_mlflow, page=PAGE)


def test_the_page_has_its_commands_and_the_published_file() -> None:
    assert {mark: len(lines) for mark, lines in COMMANDS.items()} == {"run": 4, "slow": 4, "gpu": 3}
    assert json.loads(FILES["baseline.json"]) == json.loads(PUBLISHED)


@pytest.mark.slow
def test_the_commands_of_the_page_run(folder: Path) -> None:
    told = {command: run(command, folder) for command in COMMANDS["run"]}
    compared = next(text for command, text in told.items() if command.startswith("rothamsted compare"))
    assert "Baseline: " in compared
    assert "No norm: " in compared
    assert [path.name for path in (folder / "reports").iterdir()] == ["Baseline-vs-No-norm.html"]
    figures = {f"{figure}.{kind}" for figure in ("loss", "lr_schedule") for kind in ("svg", "png")}
    numbers = {"metrics.csv", "metrics.json", "summary.json", "config.json"}
    assert {path.name for path in (folder / "runs" / "base").iterdir()} == figures | numbers | {
        "samples",
        "checkpoints",
    }
    assert (folder / "runs" / "base" / "checkpoints" / "best.safetensors").is_file()
    rows = list(csv.DictReader((folder / "runs" / "own-loop" / "metrics.csv").read_text().splitlines()))
    assert [row["step"] for row in rows] == [*map(str, range(20, 201, 20)), "201"]
    assert {"base", "no-norm", "own-loop"} <= {found.name for found in find_runs(None, {})}


@pytest.mark.slow
def test_the_commands_of_the_page_that_take_longer_run(folder: Path) -> None:
    told = {command: run(command, folder) for command in COMMANDS["slow"]}
    brought = next(text for command, text in told.items() if "baseline.json" in command)
    assert "tokens: holds no vocabulary of the tokens" in brought
    assert (folder / "data" / "tinystories" / "valid.txt").is_file()


@pytest.mark.parametrize("command", COMMANDS["gpu"][1:])
def test_the_configs_that_need_a_gpu_are_read_as_the_page_gives_them(command: str, folder: Path) -> None:
    program, *words = shlex.split(command)[2:]
    config, options = parse(STUDY, words)
    assert program == "projects.language_model"
    assert (config.device, config.dtype, config.compile) == ("cuda", "bfloat16", True)  # type: ignore[attr-defined]
    assert options.output == Path("runs") / str(options.name)
