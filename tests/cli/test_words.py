"""The words of a command line: three ways to write a key, words without one, help, and mistakes in one line."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from rothamsted.cli.arguments import pairs
from rothamsted.cli.main import COMMANDS, main
from rothamsted.cli.usage import USAGES
from rothamsted.errors import UserError


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
        ("worker", ["a", "x=1"], "unknown keys x; known: sweep, storage; rothamsted worker --help says"),
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
    assert set(USAGES[command].keys) <= set(listed)


def test_the_overview_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert listed == [*USAGES, "STUDY"]
    assert set(USAGES) == set(COMMANDS)


@pytest.mark.parametrize("command", sorted(USAGES))
def test_the_example_of_a_commands_help_is_taken_by_it(command: str) -> None:
    assert pairs(shlex.split(USAGES[command].example), command=command)


def test_a_misspelt_command_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["anlyze"]) == 2
    assert "no such command" in (error := capsys.readouterr().err)
    assert "did you mean analyze?" in error
    assert error.count("\n") == 1
