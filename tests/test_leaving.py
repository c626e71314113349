"""A process ends with all that was asked to be done at the end, and takes nothing down."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, logging, sys, threading, time
from logging.handlers import MemoryHandler
from rothamsted.leaving import leave_at_the_end

class Remains:
    def __del__(self):
        print("taken down")

def run():
    global remains
    remains = Remains()
    atexit.register(print, "asked")
    logging.getLogger().addHandler(MemoryHandler(100, target=logging.StreamHandler(sys.stdout)))
    logging.getLogger().warning("logged")
    threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
    print("buffered")
    {end}

sys.exit(leave_at_the_end(run))
"""


@pytest.mark.parametrize(
    ("end", "status", "error"),
    [
        ("return 0", 0, ""),
        ("return 130", 130, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('a word')", 1, "a word\n"),
        ("raise ValueError('odd')", 1, "ValueError: odd\n"),
    ],
)
def test_what_was_asked_for_is_done_and_the_status_is_kept(end: str, status: int, error: str) -> None:
    program = PROGRAM.replace("{end}", end)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines() == ["buffered", "thread", "asked", "logged"]
    assert done.returncode == status
    assert done.stderr == error or (error and done.stderr.endswith(error))
