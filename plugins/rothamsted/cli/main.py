"""Find and run a command, `rothamsted COMMAND …`; print a mistake as one line; set the exit status.

A command that takes its words one by one is run for each of them.
Exit status: 0 done, 1 failed, 2 a mistake of the user, 3 not yet, 4 equal within a tolerance, 130 and 143 stopped by
a signal.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

from rothamsted.cli.after_dashes import with_command
from rothamsted.cli.arguments import each_alone, read_line
from rothamsted.cli.usage import USAGES
from rothamsted.errors import UserError
from rothamsted.given_files import refused_place
from rothamsted.leaving import leave_at_the_end
from rothamsted.printable import end_printably, error_line, log_printably, printable, traceback_of

Command = Callable[[Sequence[str]], int]
INTERRUPTED = 130
_WORSE = (0, 4, 3, 1, 2, 143, INTERRUPTED)  # exit statuses, the worst last

# command -> module that has a function of its name: a command is imported when it is called
_HOMES: Mapping[str, str] = {
    **dict.fromkeys(("sweep", "check", "worker"), "commands"),
    **dict.fromkeys(("train", "prepare_data"), "by_hand"),
    **dict.fromkeys(("list", "status", "delete"), "look_commands"),
    **dict.fromkeys(("doctor", "prune"), "care_commands"),
    "open": "open_command",
    **dict.fromkeys(("init", "explain", "completion"), "start_commands"),
    **dict.fromkeys(("analyze", "report", "compare", "power"), "analysis_commands"),
    "export": "export_command",
    "experiment_log": "log_command",
    "reproduce": "reproduce_command",
    "import_runs": "import_command",
    **dict.fromkeys(("promote", "rollback", "registry"), "promotion_commands"),
}
_NAMES = {"list": "list_sweeps", "open": "open_sweep"}  # where the command's name is one of Python's


def _later(command: str) -> Command:
    def call(arguments: Sequence[str]) -> int:
        module = import_module(f"rothamsted.cli.{_HOMES[command]}")
        return getattr(module, _NAMES.get(command, command))(arguments)

    return call


COMMANDS: dict[str, Command] = {name: _later(name) for name in USAGES}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the console script, which is this process; with words, run a command within another one's process."""
    if argv is None and "MLFLOW_RUN_ID" in os.environ:
        from rothamsted.outer_command import end_with_mlflow

        end_with_mlflow()
    if argv is not None:
        return _main(argv)
    end_printably()
    return leave_at_the_end(lambda: _main(None))


def _main(argv: Sequence[str] | None) -> int:
    try:
        status = _status(argv)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # `rothamsted list | head`: whoever reads has enough, and nobody would see a traceback
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _status(argv: Sequence[str] | None) -> int:
    arguments = with_command(sys.argv[1:] if argv is None else argv)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    log_printably()
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        return _help(arguments)
    if arguments[0] == "--version":
        from rothamsted import __version__

        print(__version__)
        return 0
    return _guarded(lambda: _run(arguments[0], arguments[1:]), is_verbose="-v" in arguments)


def _help(arguments: Sequence[str]) -> int:
    """The overview, or `rothamsted help COMMAND`."""
    from rothamsted.cli.names_help import overview

    if arguments[1:2] and arguments[1] in COMMANDS:
        return main([arguments[1], "--help"])
    print(overview())
    return 0 if arguments else 2


def _run(command: str, arguments: Sequence[str]) -> int:
    if command not in COMMANDS:
        from rothamsted.cli.by_hand import entry_point

        return entry_point(command, arguments)
    if "--help" in arguments or "-h" in arguments:
        return _show_help(command, arguments)
    if "verbose" in read_line(arguments, command=command).common:
        logging.getLogger().setLevel(logging.INFO)
    if command == "sweep":
        from rothamsted.cli.several_sweeps import files_of, run_all

        if len(lines := files_of(arguments, command=command)) > 1:
            return run_all(lines, run=lambda line: _guarded(lambda: COMMANDS["sweep"](line)), worst=worst)
        return COMMANDS["sweep"](lines[0])
    if command == "report":
        from rothamsted.cli.several_reports import lines_of, report_all

        if lines := lines_of(arguments):
            return report_all(lines, guarded=_guarded, worst=worst)
    if command == "check":
        from rothamsted.cli.several_sweeps import files_of

        lines = files_of(arguments, command=command)
    else:
        lines = each_alone(arguments, command=command)
    if len(lines) == 1:
        return COMMANDS[command](lines[0])
    return worst([_guarded(lambda line=line: COMMANDS[command](line)) for line in lines])


def _show_help(command: str, arguments: Sequence[str]) -> int:
    from rothamsted.cli.names_help import help_text

    if command == "train":
        from rothamsted.cli.by_hand import is_study

        if is_study(arguments[0]):
            return COMMANDS[command](arguments)  # the fields of that study
    print(help_text(command))
    if command == "prepare_data":
        from rothamsted.cli.by_hand import data_sets

        print(f"\n{data_sets()}")
    return 0


def worst(statuses: Sequence[int]) -> int:
    """Return the worst of several exit statuses."""
    return max(statuses, key=lambda status: _WORSE.index(status) if status in _WORSE else len(_WORSE), default=0)


def _guarded(call: Callable[[], int], *, is_verbose: bool = False) -> int:
    """Run a command; a user's mistake is one line and status 2."""
    try:
        return call()
    except (UserError, OSError) as error:
        line = error if isinstance(error, UserError) else refused_place(error)
        if line is None:
            raise
        print(error_line(line), file=sys.stderr)
        if is_verbose:
            print(printable(traceback_of(error)), end="", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
