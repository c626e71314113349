"""Sweep files that are started by their names, listed with question and cost, and reported all together."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rothamsted.cli.main import main
from rothamsted.inventory.shipped import shipped_named, shipped_sweeps
from rothamsted.inventory.sweeps import list_sweeps
from tests.conftest import ROOT
from tests.inventory.test_listed import TWO
from tests.sweeping.conftest import Project

HERE = "execution.executor=in_process"
COMMENT = "# Question: does the toy\n#   learn?\n# Cost: 6 replicates of 0.01 s.\n# Source: none\n"


def shipped(project: Project, *names: str) -> None:
    """Sweep files as they ship, in `sweeps/toy` of the project."""
    folder = project.root / "sweeps" / "toy"
    folder.mkdir(parents=True)
    for name in names:
        own = name.replace("_", "-")
        text = project.write({**TWO, "name": own}, name="made.yaml").read_text()
        (folder / f"{name}.yaml").write_text(COMMENT + text.partition("\n")[2])


def test_the_files_that_ship_are_known_by_question_and_cost() -> None:
    found = {one.short: one for one in shipped_sweeps(ROOT)}
    one = found["batch_size/fixed_batch"]
    assert (one.name, one.question) == ("fixed-batch", "which gamma and learning rate are best at one batch size?")
    # its comment's third line: the count is the file's own, the time is what the machine took that measured last
    assert re.fullmatch(r"45 conditions x 3 seeds: 135 trainings; \d+ s on \d+ cores, .*", one.cost)
    assert [short for short, each in found.items() if not (each.name and each.question and each.cost)] == []


def test_a_broken_sweep_file_hides_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "sweeps"
    (folder / "folder.yaml").mkdir(parents=True)
    (folder / "good.yaml").write_text("# Question: which?\nname: good\n", encoding="utf-8")
    broken = {"bytes": b"\xff\xfe", "deep": b"x: " + b"[" * 2_000, "digits": b"x: " + b"9" * 5_000, "open": b"x: ["}
    for name, content in broken.items():
        (folder / f"{name}.yaml").write_bytes(content)
    assert [one.name for one in shipped_sweeps(tmp_path)] == ["", "", "", "", "good", ""]  # bytes, deep, …, open
    found = shipped_named("good", tmp_path)
    assert found is not None
    assert found.question == "which?"


@pytest.mark.parametrize("word", ["fixed_batch", "fixed-batch", "batch_size/fixed_batch"])
def test_a_file_that_ships_is_called_by_its_name(word: str) -> None:
    found = shipped_named(word, ROOT)
    assert found is not None
    assert found.path == ROOT / "sweeps" / "batch_size" / "fixed_batch.yaml"


def test_a_name_of_several_files_is_refused_with_the_names_that_tell_them_apart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["check", "quick", "--no-time"]) == 2
    assert capsys.readouterr().err == (
        "error: quick: several sweep files have this name; give one of emnist_mlp/quick, image_classifier/quick, "
        "language_model/quick\n"
    )


def test_a_name_that_no_file_has_is_answered_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["sweep", "fixed_bach"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(
        "error: fixed_bach: there is no such file, and no sweep of the folder sweeps has this name; "
    )
    assert "did you mean fixed_batch" in told


def test_two_sweeps_are_started_by_their_names_and_listed(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    shipped(project, "fixed_toy", "small_toy")
    assert main(["sweep", "fixed_toy", "small_toy", HERE]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if "(status " in line]
    assert [row.partition(" (")[0] for row in rows] == ["fixed_toy  done", "small_toy  done"]
    listed = list_sweeps(uri=project.tracking_uri, storage=project.storage)
    assert {one.name for one in listed} == {"fixed-toy", "small-toy"}

    assert main(["list"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "toy/fixed_toy does the toy learn? 6 replicates of 0.01 s." in lines
    assert [line.split()[:2] for line in lines if line.startswith("fixed-toy")] == [["fixed-toy", "finished"]]
    assert main(["list", "--json"]) == 0
    given = json.loads(capsys.readouterr().out)
    assert [one["short"] for one in given["shipped"]] == ["toy/fixed_toy", "toy/small_toy"]


def test_before_the_first_sweep_the_files_are_listed_all_the_same(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped(project, "fixed_toy")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project.root / 'none.db'}")
    assert main(["list"]) == 0
    told = capsys.readouterr().out
    assert "toy/fixed_toy" in told
    assert "no sweep has run here: tracking store" in told
    assert not (project.root / "none.db").exists()


def test_a_sweep_called_by_name_leaves_nothing_behind_where_nothing_is_saved(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped(project, "fixed_toy")
    before = sorted(project.root.iterdir())
    assert main(["sweep", "fixed_toy", "--no-save", HERE]) == 0
    assert "nothing is kept" in capsys.readouterr().out
    assert sorted(project.root.iterdir()) == before
    assert list_sweeps(uri=project.tracking_uri, storage=project.storage) == []


def test_all_sweeps_are_reported_with_a_page_each_and_an_index_that_leads_to_them(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped(project, "fixed_toy", "small_toy")
    assert main(["sweep", "--all", "sweeps/toy", HERE]) == 0
    for words in (
        ["--all", "folder=every"],
        ["fixed-toy", "small-toy", "folder=named"],
        ["sweep=fixed-toy,small-toy", "folder=c"],
    ):
        capsys.readouterr()
        assert main(["report", *words, "plots=curves"]) == 0
        folder = project.root / words[-1].partition("=")[2]
        assert sorted(path.name for path in folder.iterdir()) == ["fixed-toy.html", "index.html", "small-toy.html"]
        index = (folder / "index.html").read_text()
        assert sorted(re.findall(r'<a href="([^"]+)">', index)) == ["fixed-toy.html", "small-toy.html"]
        assert index.count("Does the toy learn?") == 2
        assert index.count("lr=1") >= 2  # the optimum after one step, the best condition of each
        assert f"index of 2 reports: {folder / 'index.html'}" in capsys.readouterr().out


def test_without_a_folder_reports_and_index_go_where_reports_lie(project: Project) -> None:
    shipped(project, "fixed_toy", "small_toy")
    assert main(["sweep", "fixed_toy", "small_toy", HERE]) == 0
    assert main(["report", "fixed-toy", "small-toy", "plots=curves"]) == 0
    assert (project.root / "reports" / "index.html").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--all", "a"], "rothamsted report: a cannot be given with --all; give one of the two"),
        (
            ["--all", "format=pdf"],
            "rothamsted report: --all writes pages, not figures; name the sweeps that you want figures of",
        ),
        (["--all"], "has a condition that ended"),
    ],
)
def test_all_reports_that_cannot_be_written_are_refused_in_a_line(
    project: Project, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["report", *words]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_a_sweep_that_is_called_index_keeps_its_page(project: Project) -> None:
    shipped(project, "index", "other")
    assert main(["sweep", "toy/index", "other", HERE]) == 0
    assert main(["report", "index", "other", "plots=curves", "folder=f"]) == 0
    names = {path.name for path in Path(project.root, "f").iterdir()}
    assert names == {"index.html", "other.html", "index-of-sweeps.html"}
