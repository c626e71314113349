"""Who holds a trial or a lock: a name that a later process with the same number does not have."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from rothamsted.holders import is_alive, new_worker_id

CHILD = "from rothamsted.holders import new_worker_id; print(new_worker_id(), flush=True); input()"


def test_a_process_is_alive_until_it_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        name = child.stdout.readline().decode().strip()
        was_alive = is_alive(name)
        child.kill()
    assert (was_alive, is_alive(name)) == (True, False)


def test_a_process_that_has_the_number_of_a_dead_one_is_another() -> None:
    host, pid, started = new_worker_id().rsplit(":", 2)
    assert not is_alive(f"{host}:{pid}:{int(started) - 60}")


def test_a_process_of_another_host_counts_as_alive() -> None:
    assert is_alive("another-host:1:0")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the clock moves start times on Linux")
def test_a_process_stays_alive_when_the_clock_of_its_machine_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    from psutil import _pslinux

    name, booted = new_worker_id(), _pslinux.boot_time()
    # What Linux says of its own start is its clock less the time since then: five minutes more than before.
    monkeypatch.setattr(_pslinux, "boot_time", lambda: booted + 300)
    assert is_alive(name)


def test_a_process_that_was_killed_and_not_waited_for_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        name = child.stdout.readline().decode().strip()
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(name)


@pytest.mark.parametrize("text", ["", "nobody", "host:12", "host:pid:start", f"{socket.gethostname()}:-1:5"])
def test_text_that_names_no_process_is_nobody_alive(text: str) -> None:
    assert not is_alive(text)
