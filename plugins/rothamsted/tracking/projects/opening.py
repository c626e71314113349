"""Find or fetch a stranger's project, then read it. MLflow, which reads it, is imported once something is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rothamsted.named_files import is_file
from rothamsted.tracking.projects.fetch import ProjectError, fetch

if TYPE_CHECKING:
    from rothamsted.tracking.projects.project import Project

CACHE = Path(".rothamsted", "projects")


def open_project(uri: str, entry_point: str = "main", version: str | None = None, *, root: Path) -> Project:
    """Find or fetch a project and read one entry point of it.

    Args:
        uri: a folder, relative to `root` or absolute, or a git URI; `#subdirectory` at the end of either.
        entry_point: of MLproject; or a script of the project, which MLflow runs without one.
        version: a branch, tag or whole commit of a git repository.
        root: this project's root, which keeps what is fetched in `.rothamsted/projects`.

    Raises:
        ProjectError: with what is wrong and what there is instead.
    """
    cache = root.resolve() / CACHE
    fetched = fetch(uri, version, cache, root)
    names = [path.name.lower() for path in fetched.folder.iterdir()]
    if "mlproject" not in names and not is_file(fetched.folder / entry_point):
        raise ProjectError(
            f"project {str(fetched.folder)!r}: has no file MLproject and no script {entry_point!r}; "
            "name a project or a script"
        )
    from rothamsted.tracking.projects.project import read_project

    return read_project(fetched, uri, entry_point, cache=cache)
