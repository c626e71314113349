"""A command line with placeholders: its words as a shell splits them, and the arguments of one replicate."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from rothamsted.spec.command import CommandError, joined_words, nested, read_command
from rothamsted.spec.hydra_text import as_override


def arguments(text: str, **values: Any) -> list[str]:
    command = read_command(text)
    return command.arguments(values, seed="seed", config=Path("/tmp/c.json"), output=Path("/tmp/out"))


def test_a_value_goes_where_its_placeholder_stands() -> None:
    assert arguments("python train.py --lr {lr} --seed={seed}", lr=0.1, seed=3) == [
        "python",
        "train.py",
        "--lr",
        "0.1",
        "--seed=3",
    ]


def test_a_value_never_becomes_two_words_or_a_shells_command() -> None:
    note = "a 'b' $(touch X); \"c\""
    assert arguments("python t.py {note} x{note}", note=note) == ["python", "t.py", note, f"x{note}"]


def test_all_parameters_and_the_seed_are_passed_as_options() -> None:
    # As argparse, click and tyro take them; a value that begins with a dash needs the equals sign in argparse.
    found = arguments("python t.py {parameters}", lr=0.1, shift=-1e-05, **{"opt.name": "sgd"}, seed=3)
    assert found[2:] == ["--lr", "0.1", "--shift=-1e-05", "--opt.name", "sgd", "--seed", "3"]


def test_what_has_a_placeholder_of_its_own_is_not_repeated_among_all_parameters() -> None:
    found = arguments("python t.py --learning-rate {lr} {parameters} -s {seed}", lr=0.1, depth=2, seed=3)
    assert found[2:] == ["--learning-rate", "0.1", "--depth", "2", "-s", "3"]


def test_a_flag_is_there_or_not_or_says_no() -> None:
    assert arguments("t {a:flag} {b:flag} {c:no_flag} {d:no_flag}", a=True, b=False, c=True, d=False)[1:] == [
        "--a",
        "--c",
        "--no-d",
    ]


def test_a_flag_that_is_neither_true_nor_false_is_refused() -> None:
    with pytest.raises(CommandError, match=r"\{a:flag\} needs true or false, not 1; write --a \{a\}"):
        arguments("t {a:flag}", a=1)


def test_the_config_file_and_the_output_folder_are_paths() -> None:
    assert arguments("t --config {config} --out={output}/x", lr=1)[1:] == [
        "--config",
        "/tmp/c.json",
        "--out=/tmp/out/x",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "python train.py --lr {lr} --seed {seed}",
        "python train.py \\\n  --lr {lr} \\\n  --seed {seed}\n",  # a YAML block, |
        "python train.py \\ --lr {lr} \\   --seed {seed}",  # the same lines folded, >, or plain
        "python\\\n train.py --lr {lr} --se\\\ned {seed}",
    ],
)
def test_a_command_may_go_over_lines_that_end_in_a_backslash(text: str) -> None:
    assert shlex.join(arguments(text, lr=0.1, seed=3)) == "python train.py --lr 0.1 --seed 3"


def test_quotes_and_doubled_braces_are_taken_as_a_shell_and_a_format_take_them() -> None:
    assert arguments("t 'a b' \"c d\" e\\ f '{{\"x\": 1}}' '|'")[1:] == ["a b", "c d", "e f", '{"x": 1}', "|"]


MISTAKES = {
    "": "is empty",
    "{lr} train.py": "must begin with a program",
    "python a.py > log": "> is for a shell, and no shell reads this command; quote the word that has it, or write bash",
    "python a.py && python b.py": "& is for a shell",
    "python a.py $HOME": "$ is for a shell",
    "python a.py\npython b.py": "goes over several lines",
    "python 'a.py": "cannot be split into words: No closing quotation",
    "python a.py {": "braces stand for a value; double braces that are meant as text",
    "python a.py '{\"x\": 1}'": "is not a placeholder; double braces that are meant as text",
    "python a.py {lr!r}": "is not a placeholder",
    "python a.py {lr:.3f}": "{lr:.3f} is not a placeholder",
    "python a.py x{parameters}": "{parameters} stands for whole words; put blanks around it",
    "python a.py --y={x:flag}": "{x:flag} stands for whole words",
    "python a.py {seed:flag}": "{seed} has no form flag",
}


@pytest.mark.parametrize(("text", "says"), MISTAKES.items(), ids=MISTAKES)
def test_a_command_that_cannot_be_read_says_why_and_what_to_write(text: str, says: str) -> None:
    with pytest.raises(CommandError) as refused:
        read_command(text)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("text", "script", "name"),
    [
        ("python train.py {parameters}", "train.py", "train"),
        ("python -u src/fit.py --x", "src/fit.py", "fit"),
        ("python -m lab.train {overrides}", "lab.train", "lab.train"),
        ("uv run train.py {seed}", "train.py", "train"),
        ("./fit {seed}", "./fit", "fit"),
        ("Rscript 'my fit.R' {seed}", "my fit.R", "my_fit"),
    ],
)
def test_a_command_is_called_after_its_script(text: str, script: str, name: str) -> None:
    command = read_command(text)
    assert (command.script, command.name) == (script, name)


@given(st.lists(st.text(st.characters(exclude_characters="{}\x00", codec="utf-8"), min_size=1), min_size=1))
def test_words_of_a_command_line_are_the_same_words_in_the_file(words: list[str]) -> None:
    words = ["t", *words]
    assert read_command(joined_words(words)).arguments({}, seed=None, config=Path("c"), output=Path("o")) == words


@given(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text())
def test_hydra_reads_an_override_back_as_the_same_value(value: Any) -> None:
    if isinstance(value, str) and ("\x00" in value or "\n" in value or "\r" in value):
        return  # no word of a command line; a line's end in a quoted value, which Hydra's own grammar may not have
    [found] = OverridesParser.create().parse_overrides([as_override("group.name", value)])
    read = found.value()
    text = read if isinstance(value, str) and isinstance(read, str) else getattr(read, "text", read)
    assert (type(text), text) == (type(value), value)


def test_dotted_parameters_are_nested_in_the_config_file() -> None:
    assert nested({"opt.lr": 0.1, "opt.name": "sgd", "seed": 1}) == {"opt": {"lr": 0.1, "name": "sgd"}, "seed": 1}
    with pytest.raises(CommandError, match="opt is a parameter"):
        nested({"opt": 1, "opt.lr": 0.1})
    with pytest.raises(CommandError, match="opt is a parameter"):
        nested({"opt.lr": 0.1, "opt": 1})
