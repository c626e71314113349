"""A process with limits: how it ends, and that nothing of it is left."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from rothamsted.foreign import keeper
from rothamsted.foreign.pool import Pool
from rothamsted.foreign.process import Launch, LaunchError, Running, start, watch
from rothamsted.system import System

from .conftest import Run

pytestmark = pytest.mark.usefixtures("system")
SLEEPER = "import sys, time; open(sys.argv[1], 'w').write(str(__import__('os').getpid())); time.sleep(600)"
# Starts a child in a session of its own that ignores SIGTERM, and waits for it.
PARENT_OF_DAEMON = """
import os, subprocess, sys, time
code = "import os,signal,sys,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); " \
       "open(sys.argv[1],'w').write(str(os.getpid())); time.sleep(600)"
if os.fork() == 0:
    subprocess.Popen([sys.executable, '-c', code, sys.argv[1]], start_new_session=True)
    os._exit(0)
os.wait()
time.sleep(float(sys.argv[2]))
"""


def wait_for_pid(path: Path) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.02)
    raise TimeoutError(path)


def is_gone(pid: int, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def test_the_exit_status_is_the_commands_own(run: Run) -> None:
    # Authority: POSIX; `exit 7` and a death by SIGKILL, which Python writes as -9.
    assert run(["bash", "-c", "echo last words; exit 7"]).code == 7
    ended = run("echo out; echo err >&2; kill -9 $$")
    assert (ended.code, ended.reason, ended.tail) == (-signal.SIGKILL, "", "out\nerr")


def test_an_argument_arrives_verbatim_and_executes_nothing(run: Run, stranger: Path) -> None:
    values = ["a b", "it's", '"', "$(touch X)", "; touch X", "`touch X`", "-n", "", "ä\n*"]
    ended = run(["python", "arguments.py", *values])
    assert json.loads(ended.tail) == values
    assert not (stranger / "X").exists()


def test_a_program_that_is_not_there_is_one_clear_line(launch: Callable[..., Launch]) -> None:
    with pytest.raises(LaunchError, match=r"^run run 1: .*no-such-program: No such file or directory.*$"):
        start(launch(["no-such-program"]))


def test_a_process_over_its_time_is_ended(launch: Callable[..., Launch]) -> None:
    ended = watch(start(launch(["sleep", "600"])), time_limit=0.3, poll_seconds=0.05)
    assert (ended.code, ended.reason) == (-signal.SIGTERM, "timeout")
    assert 0.3 <= ended.seconds < 5


def test_a_process_over_its_memory_is_killed_with_its_children(launch: Callable[..., Launch], tmp_path: Path) -> None:
    # 200 MB held by a child of the command: the limit is on the whole tree.
    hold = f"import os,time; open({str(tmp_path / 'pid')!r},'w').write(str(os.getpid())); x=b'1'*200_000_000"
    running = start(launch(["bash", "-c", '"$@" & wait', "bash", sys.executable, "-c", f"{hold}; time.sleep(600)"]))
    ended = watch(running, memory_limit=150_000_000, poll_seconds=0.05)
    assert (ended.code, ended.reason) == (-signal.SIGTERM, "memory")
    assert ended.peak_memory_bytes > 150_000_000
    assert is_gone(wait_for_pid(tmp_path / "pid"))


@pytest.mark.parametrize("reason", ["stopped", "pruned"])
def test_the_owner_may_end_it_at_a_tick(launch: Callable[..., Launch], reason: str) -> None:
    running = start(launch(["sleep", "600"]))
    ended = watch(
        running, should_stop=lambda: reason == "stopped", on_tick=lambda: reason == "pruned", poll_seconds=0.05
    )
    assert (ended.code, ended.reason) == (-signal.SIGTERM, reason)


def test_a_command_that_ends_itself_in_the_grace_keeps_its_exit_status(launch: Callable[..., Launch]) -> None:
    running = start(launch("trap 'echo saved; exit 5' TERM; echo ready; read < <(tail -f /dev/null)"))
    while "ready" not in running.tail():
        time.sleep(0.02)
    assert running.stop(10.0) == 5
    assert running.tail() == "ready\nsaved"


def test_stopping_leaves_no_daemon_that_ignores_sigterm(launch: Callable[..., Launch], tmp_path: Path) -> None:
    running = start(launch([sys.executable, "-c", PARENT_OF_DAEMON, str(tmp_path / "pid"), "600"]))
    daemon = wait_for_pid(tmp_path / "pid")
    running.stop(0.1)
    assert is_gone(daemon)
    assert is_gone(running.keeper_pid)


def test_a_command_that_ends_by_itself_leaves_no_daemon(run: Run, tmp_path: Path) -> None:
    ended = run([sys.executable, "-c", PARENT_OF_DAEMON, str(tmp_path / "pid"), "0.5"])
    assert ended.code == 0
    assert is_gone(wait_for_pid(tmp_path / "pid"))


OWNER = f"""
import os, sys, time
from pathlib import Path
from rothamsted.foreign.pool import Pool
from rothamsted.foreign.process import Launch, start
folder, is_pool = Path(sys.argv[1]), sys.argv[2] == "pool"
(folder / "script.py").write_text({PARENT_OF_DAEMON!r})
command = ["python", "script.py", str(folder / "daemon"), "600"]
launch = Launch(command=command, folder=folder, environment=dict(os.environ), log_path=folder / "log")
pool = Pool.open(folder, command, dict(os.environ)) if is_pool else None
running = pool.start(launch) if pool else start(launch)
pids = [running.pid, running.keeper_pid] + ([pool.zygote.pid] if pool else [])
(folder / "pids").write_text(" ".join(map(str, pids)))
time.sleep(600)
"""


@pytest.mark.parametrize("kind", ["plain", "pool"])
def test_nothing_outlives_an_owner_that_was_killed(kind: str, tmp_path: Path, system: System) -> None:
    if kind == "pool" and not system.forks_after_imports:
        pytest.skip("there is no pool without a safe fork")
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path), kind])
    daemon = wait_for_pid(tmp_path / "daemon")
    while not (tmp_path / "pids").exists() or not (tmp_path / "pids").read_text():
        time.sleep(0.02)
    pids = [int(text) for text in (tmp_path / "pids").read_text().split()]
    assert all(psutil.pid_exists(pid) for pid in [daemon, *pids])
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    assert all(is_gone(pid, seconds=10) for pid in [daemon, *pids])


def test_a_command_ends_with_its_keeper(launch: Callable[..., Launch]) -> None:
    running: Running = start(launch(["sleep", "600"]))
    os.kill(running.keeper_pid, signal.SIGKILL)
    assert running.wait(5.0) == -signal.SIGKILL
    assert is_gone(running.pid)


def test_a_pool_is_not_needed_to_stop_what_it_started(
    launch: Callable[..., Launch], stranger: Path, system: System
) -> None:
    (stranger / "sleeper.py").write_text("import time\ntime.sleep(600)\n")
    first = launch(["python", "sleeper.py"])
    pool = Pool.open(stranger, first.arguments, first.environment)
    if not system.forks_after_imports:
        assert pool == f"a warm start is for Linux only, and this is {system.name}"
        return
    assert isinstance(pool, Pool)
    running = pool.start(first)
    pool.close()
    assert running.poll() is None
    assert running.stop(5.0) == -signal.SIGTERM


def test_a_word_is_heard_in_a_process_that_has_two_thousand_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 3000:
        pytest.skip("this system allows fewer open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3000), hard))
    with contextlib.ExitStack() as files:
        for _ in range(2000):
            files.enter_context(open(os.devnull))  # noqa: PTH123
        ours, theirs = map(files.enter_context, socket.socketpair())
        assert ours.fileno() > 1024  # what select() takes at most
        assert keeper.ready([ours], 0.0) == []
        theirs.send(b"x")
        assert keeper.ready([ours], 5.0) == [ours]
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
