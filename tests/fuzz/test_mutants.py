"""Mutants of all that is read: 500 of each kind, as `python -m tests.fuzz` runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.harness import kinds

N_CASES = 500


@pytest.fixture(scope="module")
def tallies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of each kind; one process has the imports for all."""
    table = tmp_path_factory.mktemp("fuzz") / "table.json"
    command = [sys.executable, "-m", "tests.fuzz", "--cases", str(N_CASES), "--table", str(table)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    if not table.exists():
        raise RuntimeError(done.stderr)
    return {one["kind"]: one for one in json.loads(table.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("name", sorted(kinds()))
def test_a_mutant_is_refused_in_one_printable_line_or_accepted_whole(name: str, tallies: dict[str, Any]) -> None:
    found = tallies[name]
    assert found["faults"] == []
    assert found["accepted"] + found["refused"] == N_CASES + len(kinds()[name].seeds())


@pytest.mark.parametrize("name", sorted(kinds()))
def test_mutants_are_mutants_of_what_is_accepted(name: str, tallies: dict[str, Any]) -> None:
    """Each seed is accepted, and some of its mutants are and some are not: a reader that refuses all shows nothing."""
    assert tallies[name]["accepted"] > len(kinds()[name].seeds())
    assert tallies[name]["refused"] > 0
