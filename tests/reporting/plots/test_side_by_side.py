"""Several names are worked on by several processes, or here alone; what is found is the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rothamsted.publish.pages import report_html
from rothamsted.reporting.plots import render
from rothamsted.reporting.plots.side_by_side import SideBySide
from rothamsted.system import PORTABLE, System, this_system
from tests.reporting.worlds import grid
from tests.systems import system as system

WAIT_SECONDS = 60.0  # longer than any machine takes


def test_two_processes_work_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "rothamsted.reporting.plots.side_by_side.threads_left", lambda: ""
    )  # other tests may leave some

    def met(name: str) -> int:
        """Ends when the other has begun."""
        (tmp_path / name).touch()
        deadline = time.monotonic() + WAIT_SECONDS
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        return os.getpid()

    with SideBySide(do=met, names=["a", "b"], n_processes=2) as work:
        found = work.results()
    assert list(found) == ["a", "b"]
    assert len(set(found.values())) == 2
    assert os.getpid() in found.values()


def test_results_are_the_same_on_every_system_in_the_order_of_the_names(system: System) -> None:
    names = [str(number) for number in range(40)]
    with SideBySide(do=lambda name: int(name) ** 2, names=names, n_processes=4) as work:
        assert list(work.results().items()) == [(str(number), number**2) for number in range(40)]


@pytest.mark.parametrize("why", ["another thread", "one core", "another system"])
def test_where_a_fork_would_lose_something_all_is_done_here(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    if why == "another thread":
        thread.start()
    if why == "another system":
        monkeypatch.setenv(PORTABLE, "1")
        this_system.cache_clear()
    n_processes = 1 if why == "one core" else 4
    with SideBySide(do=lambda name: os.getpid(), names=["a", "b", "c"], n_processes=n_processes) as work:
        assert set(work.results().values()) == {os.getpid()}
    release.set()
    this_system.cache_clear()


@pytest.mark.parametrize("how", ["an error", "a death", "a result that cannot be sent"])
def test_what_a_child_does_not_come_to_is_done_here(how: str) -> None:
    own = os.getpid()

    def here_only(name: str) -> object:
        if os.getpid() == own:
            return name
        if how == "an error":
            raise ValueError(name)
        return os._exit(9) if how == "a death" else threading.Lock()

    with SideBySide(do=here_only, names=["a", "b", "c"], n_processes=3) as work:
        assert work.results() == {"a": "a", "b": "b", "c": "c"}


def test_an_error_is_raised_here_and_no_child_is_left() -> None:
    def refuse(name: str) -> str:
        raise ValueError(f"not {name}")

    with SideBySide(do=refuse, names=["a", "b"], n_processes=2) as work:
        children = list(work._children)
        with pytest.raises(ValueError, match=r"not [ab]"):
            work.results()
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


KILLED = """
import os, signal, sys, time
from pathlib import Path
from rothamsted.reporting.plots.side_by_side import SideBySide
folder, own = Path(sys.argv[1]), os.getpid()
def do(name):
    (folder / f"{name}-{os.getpid()}").touch()
    if os.getpid() == own:  # only once the other has begun too
        while len(list(folder.iterdir())) < 2:
            time.sleep(0.01)
        os.kill(own, signal.SIGKILL)
    while os.getppid() == own:
        time.sleep(0.01)
with SideBySide(do=do, names=[str(n) for n in range(200)], n_processes=2) as work:
    work.results()
"""


def test_a_child_whose_parent_was_killed_does_not_take_up_the_rest(tmp_path: Path) -> None:
    reading, writing = os.pipe()  # the child holds it, too: its end is the end of the child
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], pass_fds=[writing], timeout=WAIT_SECONDS)
    os.close(writing)
    assert killed.returncode == -signal.SIGKILL
    assert os.read(reading, 1) == b""
    os.close(reading)
    assert len(list(tmp_path.iterdir())) == 2  # what each of the two was at


def test_a_page_is_the_same_whoever_draws_it(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rothamsted.publish.pages.now_text", lambda: "now")
    monkeypatch.setattr("rothamsted.reporting.plots.side_by_side._n_cores", lambda: 1)
    module = sys.modules[render.__module__]
    monkeypatch.setattr(module, "_svg", module._svg.__wrapped__)  # drawn each time, not remembered
    analysis = grid()
    alone = report_html(analysis)
    monkeypatch.setattr("rothamsted.reporting.plots.side_by_side._n_cores", lambda: 3)
    assert report_html(analysis) == alone
