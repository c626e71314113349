"""Collect what a result was made with: commit, uncommitted changes, installed packages, Python, machine."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path

import psutil

from rothamsted.masking import masked

_GIT_TIMEOUT_SECONDS = 10
MOST_CHANGES = 2_000_000  # bytes of a diff that is kept: more are data, not code
# Files of passwords by their names; and sweep files, which hold them below execution.environment.
_PRIVATE = re.compile(r".*\.env|\.env\..*|\.netrc|\.pgpass|.*\.(?:pem|key|p12|pfx)|id_(?:rsa|dsa|ecdsa|ed25519)")
_IN_YAML = (".yaml", ".yml", ".json")
_SECTIONS = re.compile(r"\bexecution\b.*\b(?:environment|env_vars)\b", re.DOTALL)
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "XLA_FLAGS")


def git_commit(root: str | Path) -> tuple[str, bool] | None:
    """Return (sha, dirty) of the git checkout at `root`; None if there is no git, checkout or commit.

    Dirty means that a file has changed, or that there is a new one that git does not ignore.
    """
    sha = _git(root, "rev-parse", "--verify", "HEAD")
    changes = _git(root, "status", "--porcelain")
    if sha is None or changes is None:
        return None
    return sha.strip(), bool(changes.strip())


def uncommitted(root: str | Path) -> str:
    """Return the uncommitted changes of a checkout, with new files, as text for `git apply`.

    It is empty if nothing has changed, if there is no git or commit, or if it has more than `MOST_CHANGES` bytes. Files
    of secrets are left out, and named in lines before the first change. The checkout's own index and objects stay as
    they are.
    """
    found = git_commit(root)
    if found is None or not found[1]:
        return ""
    top, index, objects = (
        (_git(root, "rev-parse", "--path-format=absolute", *what) or "").rstrip("\n")
        for what in (["--show-toplevel"], ["--git-path", "index"], ["--git-path", "objects"])
    )
    return _difference(top, index, objects)


@cache
def machine() -> str:
    """Return processor, cores and memory in words."""
    gibibytes = psutil.virtual_memory().total / 2**30
    return f"{_processor()}, {os.cpu_count()} cores, {gibibytes:.0f} GiB"


def threads(environment: Mapping[str, str] | None = None) -> str:
    """Return how many cores this process may use, and the variables that limit its threads."""
    own = os.environ if environment is None else environment
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return ", ".join([f"{usable} cores", *(f"{name}={own[name]}" for name in THREAD_VARIABLES if name in own)])


def thread_variables(said: str) -> dict[str, str]:
    """Return the variables among what `threads` has said.

    Example:
        >>> thread_variables("2 cores, OMP_NUM_THREADS=1, XLA_FLAGS=--a=1 --b")
        {'OMP_NUM_THREADS': '1', 'XLA_FLAGS': '--a=1 --b'}
    """
    pairs = [part.partition("=") for part in said.split(", ")]
    return {name: value for name, _, value in pairs if name in THREAD_VARIABLES}


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


def _difference(top: str, index: str, objects: str) -> str:
    """What a checkout has beside its commit: by an index and a store of objects that are thrown away."""
    with tempfile.TemporaryDirectory(prefix="rothamsted-git-") as folder:
        if Path(index).is_file():
            shutil.copyfile(index, Path(folder) / "index")
        own = {
            "GIT_INDEX_FILE": f"{folder}/index",
            "GIT_OBJECT_DIRECTORY": f"{folder}/objects",
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects,
        }
        (Path(folder) / "objects").mkdir()
        if _git(top, "add", "--all", variables=own) is None:
            return ""
        diff = ["diff", "--cached", "--no-renames", "--no-color", "--no-ext-diff"]
        names = (_git(top, *diff, "--name-only", "-z", "HEAD", variables=own) or "").split("\0")
        secret = [name for name in names if name and _is_private(top, name)]
        kept = ["--", ".", *(f":(exclude,top,literal){name}" for name in secret)]
        text = masked(_git(top, *diff, "--binary", "HEAD", *kept, variables=own) or "")
    if len(text.encode()) > MOST_CHANGES:
        return ""
    return "".join(f"# {name!a}: left out, it may hold passwords or tokens\n" for name in secret) + text


def _is_private(top: str, name: str) -> bool:
    """Whether a changed file may hold secrets, now or in the commit."""
    path = Path(top, name)
    if _PRIVATE.fullmatch(path.name.lower()):
        return True
    if path.suffix.lower() not in _IN_YAML:
        return False
    now = ""
    with suppress(OSError):
        now = path.read_text(encoding="utf-8", errors="replace")
    return any(_SECTIONS.search(text) for text in (now, _git(top, "show", f"HEAD:{name}") or ""))


def _processor() -> str:
    """The processor's own name where the system tells it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if platform.system() == "Darwin" and (said := _said(["sysctl", "-n", "machdep.cpu.brand_string"])):
        return said.strip()
    return platform.processor() or platform.machine()


def _git(root: str | Path, *arguments: str, variables: Mapping[str, str] | None = None) -> str | None:
    return _said(["git", "-C", str(root), *arguments], variables=variables)


def _said(command: Sequence[str], *, variables: Mapping[str, str] | None = None) -> str | None:
    """What a command prints; None where there is no such program, or it fails or takes too long."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_TIMEOUT_SECONDS,
            check=False,
            env={**os.environ, **(variables or {})},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
