"""Print a command's words and result: to a console for people, as JSON for programs."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rothamsted.cli.arguments import read_line
from rothamsted.errors import UserError
from rothamsted.printable import console, printable, printable_json

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 160  # characters of a table, where no terminal says how wide it is


@dataclass(frozen=True, kw_only=True)
class Screen:
    """Says where a command writes.

    Attributes:
        is_json: the result goes to standard output as JSON, words to standard error.
        is_quiet: no words, only results and errors.
    """

    is_json: bool = False
    is_quiet: bool = False

    @property
    def console(self) -> Console:
        """Return the console for words, tables and progress; NO_COLOR and pipes are respected."""
        file = sys.stderr if self.is_json else sys.stdout
        return console(file=file, quiet=self.is_quiet, width=None if file.isatty() else WIDTH)

    def say(self, *lines: str) -> None:
        """Print words, as they are, unless they are not wanted."""
        if not self.is_quiet:
            print(*map(printable, lines), sep="\n", file=sys.stderr if self.is_json else sys.stdout, flush=True)

    def show(self, *lines: str) -> None:
        """Print a result for people: also with -q; with --json `give` prints it."""
        if not self.is_json:
            print(*map(printable, lines), sep="\n", flush=True)

    def give(self, result: Any) -> None:
        """Print the result as one line of JSON, where JSON is wanted."""
        if self.is_json:
            print(printable_json(plain(result)), flush=True)


def is_agreed(screen: Screen, question: str, *, command: str) -> bool:
    """Ask before something goes that cannot be undone.

    Raises:
        UserError: without a terminal nobody can answer.
    """
    if not sys.stdin.isatty():
        raise UserError(
            f"rothamsted {command}: standard input is not a terminal, so nobody can confirm; give --yes to do what "
            "is listed above"
        )
    screen.say(f"{question} [y/N]")
    return input().strip().lower() in ("y", "yes")


def screen_of(arguments: Sequence[str], *, command: str) -> Screen:
    """Return what --json and -q ask for."""
    common = read_line(arguments, command=command).common
    return Screen(is_json="json" in common, is_quiet="quiet" in common)


def plain(value: Any) -> Any:
    """Return a value as JSON has it: NaN and infinity are null, other things their text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(member) for key, member in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(member) for member in value]
    return str(value)
