"""Read an MLflow project's command: which parameters it names, whether it needs a shell."""

from __future__ import annotations

import shlex
import shutil
from string import Formatter

from rothamsted.spec.command import joined_lines
from rothamsted.tracking.address import absolute_uri

_READ_BY_A_SHELL = frozenset("|&;<>()$`\\*?[]{}~!#\n")
_READ_IN_DOUBLE_QUOTES = frozenset("$`\\!")


def placeholders(template: str) -> tuple[str, ...]:
    """Return the parameters that a command names, in order, without repetition.

    Raises:
        ValueError: braces that do not belong together.
    """
    names = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    return tuple(dict.fromkeys(names))


def placeholders_in_quotes(template: str) -> frozenset[str]:
    """Return the parameters that stand inside quotes of the command, where MLflow's own quotes would close them."""
    found, quote = set(), ""
    for literal, name, _, _ in Formatter().parse(template):
        quote = _quote_after(literal, quote)
        if name is not None and quote:
            found.add(name)
    return frozenset(found)


def argument_list(command: str) -> list[str] | None:
    """Return the arguments of a command that is a single program on the path and needs no shell; None for another."""
    command = joined_lines(command).strip()
    if not _is_plain(command):
        return None
    arguments = shlex.split(command)
    if not arguments or "=" in arguments[0] or shutil.which(arguments[0]) is None:
        return None  # an assignment, or something that only a shell knows
    return arguments


def _quote_after(text: str, quote: str) -> str:
    """Which quote is open after a text."""
    is_escaped = False
    for character in text:
        if is_escaped:
            is_escaped = False
        elif character == "\\" and quote != "'":
            is_escaped = True
        elif character in "'\"" and not quote:
            quote = character
        elif character == quote:
            quote = ""
    return quote


def _is_plain(command: str) -> bool:
    quote = ""
    for character in command:
        if quote == "'":
            quote = "" if character == "'" else quote
        elif quote:
            if character in _READ_IN_DOUBLE_QUOTES:
                return False
            quote = "" if character == quote else quote
        elif character in _READ_BY_A_SHELL:
            return False
        elif character in "'\"":
            quote = character
    return not quote


def run_variables(run_id: str, experiment_id: str, tracking_uri: str) -> dict[str, str]:
    """Return what `mlflow run` adds to a command's environment, with an absolute path of a local store.

    Raises:
        StoreError: the tracking URI is wrong.
    """
    tracking_uri = absolute_uri(tracking_uri)
    ids = {"MLFLOW_RUN_ID": run_id, "MLFLOW_EXPERIMENT_ID": experiment_id, "MLFLOW_TRACKING_URI": tracking_uri}
    if not tracking_uri.startswith("databricks"):
        return ids
    from mlflow.utils.databricks_utils import get_databricks_env_vars

    return ids | get_databricks_env_vars(tracking_uri)
