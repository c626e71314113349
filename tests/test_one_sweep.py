"""The page that goes through one sweep names files that are there, in twelve steps."""

from __future__ import annotations

import re

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "one-sweep.md").read_text(encoding="utf-8")
ENGINE = ROOT / "plugins" / "rothamsted"


def test_the_page_has_twelve_steps_each_with_a_file() -> None:
    steps = re.findall(r"^(\d+)\. (.*)$", PAGE, flags=re.M)
    assert [int(number) for number, _ in steps] == list(range(1, 13))
    assert [number for number, text in steps if not re.search(r"`[\w/]+\.py`", text)] == []


def test_every_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`([\w/]+\.py)`", PAGE))
    assert len(named) > 20
    assert {name for name in named if not (ENGINE / name).is_file()} == set()
