"""docs/commands.md is what the table of commands says."""

from __future__ import annotations

from rothamsted.cli.commands_page import page
from tests.conftest import ROOT


def test_the_page_of_commands_is_made_from_the_table() -> None:
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == page(), (
        "make it again: python -m rothamsted.cli.commands_page > docs/commands.md"
    )
