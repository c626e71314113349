"""A process ends with all that was asked to be done at the end, and takes nothing down."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import rothamsted

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


WRITER = """
import sqlite3, sys
from rothamsted.leaving import leave_at_the_end

class Remains:
    def __del__(self):
        print("taken down")

def run():
    global remains, file, database
    remains = Remains()
    database = sqlite3.connect("one.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE t (x)")
    {more}
    return 3

sys.exit(leave_at_the_end(run))
"""


@pytest.mark.parametrize(
    ("more", "is_taken_down"),
    [("", False), ("file = open('unclosed.txt', 'w'); file.write('kept')", True), ("file = open(__file__)", False)],
)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere every process is taken down")
def test_what_is_written_to_a_file_that_nobody_closes_is_kept(more: str, is_taken_down: bool, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(WRITER.replace("{more}", more))
    words, root = [sys.executable, str(program)], str(Path(rothamsted.__file__).parents[1])
    done = subprocess.run(
        words, cwd=tmp_path, env={"PYTHONPATH": root}, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout) == (3, "taken down\n" if is_taken_down else ""), done.stderr
    assert not is_taken_down or (tmp_path / "unclosed.txt").read_text() == "kept"
