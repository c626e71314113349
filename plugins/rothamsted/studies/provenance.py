"""Say where a run's numbers come from: the code's commit and uncommitted changes, user, command, machine."""

from __future__ import annotations

import getpass
import json
import platform
import shlex
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rothamsted import tags
from rothamsted.masking import MASK, masked
from rothamsted.studies.contract import Study

VARIABLES = ("execution.environment", "execution.runtime_env")  # keys of a sweep that hold variables


def source_tags(root: Path) -> dict[str, str]:
    """Return tags of the code under `root`, spelled as MLflow spells them.

    `mlflow.source.git.commit` and `rothamsted.git_dirty` (uncommitted changes: "true" or "false") are
    missing where `root` is not in a git repository with a commit, or git is not installed.
    """
    from rothamsted.tracking import git_commit  # imports MLflow: only where a run is written

    found = {"mlflow.source.name": command_line(sys.orig_argv[1:])[:500], "mlflow.source.type": "LOCAL"}
    found |= {**machine_facts(), tags.STARTED_BY: _pasted()}
    if user := _user():
        found["mlflow.user"] = user
    if code := git_commit(root):
        commit, is_dirty = code
        found[tags.COMMIT] = commit
        found[tags.DIRTY] = str(is_dirty).lower()
    return found


def command_line(words: Sequence[str]) -> str:
    """Return a command as it is recorded: without passwords, tokens and the values of variables.

    Example:
        >>> command_line(["sweep", "a.yaml", "execution.environment.KEY=abc", "storage=postgresql://me:pw@host/db"])
        'sweep a.yaml execution.environment.KEY=*** storage=postgresql://me:***@host/db'
    """
    return " ".join(_recorded(words))


def _recorded(words: Sequence[str]) -> list[str]:
    said, hides = [], False
    for word in words:
        key, separator, _ = word.partition("=")
        is_variable = key.lstrip("-").startswith(VARIABLES)
        said.append(MASK if hides else f"{key}={MASK}" if is_variable and separator else masked(word))
        hides = is_variable and not separator  # --execution.environment VALUE
    return said


def machine_facts() -> dict[str, str]:
    """Say what this process runs on, by the names of `tags.ORIGIN`: host, machine, threads, Python."""
    from rothamsted.tracking.environment import machine, threads

    return {
        tags.HOST: socket.gethostname(),
        tags.MACHINE: machine(),
        tags.THREADS: threads(),
        tags.PYTHON: platform.python_version(),
    }


def origin_files(root: Path, origin: str) -> dict[str, str]:
    """Return the artifacts that say where a run comes from, by path: the facts, the packages, what the commit lacks.

    Args:
        root: the folder of the code.
        origin: the text that `without_origin` gives.
    """
    from rothamsted.tracking.environment import environment_text, uncommitted

    changes = uncommitted(root)
    return {
        tags.ORIGIN_FILE: origin,
        tags.ENVIRONMENT_FILE: environment_text(),
        **({tags.CHANGES_FILE: changes} if changes else {}),
    }


def study_tags(study: Study, data_digest: str | None) -> dict[str, str]:
    """Return tags that name the study and the data that it trained on."""
    found = {tags.STUDY: study.name}
    return found if data_digest is None else found | {tags.DATA_SHA: data_digest}


def without_origin(found: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Split what is known of a run: its tags, which people read, and the text of its artifact `tags.ORIGIN_FILE`."""
    origin = {name: found[name] for name in tags.ORIGIN if name in found}
    return {name: text for name, text in found.items() if name not in origin}, json.dumps(origin, indent=2) + "\n"


def _pasted() -> str:
    """The command of this process as a shell takes it, and the folder that it was given in."""
    program, *rest = sys.orig_argv
    return f"cd {shlex.quote(str(Path.cwd()))} && {shlex.join([Path(program).name, *_recorded(rest)])}"


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None  # a container whose user has no name
