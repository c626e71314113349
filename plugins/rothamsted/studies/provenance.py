"""Says where a run's numbers come from: the code's commit, who ran it, by which command.

It is apart because runs made by MLflow's client get none of the tags that its fluent API would set.
"""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

from rothamsted.studies.contract import Study


def source_tags(root: Path) -> dict[str, str]:
    """Tags of the code under `root`, spelled as MLflow spells them.

    `mlflow.source.git.commit` and `rothamsted.git_dirty` (uncommitted changes: "true" or "false") are
    missing where `root` is not in a git repository with a commit, or git is not installed.
    """
    from rothamsted.tracking import git_commit  # imports MLflow: only where a run is written

    tags = {"mlflow.source.name": " ".join(sys.orig_argv[1:])[:500], "mlflow.source.type": "LOCAL"}
    if user := _user():
        tags["mlflow.user"] = user
    if found := git_commit(root):
        commit, is_dirty = found
        tags["mlflow.source.git.commit"] = commit
        tags["rothamsted.git_dirty"] = str(is_dirty).lower()
    return tags


def study_tags(study: Study, data_digest: str | None) -> dict[str, str]:
    """Tags that name the study and the data that it trained on."""
    tags = {"rothamsted.study": study.name}
    return tags if data_digest is None else tags | {"rothamsted.data_digest": data_digest}


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None  # a container whose user has no name
