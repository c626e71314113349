"""Find the code of a recorded commit: here, or in a temporary git worktree."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rothamsted.errors import UserError
from rothamsted.reproducing.recorded import Recorded
from rothamsted.tracking.environment import git_commit, uncommitted

_SECONDS = 120.0  # of one git command: a worktree of a large repository


@dataclass(frozen=True, kw_only=True)
class Code:
    """Holds the code that a run is trained again with.

    Attributes:
        root: its folder.
        words: which code that is.
        differs: how it is not the recorded one; empty: it is.
    """

    root: Path
    words: str
    differs: str = ""


@contextmanager
def code_of(recorded: Recorded, root: Path, *, takes_present: bool) -> Iterator[Code]:
    """Give the code of a record.

    Args:
        recorded: what was trained.
        root: the project here.
        takes_present: train with the code as it is here, whatever was recorded.

    Raises:
        UserError: the commit is not in the repository here, or what it lacked was not kept.
    """
    place = f"reproduce: run {recorded.run.run_id}"
    here = git_commit(root)
    if not recorded.commit:
        yield Code(root=root, words=f"as it is in {root}: the record names no commit", differs="not known")
        return
    short = recorded.commit[:10]
    lacks = " with its uncommitted changes" if recorded.is_dirty else ""
    if here == (recorded.commit, recorded.is_dirty) and uncommitted(root) == recorded.changes:
        yield Code(root=root, words=f"commit {short}{lacks}, as it is here")
        return
    if takes_present:
        differs = f"recorded: commit {short}{lacks}; here: {_named(here)}"
        yield Code(root=root, words=f"as it is in {root}", differs=differs)
        return
    if recorded.is_dirty and not recorded.changes:
        raise UserError(
            f"{place}: its code was commit {short} with changes that were not committed, and they were not kept; "
            "code=present trains with the code as it is here"
        )
    with _worktree(recorded, root, place) as there:
        yield Code(root=there, words=f"commit {short}{lacks}, in a worktree of git")


@contextmanager
def _worktree(recorded: Recorded, root: Path, place: str) -> Iterator[Path]:
    """A checkout of the recorded commit, with what it lacked; removed after."""
    top = Path(_git(root, place, "rev-parse", "--show-toplevel").strip())
    if _run(root, "cat-file", "-e", f"{recorded.commit}^{{commit}}").returncode != 0:
        raise UserError(
            f"{place}: its commit {recorded.commit} is not in {top}; fetch it there (git fetch), or give "
            "code=present to train with the code as it is here"
        )
    with tempfile.TemporaryDirectory(prefix="rothamsted-code-") as folder:
        there = Path(folder).resolve() / "code"
        _git(root, place, "worktree", "add", "--detach", "--quiet", str(there), recorded.commit)
        try:
            if "diff --git " in recorded.changes:
                _apply(recorded.changes, there, place)
            _link_ignored(top, there, place)
            yield there / root.resolve().relative_to(top.resolve())
        finally:
            _run(root, "worktree", "remove", "--force", str(there))


def _link_ignored(top: Path, there: Path, place: str) -> None:
    """Link what git ignores in the checkout here, such as data, into another one."""
    listed = _git(top, place, "ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z")
    for name in filter(None, listed.split("\0")):
        link = there / name.rstrip("/")
        if link.name != "__pycache__" and link.parent.is_dir() and not os.path.lexists(link):
            link.symlink_to(top / name)


def _apply(changes: str, there: Path, place: str) -> None:
    done = _run(there, "apply", "--whitespace=nowarn", "-", given=changes)
    if done.returncode != 0:
        said = " ".join(done.stderr.split())
        raise UserError(
            f"{place}: its uncommitted changes cannot be applied to its commit ({said}); give code=present to train "
            "with the code as it is here"
        )


def _named(here: tuple[str, bool] | None) -> str:
    if here is None:
        return "no git checkout"
    return f"commit {here[0][:10]}{' with uncommitted changes' if here[1] else ''}"


def _git(root: Path, place: str, *arguments: str) -> str:
    done = _run(root, *arguments)
    if done.returncode != 0:
        said = " ".join(done.stderr.split())
        raise UserError(f"{place}: git {arguments[0]} in {root}: {said or 'failed'}; code=present needs no git")
    return done.stdout


def _run(root: Path, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],
            input=given,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"reproduce: git {arguments[0]} in {root}: {error}; code=present needs no git") from None
