"""Where the checkpoints of a sweep lie: one folder a replicate, below the sweep's name and run.

Apart because the worker that writes them and a later stage that reads them must agree.
"""

from __future__ import annotations

import re
from pathlib import Path

from rothamsted.spec import Sweep


def checkpoints_of(root: Path, sweep: Sweep, sweep_run_id: str) -> Path:
    """The folder of all checkpoints of one sweep."""
    safe_name = re.sub(r"[^\w.-]", "_", sweep.name)
    return root / sweep.execution.checkpoint_dir / safe_name / sweep_run_id[-12:]  # its beginning is only the time


def checkpoint_folder(root: Path, sweep: Sweep, sweep_run_id: str, part: str) -> Path:
    """The folder of one population: `part` is trial-replicate, joined by + where several train together."""
    return checkpoints_of(root, sweep, sweep_run_id) / part


def state_part(trial: int, replicate: int) -> str:
    """The `part` of a replicate of the search that trains alone."""
    return f"{trial}-{replicate}"
