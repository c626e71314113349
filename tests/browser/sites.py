"""A finished quickstart sweep, the two web sites that show it, and a browser to read them with.

Apart from the fixtures because the script that remakes the README's screenshots needs the same.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rothamsted

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = Path(str(rothamsted.__file__)).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER_ARGUMENTS = (
    "--no-sandbox",  # Chromium refuses its sandbox to root, which containers are
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # it reaches nothing but this machine
)
UP_SECONDS = 120.0  # an MLflow server needs about 18 s on two idle cores
DOWN_SECONDS = 2.0  # an MLflow server with open connections does not heed SIGTERM; there is nothing to save
# MLflow 3.17 opens its pages for GenAI unless it is told otherwise; then a run's page is an evaluation's.
MODEL_TRAINING = "workflowType=machine_learning"


def find_browser() -> str | None:
    """The path of an installed Chromium or Chrome; None where there is none."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


@contextlib.contextmanager
def open_browser(executable: str) -> Iterator[Any]:
    """A headless browser, as playwright drives it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, headless=True, args=list(BROWSER_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True, kw_only=True)
class Copy:
    """The repository's project files in another folder, so that databases and artifacts land there."""

    folder: Path

    @property
    def mlflow_database(self) -> Path:
        """MLflow's own default name, in the folder that the sweep runs in."""
        return self.folder / "mlflow.db"

    @property
    def tracking_uri(self) -> str:
        """Where the sweep is recorded."""
        return f"sqlite:///{self.mlflow_database}"

    @property
    def storage(self) -> str:
        """Where the sweep is searched."""
        return f"sqlite:///{self.folder / 'optuna.db'}"

    def environment(self) -> dict[str, str]:
        """The shell's environment without its MLflow settings, and with a home in the folder."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
        settings = {
            "HOME": str(self.folder),  # the servers leave files there
            "PYTHONPATH": str(PACKAGES),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight processes that no page of ours needs
            "MLFLOW_TRACKING_URI": self.tracking_uri,
        }
        return {**kept, **settings}


def copy_project(folder: Path) -> Copy:
    """Copy what a sweep needs of the repository into an empty folder."""
    for name in ("projects", "registry", "sweeps"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "MLproject", folder / "MLproject")
    return Copy(folder=folder)


def quickstart_command(copy: Copy) -> list[str]:
    """The command of the quickstart sweep, with its search beside its record."""
    command = [sys.executable, "-m", "rothamsted", "sweep", "--config", "sweeps/quickstart.yaml"]
    return [*command, "--storage", copy.storage]


def run_quickstart(copy: Copy, *overrides: str) -> str:
    """Run the quickstart sweep as a user would, and return what it prints.

    Raises:
        RuntimeError: with what it printed, if it does not end with status 0.
    """
    done = subprocess.run(
        [*quickstart_command(copy), *overrides],
        cwd=copy.folder,
        env=copy.environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the quickstart sweep ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


@dataclass(frozen=True, kw_only=True)
class Sites:
    """The addresses of the two web sites."""

    mlflow: str
    dashboard: str


@contextlib.contextmanager
def serve(copy: Copy) -> Iterator[Sites]:
    """An MLflow server and optuna-dashboard on the copy's databases, on this machine's loopback only."""
    mlflow_port, dashboard_port = _free_port(), _free_port()
    mlflow = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", copy.tracking_uri]
    mlflow += ["--default-artifact-root", str(copy.folder / "mlruns"), "--workers", "1"]
    mlflow += ["--host", "127.0.0.1", "--port", str(mlflow_port)]
    dashboard = [str(Path(sys.executable).parent / "optuna-dashboard"), copy.storage]
    dashboard += ["--host", "127.0.0.1", "--port", str(dashboard_port)]
    found = Sites(mlflow=f"http://127.0.0.1:{mlflow_port}", dashboard=f"http://127.0.0.1:{dashboard_port}")
    with (
        _started(mlflow, copy, "mlflow.log") as mlflow_server,
        _started(dashboard, copy, "dashboard.log") as dashboard_server,
    ):
        _wait_until_up(dashboard_server, f"{found.dashboard}/api/studies", copy.folder / "dashboard.log")
        _wait_until_up(mlflow_server, f"{found.mlflow}/health", copy.folder / "mlflow.log")
        yield found


@contextlib.contextmanager
def _started(command: Sequence[str], copy: Copy, log: str) -> Iterator[subprocess.Popen[bytes]]:
    with (copy.folder / log).open("wb") as stream:
        server = subprocess.Popen(
            command,
            cwd=copy.folder,
            env=copy.environment(),
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own: its workers end with it
        )
    try:
        yield server
    finally:
        _end(server)


def _wait_until_up(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + UP_SECONDS
    while time.monotonic() < until and server.poll() is None:
        refused = contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError)
        with refused, direct.open(url, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.2)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
    raise RuntimeError(f"{url} did not answer within {UP_SECONDS:g} s (exit status {server.poll()}):\n{tail}")


def _end(server: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(DOWN_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def expand(page: Any, name: str) -> None:
    """Open the children of a run in MLflow's list of runs."""
    row_of(page, name).get_by_role("button").click()


def row_of(page: Any, name: str) -> Any:
    """A run's line in MLflow's list of runs."""
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def link_to(printed: str, what: str) -> str:
    """A link that a sweep printed when it ended, without the address of the site: "its trials", "its result"."""
    link = re.search(rf"{what}[^\n]*?: https?://[^/]+/(\S+)", printed)
    if link is None:
        raise RuntimeError(f"the sweep printed no link to {what}:\n{printed}")
    return link.group(1)


def column(page: Any, name: str) -> Any:
    """The head of a column in MLflow's list of runs."""
    return page.locator(".ag-header-cell").filter(has_text=name).first


def run_list(address: str) -> str:
    """The address of MLflow's list of runs, in which runs are nested."""
    return f"{address}/#/experiments/0/runs?{MODEL_TRAINING}"


def run_page(address: str, run_id: str) -> str:
    """The address of a run's page in MLflow."""
    return f"{address}/#/experiments/0/runs/{run_id}?{MODEL_TRAINING}"
