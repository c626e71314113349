"""Ctrl-C and a polite kill stop a run between two steps; the exit status says how a run ended."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from rothamsted.studies.signals import stop_on_signals
from rothamsted.tracking import find_runs
from tests.studies.conftest import RunToy, toy_command, toy_environment

STATUS = {"SIGINT": 130, "SIGTERM": 143}  # 128 + the signal's number, as shells report it


@pytest.mark.parametrize("name", sorted(STATUS))
def test_a_signal_stops_with_a_checkpoint_and_its_status(home: Path, name: str) -> None:
    command = toy_command("--steps", 1000, "--n_points", 1000, "--sleep_seconds", 0.02, "--checkpoint-dir", "ck")
    process = subprocess.Popen(command, cwd=home, env=toy_environment(), stdout=subprocess.PIPE, text=True)
    stdout = process.stdout
    if stdout is None:
        pytest.fail("the process has no output to wait for")
    for text in stdout:
        if text.startswith("step"):
            break
    process.send_signal(getattr(signal, name))
    rest = stdout.read()
    assert process.wait(60) == STATUS[name]
    assert "go on: start the same command again" in rest
    assert len(list((home / "ck").glob("*.safetensors"))) == 1
    assert [run.status for run in find_runs(None, {})] == ["KILLED"]


def test_the_second_signal_stops_at_once() -> None:
    heard: list[str] = []
    with stop_on_signals(heard.append) as request:
        os.kill(os.getpid(), signal.SIGINT)
        assert request()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert heard == ["SIGINT"]


def test_signals_are_as_before_when_the_run_is_over() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_on_signals(lambda name: None):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_in_another_thread_signals_are_left_alone() -> None:
    handlers: list[Any] = []

    def look() -> None:
        with stop_on_signals(lambda name: None):
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGINT)]


# ---- exit statuses ----

ENDS = {
    "finished": ((), 0, ""),
    "diverged": (("--lr", 3, "--diverge_above", 10), 0, ""),
    "failed": (("--fail", "true"), 1, "RuntimeError: the toy was told to fail\n"),
    "user": (
        ("--fail", "true", "--fail_with", "user"),
        2,
        "error: toy data are missing; make them with prepare_data\n",
    ),
}


@pytest.mark.parametrize("end", sorted(ENDS))
def test_the_exit_status_says_how_it_ended(run_toy: RunToy, end: str) -> None:
    arguments, status, last_words = ENDS[end]
    done = run_toy("--no-save", *arguments)
    assert done.returncode == status
    assert done.stderr.strip().endswith(last_words.strip())
    assert ("Traceback" in done.stderr) == (end == "failed")
