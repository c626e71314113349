"""Starts the program `trials` as a process of its own, and reads what it found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import ROOT


def trials(uri: str, folder: Path, *arguments: str) -> Any:
    """Run `trials` on a store, in a folder; `arguments` are its kind and what follows the URI."""
    kind, *rest = arguments
    done = subprocess.run(
        [sys.executable, "-m", "tests.promotion.trials", kind, uri, *rest],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "plugins"), str(ROOT)]),
            "MLFLOW_TRACKING_URI": uri,
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
