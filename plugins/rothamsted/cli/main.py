"""`rothamsted COMMAND --key value …`: finds the command, prints a user's mistake as one line, sets the exit status.

Apart from the commands because the way errors are shown is one rule for all of them.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from rothamsted.cli import commands
from rothamsted.cli.names_help import HELP, help_text
from rothamsted.errors import UserError

Command = Callable[[Sequence[str]], int]
USAGE = """usage: rothamsted COMMAND [--key value ...]

  sweep --config FILE [--key value ...]   run a sweep, or go on with it
  check FILE [--key value ...]            validate a sweep file and print its plan
  worker --sweep NAME [--storage URL]     work on a running sweep, from any machine
  analyze --sweep NAME [--level 0.9 ...]  compute all statistics again, write them to MLflow; --export DIR: JSON too
  report --sweep NAME [--plots a,b]       write the report as one HTML page; --format png,svg,pdf: figures instead
  compare --runs a,b,c                    put runs or sweeps side by side
  power --sweep NAME --difference D       how many replicates a difference takes
  promote --sweep NAME [--dry_run true]   champion or not: judge the confirmed winner by registry/*.yaml
  rollback --model NAME [--reason TEXT]   the previous champion again
  registry --model NAME                   versions, verdicts, champions
  prepare_data --dataset NAME [--key value ...]   make a data file; --help names the data sets and their options
  ENTRY_POINT [--field value ...]         run a study of MLproject by hand

Keys are those of the sweep file (execution.workers, trials, ...) and the study's parameters.
COMMAND --help of sweep, check, analyze, report, compare and promote lists samplers, plots and all else with names."""


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
    arguments = list(sys.argv[1:] if argv is None else argv)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE)
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from rothamsted import __version__

        print(__version__)
        return 0
    command = COMMANDS.get(arguments[0])
    if arguments[0] in HELP and any(word in ("-h", "--help") for word in arguments[1:]):
        print(help_text(arguments[0]))
        return 0
    try:
        if command is None:
            return commands.entry_point(arguments[0], arguments[1:])
        return command(arguments[1:])
    except UserError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
