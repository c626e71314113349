"""Who holds a trial or a lock: a name that a later process with the same number does not have."""

from __future__ import annotations

import subprocess
import sys

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
