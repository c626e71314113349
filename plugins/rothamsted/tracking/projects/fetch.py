"""Find a foreign project's files: a folder as it is, or a git repository that is fetched once for each commit.

MLflow fetches; the files are kept by commit.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rothamsted.errors import UserError
from rothamsted.masking import hidden, is_secret, masked, without_secrets
from rothamsted.named_files import is_there
from rothamsted.tracking.address import BY_SSH
from rothamsted.tracking.environment import git_commit
from rothamsted.tracking.failures import one_line

_COMMIT = re.compile(r"[0-9a-f]{40}")
_ANSWER_SECONDS = 60
_BY_PRODUCTS = frozenset({"__pycache__", "mlruns", "mlartifacts"})
_DATABASE = re.compile(r".*\.(db|db-wal|db-shm|db-journal|pyc)")


class ProjectError(UserError):
    """Says that a foreign project cannot be fetched, does not have MLflow's form, or does not get what it needs."""


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """Holds a project's files: the folder that holds MLproject, and the commit; None outside git or with changes."""

    folder: Path
    commit: str | None


def fetch(uri: str, version: str | None, cache: Path, root: Path) -> Fetched:
    """Find or fetch a project.

    Args:
        uri: a folder, relative to `root` or absolute, or a git URI; `#subdirectory` at the end of either.
        version: a branch, tag or full commit; None: the repository's default.
        cache: the folder for what is fetched.
        root: this project's root.

    Raises:
        ProjectError: no such folder, repository, version or subdirectory; no git.
    """
    for key, given in (("project", uri), ("version", version or "")):
        if given.strip().strip("'\"").startswith("-"):
            raise ProjectError(f"{key} {given!r}: begins with a dash, which git takes for an option; correct it")
    if "://" in uri and any(sign.isspace() for sign in uri.rpartition("@")[0]):
        raise ProjectError(f"project {hidden(uri)!r}: holds a space before its host; write %20 for it")
    place, _, subdirectory = uri.strip("'\"").partition("#")
    if "." in subdirectory:
        raise ProjectError(f"project {masked(uri)!r}: MLflow takes no '.' in a subdirectory; correct the path")
    local = root / _path_of(place)
    is_here = is_there(local)
    if is_here and version is None and not _is_bare_repository(local):
        top, commit = local.resolve(), None
    elif is_here or "://" in place or BY_SSH.match(place):
        top, commit = _fetch_git(str(local.resolve()) if is_here else place, version, cache)
    else:
        raise ProjectError(f"project {hidden(uri)!r}: is neither a folder of {root} nor a git URI; correct the path")
    folder = top / subdirectory
    if not folder.is_dir():
        raise ProjectError(f"project {masked(uri)!r}: {folder} is not a folder; correct the path")
    found = git_commit(folder)
    if commit is None and found is not None and not found[1]:
        commit = found[0]
    return Fetched(folder=folder, commit=commit)


def _path_of(place: str) -> str:
    """The path of an address `file://`; any other is taken as it is."""
    try:
        found = urlsplit(place)
    except ValueError as error:  # of a host in brackets
        raise ProjectError(f"project {hidden(place)!r}: is not an address ({error}); correct it") from None
    if found.scheme != "file":
        return place
    return f"{found.netloc}{found.path}"


def file_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256, in hex, of each of a folder's files by its name, except hidden ones and by-products."""
    found: dict[str, str] = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _BY_PRODUCTS)
        for name in sorted(names):
            path = Path(parent, name)
            if name.startswith(".") or _DATABASE.fullmatch(name) or not path.is_file():
                continue
            with path.open("rb") as file:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def digest_of_files(digests: Mapping[str, str]) -> str:
    """Return the SHA-256, in hex, of the names and contents of files."""
    lines = "".join(f"{content}  {name}\n" for name, content in digests.items())
    return hashlib.sha256(lines.encode()).hexdigest()


