"""Files that are written in one step, also when several processes write one of them at once, as workers do a cache."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

WRITER = """
import sys
from pathlib import Path
from projects.files.download import write_atomically
for _ in range(60):
    write_atomically(Path(sys.argv[1]), sys.argv[2].encode() * 200_000)
"""


def test_two_processes_that_write_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    target = tmp_path / "cache.npz"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(target), letter], cwd=ROOT) for letter in "ab"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if target.exists():
            data = target.read_bytes()
            seen.add((data[:1], data.count(data[:1])))
    assert [writer.returncode for writer in writers] == [0, 0]
    # A reader only ever sees a whole file of one of the two.
    assert seen <= {(b"a", 200_000), (b"b", 200_000)}
    assert [path.name for path in tmp_path.iterdir()] == ["cache.npz"]
