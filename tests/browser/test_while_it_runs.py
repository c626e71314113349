"""What both sites show while a sweep runs: it is stopped in the middle, so that nothing hangs on timing."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.browser import sites

pytestmark = pytest.mark.browser
OVERRIDES = (
    *("--space", "optimizer.lr=0.02,0.05,0.1,0.2,0.5,1.0 gamma=0.5,1.0,2.0"),
    *("--batch_size", "64", "--replicates.count", "20", "--execution.workers", "1"),
)
MOST_SECONDS = 300.0  # until the first condition has all its replicates
ENDED = """
    SELECT COUNT(*) FROM tags AS role JOIN runs USING (run_uuid)
    WHERE role.key = 'rothamsted.role' AND role.value = 'trial' AND runs.status = 'FINISHED'
"""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A sweep that is held in the middle, and the two sites."""

    printed: str
    sites: sites.Sites
    n_ended: int


def count_ended(copy: sites.Copy) -> int:
    """Trials whose run has ended; none while MLflow's tables are not there."""
    if not copy.mlflow_database.exists():
        return 0
    connection = sqlite3.connect(copy.mlflow_database)
    with contextlib.closing(connection), contextlib.suppress(sqlite3.OperationalError):
        return int(connection.execute(ENDED).fetchone()[0])
    return 0


@pytest.fixture(scope="module")
def running(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    copy = sites.copy_project(tmp_path_factory.mktemp("running"))
    output = copy.folder / "printed.txt"
    with output.open("w") as stream:
        sweep = subprocess.Popen(
            [*sites.quickstart_command(copy), *OVERRIDES],
            cwd=copy.folder,
            env=copy.environment(),
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own: its worker is held with it
        )
    try:
        until = time.monotonic() + MOST_SECONDS
        while not count_ended(copy) and sweep.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        assert sweep.poll() is None, output.read_text()
        os.killpg(sweep.pid, signal.SIGSTOP)
        with sites.serve(copy) as found:
            yield Running(printed=output.read_text(), sites=found, n_ended=count_ended(copy))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(sweep.pid, signal.SIGKILL)
        sweep.wait()


def test_the_link_that_is_printed_first_shows_the_trials_so_far(new_page: Any, running: Running) -> None:
    assert running.n_ended >= 1
    new_page.goto(f"{running.sites.mlflow}/{sites.link_to(running.printed, 'its trials')}")
    sites.column(new_page, "objective/mean").wait_for()
    new_page.get_by_text(re.compile(r"^\d+ matching runs?$")).wait_for()
    names = new_page.get_by_role("row").get_by_role("link").all_inner_texts()
    assert len([name for name in names if name.startswith("lr ")]) >= running.n_ended


def test_the_search_shows_what_has_ended_and_what_runs(new_page: Any, running: Running) -> None:
    new_page.goto(f"{running.sites.dashboard}/dashboard/studies/1/trials")
    new_page.get_by_role("button", name=re.compile(r"^Trial 0\s*Complete")).wait_for()
    new_page.get_by_role("button", name=re.compile(r"^Trial \d+\s*Running")).first.wait_for()
