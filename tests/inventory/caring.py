"""Toy sweeps run to their end by the command, and what the doctor says of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rothamsted.cli.main import main
from tests.sweeping.conftest import Project

SMALL: dict[str, Any] = {
    "parameters": {"steps": 4, "n_points": 2},
    "space": {"lr": [0.05, 1.0]},
    "replicates": {"count": 3},
}


def swept(project: Project, changes: dict[str, Any] | None = None, *words: str) -> int:
    """Run a sweep by its command in this process."""
    return main(["sweep", str(project.write({**SMALL, **(changes or {})})), "execution.executor=in_process", *words])


def doctor(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    """What the doctor says: its exit status, and its findings."""
    capsys.readouterr()
    status = main(["doctor", "--json", *words])
    told = capsys.readouterr()
    return status, json.loads(told.out.splitlines()[-1]) if told.out else {"error": told.err}


def kinds(found: dict[str, Any]) -> list[str]:
    """The kinds of what was found."""
    return [one["kind"] for one in found["findings"]]
