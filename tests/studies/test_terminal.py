"""What a run by hand shows where the output is a file or a pipe."""

from __future__ import annotations

import io

from rich.console import Console

from rothamsted.studies.terminal import Display


def test_a_line_that_stands_there_already_is_not_said_again() -> None:
    # A slow run shows every measurement as it comes, and the last one again when it ends.
    out = io.StringIO()
    display = Display(console=Console(file=out), clock=lambda: 0.0)
    for text in ("step 1", "step 2", "step 2", "finished", "step 2"):
        display.say(text)
    assert out.getvalue().splitlines() == ["step 1", "step 2", "finished", "step 2"]