def _is_bare_repository(path: Path) -> bool:
    return (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()


def _fetch_git(given: str, version: str | None, cache: Path) -> tuple[Path, str]:
    """The folder of one commit of a repository: fetched into a folder beside it, which takes its name when whole."""
    shown, uri = masked(given), without_secrets(given)
    with _credentials(given):
        commit = _resolve(uri, version, shown)
        folder = cache / f"{hashlib.sha256(uri.encode()).hexdigest()[:16]}-{commit}"
        if folder.is_dir():
            return folder, commit
        cache.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix="fetching-", dir=cache))
        try:
            from mlflow.projects.utils import _fetch_git_repo

            _fetch_git_repo(uri, version, str(new))
            fetched = git_commit(new)
            if fetched is None or fetched[0] != commit:
                raise ProjectError(
                    f"project {shown!r}: its {version or 'HEAD'} moved while it was fetched; start again"
                )
            try:
                new.rename(folder)
            except OSError:
                if not folder.is_dir():  # else another process has fetched the same commit
                    raise
        except Exception as error:
            if isinstance(error, ProjectError):
                raise
            raise ProjectError(f"project {shown!r}: cannot fetch {version or 'HEAD'}: {_fatal_line(error)}") from None
        finally:
            shutil.rmtree(new, ignore_errors=True)
    return folder, commit


@contextmanager
def _credentials(uri: str) -> Iterator[None]:
    """What git needs to know of an address with a user or token, in its environment: arguments are seen by everybody.

    Nobody is asked for a password, since nobody would answer.
    """
    own = {"GIT_TERMINAL_PROMPT": "0"}
    found = urlsplit(uri)
    if found.scheme in ("http", "https") and "@" in found.netloc:
        userinfo, _, host = found.netloc.rpartition("@")
        name, _, password = userinfo.partition(":")
        basic = b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode()
        number = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
        own |= {
            "GIT_CONFIG_COUNT": str(number + 1),
            f"GIT_CONFIG_KEY_{number}": f"http.{found.scheme}://{host}/.extraHeader",
            f"GIT_CONFIG_VALUE_{number}": f"Authorization: Basic {basic}",
        }
    elif is_secret(uri):
        raise ProjectError(f"project {masked(uri)!r}: git takes no password or token in such an address; leave it out")
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _resolve(uri: str, version: str | None, shown: str) -> str:
    """The commit that a version stands for in a repository."""
    if version is not None and _COMMIT.fullmatch(version):
        return version
    refs = _refs(uri, shown)
    if version is None:
        wanted = ["HEAD"]
    else:  # of an annotated tag its commit, not the tag itself
        wanted = [f"refs/heads/{version}", f"refs/tags/{version}^{{}}", f"refs/tags/{version}", version]
    for name in wanted:
        if name in refs:
            return refs[name]
    if version is None:
        raise ProjectError(f"project {shown!r}: the repository is empty; give one with commits")
    known = ", ".join(name.split("/", 2)[2] for name in refs if name.startswith("refs/") and "^" not in name)
    raise ProjectError(
        f"project {shown!r}: has no branch or tag {version!r}; known: {known[:200]}; "
        "a commit is given with all its 40 digits"
    )


def _refs(uri: str, shown: str) -> Mapping[str, str]:
    try:
        from git.cmd import Git  # GitPython, which MLflow fetches with, wants the program when it is imported
        from git.exc import GitCommandError, GitCommandNotFound
    except ImportError:
        raise ProjectError(f"project {shown!r}: needs the program git; install it") from None
    try:
        text = Git().ls_remote("--", uri, kill_after_timeout=_ANSWER_SECONDS)
    except GitCommandNotFound:
        raise ProjectError(f"project {shown!r}: needs the program git; install it") from None
    except GitCommandError as error:
        raise ProjectError(f"project {shown!r}: the repository cannot be read: {_fatal_line(error)}") from None
    pairs = (line.split("\t", 1) for line in str(text).splitlines() if "\t" in line)
    return {name: commit for commit, name in pairs}


def _fatal_line(error: BaseException) -> str:
    """What git says after `fatal:`; else the error's first line."""
    for line in str(error).replace("'", "").splitlines():
        if "fatal: " in line:
            return masked(line.partition("fatal: ")[2].strip())
    return one_line(error)
