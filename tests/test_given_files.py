"""Files that the engine is given: what is no file, or is damaged, is one line with its name, and nothing waits."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rothamsted.calls.rows import rows_of
from rothamsted.errors import UserError
from rothamsted.foreign.report_lines import ReportFile, points_of_last_line
from rothamsted.mlproject import read_mlproject
from rothamsted.promotion.judge.policy_file import load_policy
from rothamsted.publish.export import read_names
from rothamsted.spec.load import read_sweep_file
from rothamsted.starters.from_here import functions_of
from rothamsted.starters.from_optuna import from_optuna
from rothamsted.starters.from_wandb import from_wandb

READERS: dict[str, Callable[[Path], Any]] = {
    "a.yaml": read_sweep_file,
    "b.yaml": lambda path: load_policy(path, path.parent),
    "MLproject": lambda path: read_mlproject(path.parent),
    "c.py": lambda path: from_optuna(str(path)),
    "d.yaml": lambda path: from_wandb(str(path)),
    "e.json": rows_of,
    "f.jsonl": rows_of,
    "g.csv": rows_of,
    "h.yaml": read_names,
    "report": lambda path: ReportFile(path=path).read(0),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "circle", "no UTF-8"])
def test_what_is_no_file_or_no_text_is_refused_in_one_line_at_once(kind: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "circle":
        path.symlink_to(path)
    else:
        path.write_bytes(b"\xff\xfe: [\n")
    if name == "report" and kind == "circle":
        assert READERS[name](path) == []  # as one that is not there yet
        return
    with pytest.raises(UserError) as caught:
        READERS[name](path)
    assert str(caught.value).isprintable()
    assert name in str(caught.value) or "ROTHAMSTED_REPORT" in str(caught.value)


def test_results_nested_too_deep_or_with_too_many_digits_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for text in ("[" * 100_000, '{"x": ' + "9" * 100_000 + "}"):
        path.write_text(text)
        with pytest.raises(UserError, match=r"a\.json: is damaged or of another kind"):
            rows_of(path)
    path.write_text('[{"x": ' + "9" * 400 + "}]")
    with pytest.raises(UserError, match=r"a\.json.*: x is too large for a float; correct it"):
        rows_of(path)


@pytest.mark.parametrize("line", ['{"loss": 1, "step": 9223372036854775808}', "[" * 100_000])
def test_a_reported_number_that_nothing_can_hold_is_refused(line: str, tmp_path: Path) -> None:
    path = tmp_path / "report"
    path.write_text(line + "\n")
    with pytest.raises(UserError, match="line 1 of"):
        ReportFile(path=path).read(0)
    assert all(point.step == 1 for point in points_of_last_line(line, 0))


@pytest.mark.parametrize("content", [b"x = '\0'", b"(" * 100_000, b"-" * 100_000 + b"1", b"\xff"])
def test_a_script_that_is_no_program_has_no_functions(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(content)
    assert functions_of(path) == []
