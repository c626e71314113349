"""What a result was made with: the commit, the installed packages, Python and the platform.

Apart, because it looks at the machine, not at MLflow.
"""

from __future__ import annotations

import platform
import re
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

_GIT_TIMEOUT_SECONDS = 10


def git_commit(root: str | Path) -> tuple[str, bool] | None:
    """Return (sha, dirty) of the git checkout at `root`; None where there is no git, checkout or commit.

    Dirty means that the commit is not all of it: a changed file, or a new one that git does not ignore.
    """
    sha = _git(root, "rev-parse", "--verify", "HEAD")
    changes = _git(root, "status", "--porcelain")
    if sha is None or changes is None:
        return None
    return sha.strip(), bool(changes.strip())


@cache  # a process keeps what it has imported, and a sweep with stages asks once a stage
def environment_text() -> str:
    """Return Python, platform and every installed distribution as `name==version`, sorted, a line each."""
    versions: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:  # a half-removed package has no name; the first on the path is the one imported
            versions.setdefault(re.sub(r"[-_.]+", "-", name).lower(), distribution.version)
    head = [f"# python {platform.python_version()}", f"# platform {platform.platform()}"]
    return "\n".join(head + [f"{name}=={versions[name]}" for name in sorted(versions)]) + "\n"


def _git(root: str | Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
