"""Find where a sweep keeps its files: the search database, checkpoints, reports and logs.

Everything is at home: in the folder that ROTHAMSTED_HOME names, else beside the tracking store if that is a file, else
in the working directory. So `mlflow run URI` leaves nothing in the project's folder, which for a git URI is a temporary
one. A relative path in `storage` or `execution.checkpoint_dir` starts at home.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, unquote

import psutil

from rothamsted.errors import UserError
from rothamsted.named_files import is_file

HOME = "ROTHAMSTED_HOME"
STORAGE = "sqlite:///optuna.db"  # at home
REPORTS = "reports"
FIGURES = "figures"
_OUTER_RUN = "MLFLOW_RUN_ID"  # `mlflow run` gives it to the processes that it starts
_SQLITE = re.compile(r"(?P<driver>sqlite(?:\+\w+)?:///)(?P<path>[^?]+)(?P<options>\?.*)?")


def home(tracking_uri: str, environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder where everything lies that is not said to lie elsewhere; it is not made here.

    Args:
        tracking_uri: of MLflow: `sqlite:////data/mlflow.db` gives `/data`.
        environment: the variables of this process; None: its own.

    Raises:
        UserError: ROTHAMSTED_HOME is not the absolute path of a folder.
    """
    given = (os.environ if environment is None else environment).get(HOME)
    if given:
        folder = Path(given)
        if not folder.is_absolute() or not folder.is_dir():
            reason = "is not a folder" if folder.is_absolute() else "is not an absolute path"
            raise UserError(f"{HOME}: {given!r} {reason}; give the absolute path of one that is there, or unset it")
        return folder
    path = sqlite_file(tracking_uri)
    if path is None and "://" not in tracking_uri and tracking_uri != "databricks":  # a folder of files
        path = Path(tracking_uri.removeprefix("file:"))
    return command_folder(environment) if path is None else path.absolute().parent


def command_folder(environment: Mapping[str, str] | None = None, above: Iterable[psutil.Process] | None = None) -> Path:
    """Return the folder where the user gave the command.

    `mlflow run` starts a project's command in the project's folder and says nowhere where it was called. The nearest
    process above this one that does not have this run in its environment is MLflow's own: it is still there.

    Args:
        environment: the variables of this process; None: its own.
        above: the processes above this one, its parent first; None: as the system says.
    """
    outer = outer_process(environment, above)
    try:
        return Path.cwd() if outer is None else Path(outer.cwd())
    except psutil.Error:  # another user's process, or one that has ended: the working directory is all that is known
        return Path.cwd()


def outer_process(
    environment: Mapping[str, str] | None = None, above: Iterable[psutil.Process] | None = None
) -> psutil.Process | None:
    """Find the process of the `mlflow run` that started this one; None if there is none, or nobody can say.

    Args:
        environment: the variables of this process; None: its own.
        above: the processes above this one, its parent first; None: as the system says.
    """
    run_id = (os.environ if environment is None else environment).get(_OUTER_RUN)
    if not run_id:
        return None
    try:
        for process in psutil.Process().parents() if above is None else above:
            if process.environ().get(_OUTER_RUN) != run_id:
                return process
    except psutil.Error:
        pass  # another user's process, or one that has ended
    return None


def absolute_storage(storage: str, folder: Path) -> str:
    """Return the address of a search database with the path of an SQLite file made absolute; others stay.

    Example:
        `sqlite:///optuna.db` in `/data` is `sqlite:////data/optuna.db`.
    """
    found, path = _SQLITE.fullmatch(storage), sqlite_file(storage)
    if found is None or path is None or path.is_absolute():
        return storage
    return f"{found['driver']}{quote(str(folder.absolute() / path), safe=' +/')}{found['options'] or ''}"


def sqlite_file(uri: str) -> Path | None:
    """Return the file of an SQLite address, in which `%20` is a space; None for others and for a database in memory."""
    found = _SQLITE.fullmatch(uri)
    return None if found is None or found["path"].startswith((":memory:", "file:")) else Path(unquote(found["path"]))


def output_folder(given: str | None, *, usual: str, tracking_uri: str) -> Path:
    """Return the folder for files that a command writes.

    Args:
        given: what the user wrote, relative to the folder of the command; None: nothing.
        usual: the name of the folder at home where nothing is given.
        tracking_uri: of MLflow.
    """
    return home(tracking_uri) / usual if given is None else command_folder() / given


def input_file(given: str) -> str:
    """Return the path of a file that a command reads: of the project, or, if that has none, of the user.

    `mlflow run URI -e sweep -P config=mine.yaml` reads the user's own file.

    Args:
        given: as the user wrote it, relative to the project's folder or to the folder of the command.
    """
    own = command_folder() / given
    return str(own) if is_file(own) and not is_file(given) else given
