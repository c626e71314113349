"""Where files are opened: for the studies in projects/files and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

OPENING = re.compile(
    r"np\.load\(|np\.fromfile\(|\.read_text\(|\.read_bytes\(|\.open\(\"rb?\"|Image\.open\(|ZipFile\(|tarfile\.open\(|"
    r"gzip\.(open|decompress)|urlopen\(|pickle\.loads?\(|Unpickler|torch\.load\(|loadmat\(|is_file\(\)|\.rglob\(|\.iterdir\(|\.expanduser\("
)
OWN = {"projects/batch_size/data/mnist1m_prepare.py": 2}  # binds files that it has just written


def test_studies_open_files_in_one_place_and_unpickle_nothing() -> None:
    root = Path(__file__).parents[3]
    found: dict[str, int] = {}
    for path in sorted((root / "projects").rglob("*.py")):
        name = str(path.relative_to(root))
        if not name.startswith("projects/files/") and (count := len(OPENING.findall(path.read_text()))):
            found[name] = count
    assert found == OWN
