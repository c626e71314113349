"""Where runs go, by MLflow's own rules: tracking URI, outer run, and the UI that shows them.

Apart, because these are questions about the environment: nothing here writes a run.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from urllib.request import pathname2url

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from rothamsted.errors import StoreError
from rothamsted.tracking.failures import without_password

DEFAULT_UI = "http://127.0.0.1:5000"  # of `mlflow ui` without --port


def tracking_uri() -> str:
    """Return MLflow's tracking URI: as set, else MLFLOW_TRACKING_URI, else `mlflow.db` in this folder."""
    if "mlflow" not in sys.modules:  # nobody has told MLflow another one, and importing it takes a second
        if uri := os.environ.get("MLFLOW_TRACKING_URI"):
            return uri
        if not any(folder.name.isdigit() for folder in Path("mlruns").glob("*/")):
            return f"sqlite:///{pathname2url(str(Path('mlflow.db').absolute()))}"
    import mlflow

    return mlflow.get_tracking_uri()


def current_run_id() -> str | None:
    """Return the run that `mlflow run` opened around this process, if it did."""
    return os.environ.get("MLFLOW_RUN_ID") or None


def run_path(experiment_id: str, run_id: str) -> str:
    """Return the page of a run, to be put after the address of a running MLflow UI."""
    return f"#/experiments/{experiment_id}/runs/{run_id}"


def run_link(uri: str, experiment_id: str, run_id: str) -> str:
    """Return the address of a run: on its server, else where `mlflow ui` shows a local store by default."""
    address = without_password(uri) if uri.startswith(("http://", "https://")) else DEFAULT_UI
    return f"{address.rstrip('/')}/{run_path(experiment_id, run_id)}"


def ui_command(uri: str) -> str:
    """Return the shell command that shows this store in a browser; for a server, its address is the UI."""
    if uri.startswith(("http://", "https://")):
        return f"python -m webbrowser {shlex.quote(without_password(uri))}"
    path = sqlite_path(uri)
    if path is not None:  # absolute, so that the command works from any folder
        uri = f"sqlite:///{path.absolute()}"
    return f"mlflow ui --backend-store-uri {shlex.quote(without_password(uri))}"


def sqlite_path(uri: str) -> Path | None:
    """Return the file of a SQLite URI; None for another kind of store and for a database in memory."""
    if not uri.startswith("sqlite"):
        return None
    try:
        name = make_url(uri).database
    except ArgumentError as error:
        raise StoreError(f"{uri}: is not a URI of a database; write sqlite:///PATH") from error
    return Path(name) if name and name != ":memory:" else None


def absolute_uri(uri: str, folder: Path | None = None) -> str:
    """Return the URI with the path of a local store made absolute, for a process in another folder.

    Args:
        uri: Of a tracking store or another database.
        folder: Where the path starts; by default the working directory.

    Raises:
        StoreError: it is no URI.
    """
    folder = Path.cwd() if folder is None else folder
    path = sqlite_path(uri)
    if path is not None:
        return make_url(uri).set(database=str(folder / path)).render_as_string(hide_password=False)
    if "://" in uri or uri == "databricks":
        return uri
    return str(folder / uri.removeprefix("file:"))
