"""Words for people and JSON for programs do not mix, and what JSON does not have is null."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import pytest

from rothamsted.cli.screen import Screen, screen_of
from tests.conftest import ROOT


def test_json_has_null_for_what_is_not_finite(capsys: pytest.CaptureFixture[str]) -> None:
    screen = screen_of(["quickstart", "--json"], command="status")
    screen.give({"a": math.nan, "b": [math.inf, 1.5], "c": {"d": None, "e": True}})
    screen.say("a word")
    screen.show("a result for people")
    told = capsys.readouterr()
    assert json.loads(told.out) == {"a": None, "b": [None, 1.5], "c": {"d": None, "e": True}}
    assert told.err == "a word\n"


def test_without_json_words_and_results_are_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.give({"a": 1})
    screen.say("a word")
    screen.show("a result")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("a word\na result\n", "")


def test_quiet_leaves_results_alone(capsys: pytest.CaptureFixture[str]) -> None:
    screen = screen_of(["-q"], command="list")
    screen.say("a word")
    screen.console.print("a table")
    screen.show("a result")
    assert capsys.readouterr().out == "a result\n"


def test_no_colour_goes_into_a_pipe_or_where_none_is_wanted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")  # as a terminal
    Screen().console.print("[red]word[/red]")
    assert "\x1b[31m" not in capsys.readouterr().out


@pytest.mark.parametrize("words", [["list"], ["--help"], ["sweep", "--help"], ["explain"]])
def test_whoever_reads_a_part_of_the_output_sees_no_traceback(words: list[str]) -> None:
    command = [sys.executable, "-m", "rothamsted", *words]
    reader, writer = os.pipe()
    os.close(reader)  # nobody reads: the first line that is written meets a closed pipe
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=ROOT, timeout=120)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
