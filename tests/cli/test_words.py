"""The words of a command line: three ways to write a key, words without one, help, and mistakes in one line."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from rothamsted.cli.arguments import each_alone, pairs, read_line
from rothamsted.cli.main import COMMANDS, main, worst
from rothamsted.cli.several_sweeps import files_of
from rothamsted.cli.usage import USAGES
from rothamsted.errors import UserError
from rothamsted.studies.given_words import as_options
from rothamsted.studies.multirun import combinations
from tests.conftest import ROOT


@pytest.mark.parametrize(
    "words",
    [
        ["quickstart", "level=0.9", "folder=out"],
        ["--sweep", "quickstart", "--level", "0.9", "--folder", "out"],
        ["--sweep=quickstart", "--level=0.9", "folder=out"],
        ["level=0.9", "quickstart", "--folder", "out"],
    ],
)
def test_a_key_is_written_in_three_ways_in_any_order(words: list[str]) -> None:
    assert pairs(words, command="analyze") == {"sweep": "quickstart", "level": "0.9", "folder": "out"}


def test_keys_of_a_sweep_file_are_open_and_may_be_dotted() -> None:
    words = ["s.yaml", "space.lr.points=5", "space=lr=0.1,0.2 width=3", "optimizer.name=sgd"]
    assert pairs(words, command="sweep") == {
        "config": "s.yaml",
        "space.lr.points": "5",
        "space": "lr=0.1,0.2 width=3",
        "optimizer.name": "sgd",
    }


def test_a_file_with_an_equals_sign_in_its_name_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lr=3.yaml").touch()
    assert pairs(["lr=3.yaml"], command="check") == {"config": "lr=3.yaml"}


def test_compare_takes_any_number_of_names() -> None:
    assert pairs(["a", "b", "c"], command="compare") == pairs(["--runs", "a,b,c"], command="compare")


@pytest.mark.parametrize(
    ("command", "words", "line"),
    [
        ("analyze", ["a", "b"], "'b' is a word too many; write rothamsted analyze SWEEP KEY=VALUE ..."),
        ("analyze", ["a", "sweep=b"], "sweep is given twice, as 'a' and as sweep=b"),
        ("analyze", ["--level"], "--level has no value; write level=VALUE"),
        ("analyze", ["level=1", "--level", "2"], "level is given twice; give it once"),
        ("analyze", ["a", "levle=0.9"], "unknown keys levle; did you mean level? the nearest of "),
        ("worker", ["a", "x=1"], "unknown keys x; known: sweep, storage, wait; rothamsted worker --help says"),
    ],
)
def test_a_mistake_says_what_to_write(command: str, words: list[str], line: str) -> None:
    with pytest.raises(UserError) as told:
        pairs(words, command=command)
    assert str(told.value).startswith(f"rothamsted {command}: {line}")


@pytest.mark.parametrize("word", ["-h", "--help"])
@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help_with_all_its_keys(command: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "whatever", word]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out.startswith(f"usage: rothamsted {command} ")
    assert USAGES[command].does in told.out
    listed = [line.split()[0] for line in told.out.splitlines() if line.startswith("  ")]
    assert {USAGES[command].written(key) for key in USAGES[command].keys} <= set(listed)


def test_the_overview_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert listed == [*USAGES, "STUDY"]
    assert set(USAGES) == set(COMMANDS)


@pytest.mark.parametrize("command", sorted(USAGES))
def test_the_example_of_a_commands_help_is_taken_by_it(command: str) -> None:
    assert pairs(shlex.split(USAGES[command].example), command=command)


@pytest.mark.parametrize("is_project", [True, False])
def test_a_misspelt_command_is_told_the_nearest(
    is_project: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT if is_project else tmp_path)
    assert main(["anlyze"]) == 2
    assert "no such command" in (error := capsys.readouterr().err)
    assert "did you mean analyze?" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "words", "found"),
    [
        ("delete", ["a", "b", "--yes"], {"sweep": "a,b", "yes": "true"}),
        ("check", ["a.yaml", "--no-time"], {"config": "a.yaml", "time": "false"}),
        ("check", ["a.yaml", "--time", "false"], {"config": "a.yaml", "time": "false"}),  # as MLflow passes -P time=
        ("promote", ["a", "--dry-run", "replicates=5"], {"sweep": "a", "dry_run": "true", "replicates": "5"}),
        ("promote", ["a", "--dry_run", "true"], {"sweep": "a", "dry_run": "true"}),
        (
            "sweep",
            ["a.yaml", "--no-save", "--verbose", "true"],
            {"config": "a.yaml", "save": "false", "verbose": "true"},
        ),
        ("sweep", ["-q", "a.yaml", "--json", "-v"], {"config": "a.yaml"}),
    ],
)
def test_a_switch_is_a_bare_option_or_a_key_that_is_true_or_false(
    command: str, words: list[str], found: dict[str, str]
) -> None:
    assert pairs(words, command=command) == found


def test_several_words_are_several_lines_with_the_same_keys() -> None:
    lines = each_alone(["a", "level=0.9", "b", "-q"], command="analyze")
    assert [pairs(line, command="analyze") for line in lines] == [
        {"sweep": "a", "level": "0.9"},
        {"sweep": "b", "level": "0.9"},
    ]
    assert all(read_line(line, command="analyze").common == {"quiet"} for line in lines)


def test_of_several_commands_the_worst_status_is_returned() -> None:
    assert [worst(statuses) for statuses in ([0, 0], [0, 3], [3, 1, 0], [1, 2], [2, 130, 0])] == [0, 3, 1, 2, 130]


def test_a_folder_is_all_its_sweep_files_in_order(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "notes.txt", "c.yaml"):
        (tmp_path / name).touch()
    lines = files_of([f"all={tmp_path}", "trials=3"], command="sweep")
    assert [pairs(line, command="sweep") for line in lines] == [
        {"config": str(tmp_path / name), "trials": "3"} for name in ("a.yml", "b.yaml", "c.yaml")
    ]
    with pytest.raises(UserError, match=r"a\.yaml cannot be given with all=.*; give one of the two"):
        files_of(["a.yaml", f"all={tmp_path}"], command="check")
    with pytest.raises(UserError, match="is not a folder; give a folder with sweep files"):
        files_of(["--all", str(tmp_path / "missing")], command="sweep")


def test_a_word_with_an_equals_sign_is_a_field_of_the_study_that_is_trained_by_hand() -> None:
    words = ["lr=0.1", "--set", "a=1 b=2", "--no-save", "opt.lr=1", "--depth", "3", "--x=y"]
    assert as_options(words) == ["--lr=0.1", "--set", "a=1 b=2", "--no-save", "--opt.lr=1", "--depth", "3", "--x=y"]


def test_train_takes_every_combination_as_hydra_does() -> None:
    assert combinations(["lr=0.1,0.2", "name=a", "n=1,2", "--no-save"]) == [
        ["lr=0.1", "name=a", "n=1", "--no-save"],
        ["lr=0.1", "name=a", "n=2", "--no-save"],
        ["lr=0.2", "name=a", "n=1", "--no-save"],
        ["lr=0.2", "name=a", "n=2", "--no-save"],
    ]
    with pytest.raises(UserError, match=r"-m: lr\.points: a grid cannot cut a range.*add hydra/sweeper=optuna"):
        combinations(["lr=interval(0,1)"])


def test_every_combination_is_trained_and_the_worst_status_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bowl.py").write_text(
        "def bowl(seed: int, x: float = 0.0):\n    if x == 3.0:\n        raise ValueError('three')\n    return x\n"
    )
    words = ["train", "bowl.py:bowl", "seed=0", "-m", "--no-save"]
    assert main([*words, "x=1.0,2.0"]) == 0
    assert capsys.readouterr().out.count("finished; 1 measurement") == 2
    assert main([*words, "x=3.0,4.0"]) == 1


def test_all_sweep_files_of_a_folder_are_checked_one_by_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["check", "--all", "sweeps/batch_size", "--time=false"]) == 0
    found = re.findall(r"^sweep: +(\S+) \(study batch_size\)$", capsys.readouterr().out, re.MULTILINE)
    assert len(set(found)) == len(list((ROOT / "sweeps" / "batch_size").glob("*.yaml"))) > 3


@pytest.mark.parametrize("command", ["analyze", "sweep", "list"])
def test_a_word_that_is_no_utf_8_is_refused_in_one_line(command: str) -> None:
    for word in ("metric=val\udcff", "\ud800", "--lr=\udc80"):
        with pytest.raises(UserError, match="holds characters that cannot be stored") as refused:
            read_line([word], command=command)
        assert str(refused.value).isprintable()
