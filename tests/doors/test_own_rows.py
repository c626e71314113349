"""The recipes of CONTRIBUTING.md for this tree: each function into its file, each row into its registry."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.doors.recipes import ADDED, FUNCTIONS, ROWS

LIST = """
from rothamsted.catalog import REGISTRIES
from rothamsted.registries import load

for kind, registry in REGISTRIES.items():
    for name in registry.names():
        row = registry[name]
        if hasattr(row, "make"):
            assert callable(load(row.make))
    print(kind, *registry.names())
"""


def test_each_recipe_adds_its_row_in_a_copy_of_this_tree(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "plugins", tmp_path / "plugins", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    package = tmp_path / "plugins" / "rothamsted"
    for file, text in FUNCTIONS:
        with (package / file).open("a", encoding="utf-8") as stream:
            stream.write("\n\n" + text)
    catalog = package / "catalog.py"
    for registry, row in ROWS:
        before, opening, after = catalog.read_text(encoding="utf-8").partition(f"\n{registry}: Registry")
        head, brace, rows = after.partition("    {\n")
        catalog.write_text(f"{before}{opening}{head}{brace}        {row}{rows}", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", LIST],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "plugins")},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    listed = {kind: names for kind, *names in map(str.split, done.stdout.splitlines())}
    assert {kind: name in listed[kind] for kind, name in ADDED.items()} == dict.fromkeys(ADDED, True)
