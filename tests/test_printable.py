"""Text of others on a terminal, on a page, in a spreadsheet and as the name of a file."""

from __future__ import annotations

import csv
import io
import json
import logging
from pathlib import Path

import pytest
from rich.text import Text

from rothamsted.errors import as_line
from rothamsted.printable import (
    console,
    csv_text,
    csv_value,
    error_line,
    log_printably,
    markdown,
    printable,
    printable_json,
    without_bars,
)
from rothamsted.publish.folder_names import folder_names

STEERING = [
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\x9d8;;http://h\x9c",
    "\u202e",
    "\u2066",
    "\r",
    "\x08",
    "\x00",
    "\x7f",
]


@pytest.mark.parametrize("text", STEERING)
def test_nothing_that_steers_a_terminal_is_printed(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"a{text}b"
    console(width=100).print(name, markup=False, highlight=False)
    console(width=100).print(Text(name))
    print(printable(name))
    print(error_line(ValueError(name)))
    print(printable_json({"name": name}))
    said = capsys.readouterr().out
    assert not [c for c in said if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 or c in "\u202e\u2066"]
    assert json.loads(said.splitlines()[-1])["name"] == name


def test_colours_of_our_own_stay(capsys: pytest.CaptureFixture[str]) -> None:
    console(width=100, force_terminal=True, color_system="standard").print(Text("a", style="red"))
    assert "\x1b[31ma\x1b[0m" in capsys.readouterr().out


def test_tabs_line_ends_and_letters_of_the_world_are_printed_as_they_are() -> None:
    text = "größe\t学習\n\N{FAMILY}"
    assert printable(text) == text
    assert printable("a\r\nb") == "a\nb"


@pytest.mark.parametrize("text", [*STEERING, "\u00ad", "\U000e0041", "\ue000", "\ufeff", "\ud800", "\u2028"])
def test_an_error_and_a_text_write_out_the_same_characters(text: str) -> None:
    """One rule; in a line all kinds of white space are a space, and nothing that joins letters stays."""
    assert as_line(f"a{text}b") == (printable(f"a{text}b") if not text.isspace() else "a b")
    assert as_line(f"a{text}b").isprintable()
    assert as_line("\u200d\u3000a\tb\n") == "\\u200d a b"
    assert printable("\u200d\u3000\xa0a\tb\n") == "\u200d\u3000\xa0a\tb\n"


def test_log_lines_hold_no_secret_and_steer_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    root.handlers.clear()
    try:
        log_printably()
        logging.getLogger("theirs").warning("postgresql://u:SECRET@h \x1b[2J")
    finally:
        root.handlers[:] = before
    assert capsys.readouterr().err == "WARNING theirs: postgresql://u:***@h \\x1b[2J\n"


@pytest.mark.parametrize(
    "text",
    [
        "<img src=http://h/x>",
        "</td><script>",
        "<!-- -->",
        "![a](http://h/x)",
        "[a] (http://h)",
        "[a][b]",
        "[b]: http://h",
        "\\](http://h)",
    ],
)
def test_markdown_of_others_has_no_tag_and_no_link(text: str) -> None:
    shown = markdown(text)
    assert "<" not in shown
    for link in ("](", "] (", "][", "]:"):
        at = shown.find(link)
        n_before = len(shown[:at]) - len(shown[:at].rstrip("\\"))
        assert at < 0 or n_before % 2 == 1, shown  # an odd number of backslashes: the bracket is text


def test_markdown_leaves_what_is_harmless() -> None:
    text = "val_loss <= 5, hidden=[64, 64], **bold**, https://arxiv.org/abs/1711.00489"
    assert markdown(text) == text
    assert without_bars("a|b\\|c\nd") == "a\\|b\\\\\\|c d"


@pytest.mark.parametrize("text", ["=1+1", "+a", "-a", "@a", "\ta", "\ra", "'=1", "-2+3", "=cmd|' /C calc'!A0"])
def test_a_spreadsheet_runs_no_cell_and_the_text_is_read_back(text: str) -> None:
    [[cell]] = csv.reader(io.StringIO(csv_text([[text]]), newline=""))
    assert cell[0] == "'"
    assert csv_value(cell) == text


@pytest.mark.parametrize("text", ["-0.5", "+1e-3", "-inf", "0", "a=1", "", "'a'", "lr=0.1, b=-1"])
def test_numbers_and_other_texts_are_cells_as_they_are(text: str) -> None:
    [[cell, _]] = csv.reader(io.StringIO(csv_text([[text, "x"]])))
    assert (cell, csv_value(cell)) == (text, text)


@pytest.mark.parametrize(
    "keys",
    [
        ("a/b", "a?b", "a_b-1"),
        ("..", ".", "/", ""),
        ("A", "a", "a-1", "A-1"),
        ("學" * 200, "學" * 199),
        ("../../etc/passwd", "..\\x"),
        ("a\x00b", "a\nb"),
    ],
)
def test_no_two_names_of_files_are_one_and_none_leaves_its_folder(keys: tuple[str, ...], tmp_path: Path) -> None:
    names = folder_names(keys)
    assert len({name.casefold() for name in names.values()}) == len(keys)
    for name in names.values():
        (tmp_path / f"{name}_run_1").mkdir()
    assert len(list(tmp_path.iterdir())) == len(keys)
