"""Write the command lines of a report: quoted for a shell, each a line that can be pasted as it is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from rothamsted.tags import BY_CALL

LONGEST_NAME = 100  # letters, as the sweep file allows
FILE = "resolved.json"  # the sweep as it ran: every key written out, changes of the command line applied


def run_line(entry: str, parameters: Mapping[str, str], *, is_in_project: bool = True, project: str = ".") -> str:
    """Return one call of an entry point: `mlflow run . -e promote --env-manager local -P sweep=quickstart`.

    Args:
        entry: An entry point of MLproject. The commands of `rothamsted` have the same names.
        parameters: Name -> value.
        is_in_project: Whether an entry point of this project is trained. If not, there may be no MLproject with this
            entry point.
        project: Argument of `mlflow run`, see `project_of`.
    """
    if not is_in_project:
        given = [f"--{name} {shlex.quote(value)}" for name, value in parameters.items()]
        return " ".join([f"rothamsted {entry}", *given])
    given = [f"-P {shlex.quote(f'{name}={value}')}" for name, value in parameters.items()]
    return " ".join([f"mlflow run {project} -e {entry} --env-manager local", *given])


def call_line(name: str, study: str, changes: Mapping[str, Any]) -> str:
    """Return the call that goes on with a sweep: `rt.sweep(rt.load("digits").sweep, replicates=7)`.

    Args:
        name: Name of the sweep.
        study: The study as the sweep's file has it. A function without a name in a file or in a notebook's cells cannot
            be found again, so the call then begins with the result.
        changes: Dotted key -> value.
    """
    sections: dict[str, Any] = {}
    for key, value in changes.items():
        section, _, below = key.partition(".")
        if below and value is not None:
            sections.setdefault(section, {})[below] = value
        elif not below:
            sections[section] = value
    if sections.get("replicates", {}).keys() == {"count"}:
        sections["replicates"] = sections["replicates"]["count"]
    keys = "".join(f", {key}={value!r}" for key, value in sections.items())
    if study.startswith(":<") or study == ":":
        return f"rt.sweep(result.sweep{keys})  # result: what your call returned"
    return f"rt.sweep(rt.load({name!r}).sweep{keys})"


def project_of(started: str, commit: str) -> str:
    """Return the argument of `mlflow run`, quoted for a shell: the working directory, or an address at a commit.

    Args:
        started: How the sweep was started, see `tags.STARTED`.
        commit: The commit that it ran; empty: not known.
    """
    if started in ("", BY_CALL):
        return "."
    is_folder = started.startswith("/")
    return " ".join([shlex.quote(started), *([f"--version {commit}"] if commit and not is_folder else [])])


def is_entry_point(study: str | None) -> bool:
    """Return whether an entry point of MLproject is trained, and no function, command or other project."""
    return study is not None and ":" not in study and not study.endswith(".py")


def resolved_path(name: str) -> str:
    """Return where `fetch_line` puts the resolved file of the sweep of this name."""
    return f"{_folder(name)}/{FILE}"


def fetch_line(name: str, run_id: str) -> str:
    """Return the command that downloads the resolved file of a sweep from its run in the tracking store."""
    run, place = shlex.quote(run_id), _folder(name)
    return f"mlflow artifacts download --run-id {run} --artifact-path sweep/{FILE} --dst-path {place}"


def wrapped(line: str, width: int = 62) -> str:
    """Return a command over several lines, each at most `width` wide if possible, which a shell reads as one."""
    rows = [""]
    for part in re.split(r" (?=-)", line):
        if rows[-1] and len(rows[-1]) + len(part) + 3 > width:
            rows.append(f"  {part}")
        else:
            rows[-1] = f"{rows[-1]} {part}" if rows[-1] else part
    return " \\\n".join(rows)


def _folder(name: str) -> str:
    return "from-" + re.sub(r"[^\w.-]+", "-", name)


def name_beside(name: str, what: str) -> str:
    """Return the name of a sweep that is made from another: "quickstart-again"."""
    return f"{name.replace('.', '-')[: LONGEST_NAME - len(what) - 1]}-{what}"
