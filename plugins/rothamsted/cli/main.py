"""`rothamsted COMMAND key=value …`: finds the command, prints a user's mistake as one line, sets the exit status.

Apart from the commands because the way errors are shown is one rule for all of them.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from rothamsted.cli import commands
from rothamsted.cli.after_dashes import with_command
from rothamsted.cli.names_help import help_text, overview
from rothamsted.errors import UserError

Command = Callable[[Sequence[str]], int]


def _later(module: str, name: str) -> Command:
    """A command that is imported when it is called: workers need none of what it imports."""

    def call(arguments: Sequence[str]) -> int:
        return getattr(import_module(f"rothamsted.cli.{module}"), name)(arguments)

    return call


COMMANDS: dict[str, Command] = {
    "sweep": commands.sweep,
    "check": commands.check,
    "worker": commands.worker,
    "analyze": _later("analysis_commands", "analyze"),
    "report": _later("analysis_commands", "report"),
    "compare": _later("analysis_commands", "compare"),
    "power": _later("analysis_commands", "power"),
    "promote": _later("promotion_commands", "promote"),
    "rollback": _later("promotion_commands", "rollback"),
    "registry": _later("promotion_commands", "registry"),
    "prepare_data": commands.prepare,
}


def main(argv: Sequence[str] | None = None) -> int:
    """The console script. Exit status 2: a mistake of the user, printed in one line."""
    arguments = with_command(sys.argv[1:] if argv is None else argv)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(overview())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from rothamsted import __version__

        print(__version__)
        return 0
    command = COMMANDS.get(arguments[0])
    try:
        if command is not None and any(word in ("-h", "--help") for word in arguments[1:]):
            print(help_text(arguments[0]))
            if arguments[0] == "prepare_data":
                print(f"\n{commands.data_sets()}")
            return 0
        if command is None:
            return commands.entry_point(arguments[0], arguments[1:])
        return command(arguments[1:])
    except UserError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
