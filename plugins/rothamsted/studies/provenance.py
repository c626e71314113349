"""Says where a run's numbers come from: the code's commit, who ran it, by which command.

It is apart because runs made by MLflow's client get none of the tags that its fluent API would set.
"""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rothamsted import tags
from rothamsted.masking import MASK, masked
from rothamsted.studies.contract import Study

VARIABLES = ("execution.environment", "execution.runtime_env")  # keys of a sweep that hold variables


def source_tags(root: Path) -> dict[str, str]:
    """Tags of the code under `root`, spelled as MLflow spells them.

    `mlflow.source.git.commit` and `rothamsted.git_dirty` (uncommitted changes: "true" or "false") are
    missing where `root` is not in a git repository with a commit, or git is not installed.
    """
    from rothamsted.tracking import git_commit  # imports MLflow: only where a run is written

    found = {"mlflow.source.name": command_line(sys.orig_argv[1:])[:500], "mlflow.source.type": "LOCAL"}
    if user := _user():
        found["mlflow.user"] = user
    if code := git_commit(root):
        commit, is_dirty = code
        found["mlflow.source.git.commit"] = commit
        found["rothamsted.git_dirty"] = str(is_dirty).lower()
    return found


def command_line(words: Sequence[str]) -> str:
    """A command as it is recorded: without passwords, tokens and the values of variables.

    Example:
        >>> command_line(["sweep", "a.yaml", "execution.environment.KEY=abc", "storage=postgresql://me:pw@host/db"])
        'sweep a.yaml execution.environment.KEY=*** storage=postgresql://me:***@host/db'
    """
    said, hides = [], False
    for word in words:
        key, separator, _ = word.partition("=")
        is_variable = key.lstrip("-").startswith(VARIABLES)
        said.append(MASK if hides else f"{key}={MASK}" if is_variable and separator else masked(word))
        hides = is_variable and not separator  # --execution.environment VALUE
    return " ".join(said)


def study_tags(study: Study, data_digest: str | None) -> dict[str, str]:
    """Tags that name the study and the data that it trained on."""
    found = {tags.STUDY: study.name}
    return found if data_digest is None else found | {tags.DATA_SHA: data_digest}


def without_origin(found: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Split what is known of a run: its tags, which people read, and the text of its artifact `tags.ORIGIN_FILE`."""
    origin = {name: found[name] for name in tags.ORIGIN if name in found}
    return {name: text for name, text in found.items() if name not in origin}, json.dumps(origin, indent=2) + "\n"


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None  # a container whose user has no name
