"""A sweep through MLflow's own server with passwords and permissions (`mlflow server --app-name basic-auth`).

`pytest tests/sweeping/test_basic_auth.py -m ""`
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from rothamsted import tags
from rothamsted.tracking import find_runs
from tests.sweeping.conftest import Project
from tests.sweeping.test_run import spawn
from tests.tracking.conftest import free_port, sqlite_template, start_server

__all__ = ["sqlite_template"]
pytestmark = pytest.mark.slow  # a server of its own
pytest.importorskip("flask_wtf", reason="flask-wtf, which MLflow's basic-auth asks for, is not installed")

ADMIN, READER = ("admin", "correct-horse-battery"), ("reader", "only-looks-at-it")
CONFIG = """
[mlflow]
default_permission = READ
database_uri = sqlite:///{database}
admin_username = admin
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 600
"""  # without the cache it hashes the password anew for every request


@pytest.fixture(scope="module")
def server(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that knows an administrator, a user who may read, and an experiment of the administrator's."""
    folder = tmp_path_factory.mktemp("auth")
    shutil.copyfile(sqlite_template, folder / "mlflow.db")
    (folder / "auth.ini").write_text(CONFIG.format(database=folder / "auth.db"))
    settings = {
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN[1],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "of this test",
    }
    process = start_server(folder, port := free_port(), "--app-name", "basic-auth", **settings)
    address = f"http://127.0.0.1:{port}"
    for path, body in (
        ("users/create", {"username": READER[0], "password": READER[1]}),
        ("experiments/create", {"name": "theirs"}),
    ):
        requests.post(f"{address}/api/2.0/mlflow/{path}", json=body, auth=ADMIN, timeout=120).raise_for_status()
    try:
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=60)


def swept(project: Project, server: str, user: tuple[str, str]) -> tuple[int, str]:
    config = project.write({"space": {"lr": [0.1]}, "replicates": {"count": 2}})
    process = spawn(
        project,
        "sweep",
        "--config",
        str(config),
        MLFLOW_TRACKING_URI=server,
        MLFLOW_EXPERIMENT_NAME="theirs",
        MLFLOW_TRACKING_USERNAME=user[0],
        MLFLOW_TRACKING_PASSWORD=user[1],
        ROTHAMSTED_HOME=str(project.root),
    )
    try:
        output, _ = process.communicate(timeout=600)
    finally:
        process.kill()
    return process.returncode, output


def test_a_sweep_goes_through_with_name_and_password(
    empty_project: Project, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty_project.altered.append("its record is on a server")
    status, output = swept(empty_project, server, ADMIN)
    assert status == 0, output
    assert ADMIN[1] not in output
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", ADMIN[0])
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", ADMIN[1])
    runs = find_runs(None, {tags.SWEEP: "toys"}, uri=server)
    assert Counter((run.tags[tags.ROLE], run.status) for run in runs) == {
        ("sweep", "FINISHED"): 1,
        ("trial", "FINISHED"): 1,
        ("replicate", "FINISHED"): 2,
    }


@pytest.mark.parametrize(
    ("user", "says"),
    [
        ((ADMIN[0], "wrong"), "refused (HTTP 401); set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"),
        (READER, "does not permit this user to do that (HTTP 403); ask its administrator for the permission EDIT"),
    ],
    ids=["wrong password", "may only read"],
)
def test_who_may_not_write_is_told_so_in_one_line(
    empty_project: Project, server: str, user: tuple[str, str], says: str
) -> None:
    empty_project.altered.append("nothing of it is written")
    status, output = swept(empty_project, server, user)
    assert status == 2, output
    assert says in output
    assert output.count("\n") == 1, output
    assert user[1] not in output
