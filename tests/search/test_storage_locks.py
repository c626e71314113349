"""Checking a storage that this process has open already leaves its locks alone: other processes rely on them."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from rothamsted.search import check_storage

WRITE = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('CREATE TABLE other (x)')"


def test_checking_a_storage_lets_no_other_process_write_into_a_transaction(tmp_path: Path) -> None:
    # https://www.sqlite.org/howtocorrupt.html, section 2.2: a close() of the file ends all locks of a process.
    path = tmp_path / "optuna.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mine (x)")
        connection.execute("BEGIN IMMEDIATE")
        check_storage(f"sqlite:///{path}")
        other = subprocess.run([sys.executable, "-c", WRITE, str(path)], capture_output=True, text=True, timeout=60)
    assert "database is locked" in other.stderr
