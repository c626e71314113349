"""Find where runs go, by MLflow's own rules: tracking URI, outer run, and the UI that shows them."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import pathname2url

from rothamsted import places
from rothamsted.errors import StoreError
from rothamsted.masking import hidden, masked, without_secrets

BY_SSH = re.compile(r"[^/:]+@[^/]+:")  # git@host:path
DEFAULT_UI = "http://127.0.0.1:5000"  # of `mlflow ui` without --port
UI_URL = "MLFLOW_UI_URL"  # environment: where the user's MLflow UI is, with host and port
_DATABASES = ("sqlite", "postgresql", "postgres", "mysql", "mssql")
_KINDS = ("", "file", "http", "https", "databricks", *_DATABASES)
_SCHEMES = "sqlite:///PATH, postgresql://USER@HOST/NAME, http://HOST:PORT or https://HOST"
TRAINING_VIEW = "workflowType=machine_learning"  # MLflow 3.17 opens its pages for GenAI unless it is told otherwise


def tracking_uri() -> str:
    """Return MLflow's tracking URI: as set, else MLFLOW_TRACKING_URI, else `mlflow.db` in ROTHAMSTED_HOME or here."""
    if "mlflow" not in sys.modules:  # nobody has told MLflow another one, and importing it takes a second
        if uri := os.environ.get("MLFLOW_TRACKING_URI"):
            return uri
        if os.environ.get(places.HOME):
            return f"sqlite:///{places.home('sqlite:///mlflow.db') / 'mlflow.db'}"
        if not any(path.parent.name.isdigit() for path in Path("mlruns").glob("*/meta.yaml")):  # runs as files
            return f"sqlite:///{pathname2url(str(Path('mlflow.db').absolute()))}"
    import mlflow

    if os.environ.get(places.HOME) and not mlflow.is_tracking_uri_set():
        return f"sqlite:///{places.home('sqlite:///mlflow.db') / 'mlflow.db'}"
    return mlflow.get_tracking_uri()


def current_run_id() -> str | None:
    """Return the run that `mlflow run` opened around this process, if it did."""
    return os.environ.get("MLFLOW_RUN_ID") or None


def run_path(experiment_id: str, run_id: str) -> str:
    """Return the page of a run, to be put after the address of a running MLflow UI."""
    return f"#/experiments/{experiment_id}/runs/{run_id}?{TRAINING_VIEW}"


def sweep_path(experiment_id: str, run_id: str) -> str:
    """Return the page of a sweep's trials: its run list as `save_view` keeps it under the id of the sweep's run."""
    return f"#/experiments/{experiment_id}/runs?{TRAINING_VIEW}&viewStateShareKey={run_id}"


def ui_address(uri: str) -> str:
    """Return where the MLflow UI of a store is: MLFLOW_UI_URL, else the store's server, else MLflow's default."""
    is_server = uri.startswith(("http://", "https://"))
    return without_secrets(os.environ.get(UI_URL) or (uri if is_server else DEFAULT_UI)).rstrip("/")


def run_link(uri: str, experiment_id: str, run_id: str) -> str:
    """Return the address of a run in the MLflow UI, see `ui_address`."""
    return f"{ui_address(uri)}/{run_path(experiment_id, run_id)}"


def sweep_link(uri: str, experiment_id: str, run_id: str) -> str:
    """Return the address of a sweep's trials in the MLflow UI, see `ui_address`."""
    return f"{ui_address(uri)}/{sweep_path(experiment_id, run_id)}"


def ui_command(uri: str) -> str:
    """Return the shell command that shows this store in a browser; for a server, its address is the UI.

    It listens where MLFLOW_UI_URL says.
    """
    if uri.startswith(("http://", "https://")):
        return f"python -m webbrowser {shlex.quote(without_secrets(uri))}"
    path = sqlite_path(uri)
    if path is not None:  # absolute, so that the command works from any folder
        uri = f"sqlite:///{path.absolute()}"
    return f"mlflow ui --backend-store-uri {shlex.quote(masked(uri))}{_listening()}"


def _listening() -> str:
    """The options of `mlflow ui` for a host and a port other than its own."""
    try:
        found = urlsplit(os.environ.get(UI_URL, ""))
        host, port = found.hostname, found.port
    except ValueError as error:
        raise StoreError(f"{UI_URL}: {os.environ[UI_URL]!r} is not an address ({error}); write {DEFAULT_UI}") from error
    options = [f" --host {host}"] if host not in (None, "127.0.0.1", "localhost") else []
    return "".join([*options, *([f" --port {port}"] if port not in (None, 5000) else [])])


def check_address(uri: str) -> str:
    """Check a tracking URI itself, without opening the store.

    Returns:
        The kind of store: its scheme, without a driver; empty for a folder.

    Raises:
        StoreError: it is not an address of a known kind of store.

    Example:
        >>> check_address("postgresql+psycopg://lab@db:5432/mlflow")
        'postgresql'
    """
    place = f"tracking URI {masked(uri)}"
    try:
        found = urlsplit(uri)
        kind = "databricks" if uri == "databricks" else found.scheme.partition("+")[0]
        host = found.hostname
        _ = _of_database(uri) if kind in _DATABASES else found.port if kind in ("http", "https") else None
    except ValueError as error:  # of a host in brackets, or a port that is no number
        reason = "" if "@" in uri else f" ({error})"  # which may quote a part of a password
        raise StoreError(f"tracking URI {hidden(uri)}: is not an address{reason}; write {_SCHEMES}") from error
    if kind not in _KINDS:
        raise StoreError(f"tracking URI {hidden(uri)}: {kind!r} is not a kind of store; use {_SCHEMES}")
    is_server = kind not in ("", "file", "sqlite")
    if not uri.isprintable() or (is_server and " " in uri) or (kind in ("http", "https") and not host):
        raise StoreError(
            f"tracking URI {hidden(uri)}: names no host, or holds a character that no address has; write {_SCHEMES}"
        )
    if kind == "sqlite" and _of_database(uri) is None:
        raise StoreError(f"{place}: a database in memory is lost at the end; use sqlite:///PATH")
    return kind


def sqlite_path(uri: str) -> Path | None:
    """Return the file of a SQLite URI; None for another kind of store and for a database in memory."""
    if not uri.startswith("sqlite"):
        return None
    try:
        name = _of_database(uri)
    except ValueError as error:
        raise StoreError(f"{hidden(uri)}: is not a URI of a database; write sqlite:///PATH") from error
    return None if name is None else Path(name)


def _of_database(uri: str) -> str | None:
    """The name of the database in its address; None where it has none, or one in memory.

    Raises:
        ValueError: it is not an address of a database.
    """
    from sqlalchemy.engine import make_url  # a quarter of a second, which a wrong name need not wait for
    from sqlalchemy.exc import ArgumentError

    try:
        name = make_url(uri).database
    except ArgumentError as error:
        raise ValueError(" ".join(str(error).split())) from error
    return name if name and name != ":memory:" else None


def absolute_uri(uri: str) -> str:
    """Return the URI with the path of a local store made absolute, for a process in another folder.

    Args:
        uri: of a tracking store or another database.

    Raises:
        StoreError: it is no URI.
    """
    folder = Path.cwd()
    path = sqlite_path(uri)
    if path is not None:
        from sqlalchemy.engine import make_url

        return make_url(uri).set(database=str(folder / path)).render_as_string(hide_password=False)
    if "://" in uri or uri == "databricks":
        return uri
    return str(folder / uri.removeprefix("file:"))
