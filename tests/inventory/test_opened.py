"""`rothamsted open`: both UIs answer on the databases of the sweep, and end with the command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from rothamsted.errors import UserError
from rothamsted.inventory.servers import free_port, serving
from tests.inventory.test_listed import TWO, finished
from tests.sweeping.conftest import Project

SILENT = [sys.executable, "-c", "print('first'); print('no such database'); raise SystemExit(3)"]


def test_both_uis_show_the_sweep_and_end_with_the_command(project: Project, tmp_path: Path) -> None:
    finished(project, TWO)
    opened = tmp_path / "opened.txt"  # what the browser of this test is told to open
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-m", "rothamsted", "open", "toys", "--json"],
        cwd=project.root,
        env=project.environment(BROWSER=str(browser)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        pages = json.loads(process.stdout.readline())
        with urllib.request.urlopen(f"{pages['optuna_dashboard'].partition('/dashboard')[0]}/api/studies") as answer:
            assert [study["study_name"] for study in json.load(answer)["study_summaries"]] == ["toys"]
        address, _, page = pages["mlflow"].partition("/#/")
        with urllib.request.urlopen(address) as answer:
            assert b"MLflow" in answer.read()
        assert page.startswith("experiments/")
        servers = psutil.Process(process.pid).children(recursive=True)
        assert servers
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
    assert opened.read_text().strip() == pages["mlflow"]
    assert [one for one in servers if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []


def test_a_server_that_ends_at_once_says_why() -> None:
    port = free_port()
    with (
        pytest.raises(UserError, match="MLflow: ended with status 3: no such database"),
        serving({"MLflow": SILENT}, {"MLflow": port}),
    ):
        pass


def test_a_port_that_is_taken_is_refused() -> None:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        taken = one.getsockname()[1]
        with pytest.raises(UserError, match=f"port {taken}: Address already in use; give another port"):
            free_port(taken)


def test_of_a_sweep_that_is_not_there_nothing_is_started(project: Project) -> None:
    done = project.cli("open", "nothing", "port=80a")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "port=80a must be a whole number" in done.stderr
    assert not (project.root / "optuna.db").exists()
