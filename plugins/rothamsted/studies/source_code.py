"""Find a study's source files, their digest, and a copy for its models.

Sweeps are compared by these digests even if no model was logged.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from rothamsted.errors import StudyError
from rothamsted.given_files import open_given, read_given, reading
from rothamsted.mlproject import study_commands
from rothamsted.studies import find, is_script, study_module
from rothamsted.tracking.models.model_files import StudyCode

_WAY_OUT = "correct or remove this source file"
MOST_BYTES = 20_000_000  # of all files of a study: what is larger holds data, and each model would carry them


def study_code(study: str, root: Path) -> StudyCode:
    """Read the source files of a study: its package without caches and hidden files, `__init__` of those above.

    Packages beside it that its code imports, and that are no studies themselves, belong to it.

    Args:
        study: the study's entry point in MLproject.
        root: the project's root.

    Raises:
        StudyError: no such study, or its folder is too large to be source code.
    """
    root = root.resolve()
    module = _module_of(study, root)
    paths = _source_files(module, root)
    n_bytes = sum(path.stat().st_size for path in paths)
    if n_bytes > MOST_BYTES:
        raise StudyError(
            f"study '{study}': {root.joinpath(*module.split('.'))} holds {n_bytes / 1e6:.0f} MB, more than the "
            f"{MOST_BYTES / 1e6:.0f} MB of source code that a model carries; keep data and results in another folder"
        )
    files = {PurePosixPath(path.relative_to(root)): read_given(path, way_out=_WAY_OUT) for path in paths}
    return StudyCode(module=module, root=root, files=files, digest=_digest(paths, root))


def code_digest(study: str, root: Path) -> str:
    """Return the SHA-256, in hex, of the names and contents of a study's source files; of a function of its source.

    Empty for a function of a notebook, which nobody finds from elsewhere.

    Raises:
        StudyError: no such study.
    """
    if is_script(study):
        found = None if study.startswith(":") else find(study, root).function
        return "" if found is None else found.code_digest
    root = root.resolve()
    return _digest(_source_files(_module_of(study, root), root), root)


def _digest(paths: Sequence[Path], root: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with open_given(path, way_out=_WAY_OUT) as file, reading(path, way_out=_WAY_OUT):
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{content}  {path.relative_to(root).as_posix()}\n".encode())
    return digest.hexdigest()


def _module_of(study: str, root: Path) -> str:
    module = study_module(study_commands(root).get(study, ""))
    if module is None:
        where = root / "MLproject"
        raise StudyError(f"study '{study}': is not an entry point of {where} that runs python -m projects.NAME")
    return module


def _source_files(module: str, root: Path) -> list[Path]:
    parts = module.split(".")
    above = [root.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts))]
    package = root.joinpath(*parts)
    own = _package_files(package) if package.is_dir() else [package.with_suffix(".py")]
    there = [*(path for path in above if path.is_file()), *own, *_shared(".".join(parts[:-1]), own, root)]
    return sorted(set(there), key=lambda path: path.relative_to(root).as_posix())


def _shared(parent: str, own: Sequence[Path], root: Path) -> list[Path]:
    """The files of the packages beside a study that its code imports and that are no study: no `__main__`."""
    imported = re.compile(rf"^\s*(?:from|import)\s+{re.escape(parent)}\.(\w+)", re.MULTILINE)
    found: dict[Path, list[Path]] = {}
    waiting = list(own) if parent else []
    while waiting:
        path = waiting.pop()
        names = imported.findall(path.read_text(encoding="utf-8", errors="replace")) if path.suffix == ".py" else []
        for package in (root.joinpath(*parent.split("."), name) for name in names):
            is_shared = (package / "__init__.py").is_file() and not (package / "__main__.py").exists()
            if is_shared and package not in found:
                found[package] = _package_files(package)
                waiting += found[package]
    return [path for files in found.values() for path in files]


def _package_files(package: Path) -> list[Path]:
    return [path for path in package.rglob("*") if path.is_file() and not _is_by_product(path.relative_to(package))]


def _is_by_product(path: Path) -> bool:
    return path.suffix == ".pyc" or any(part == "__pycache__" or part.startswith(".") for part in path.parts)
