"""Starts the program `trials` as a process of its own, and reads what it found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.conftest import ROOT


def run_trials(stores: Mapping[str, str], folder: Path) -> Any:
    """Run trials, each on an empty store of its own (name -> URI), in a folder; returns what each of them found."""
    path = os.pathsep.join([str(ROOT / "plugins"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "tests.promotion.trials", json.dumps(stores)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sys.stderr.write(done.stderr)  # shown with a test that fails
    return json.loads(done.stdout.splitlines()[-1])
