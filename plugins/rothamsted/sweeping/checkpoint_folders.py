"""Where the checkpoints of a sweep lie: at home (`places`), one folder a population, below the sweep's name and run.

Apart because the worker that writes them and a later stage that reads them must agree.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from rothamsted.spec import Sweep


def checkpoints_of(home: Path, sweep: Sweep, sweep_run_id: str) -> Path:
    """The folder of all checkpoints of one sweep."""
    safe_name = re.sub(r"[^\w.-]", "_", sweep.name)
    return home / sweep.execution.checkpoint_dir / safe_name / sweep_run_id[-12:]  # its beginning is only the time


def checkpoint_folder(home: Path, sweep: Sweep, sweep_run_id: str, part: str) -> Path:
    """The folder of one population, by its `population_part`."""
    return checkpoints_of(home, sweep, sweep_run_id) / part


def state_part(trial: int | str, replicate: int) -> str:
    """The part of a replicate of the search that trains alone."""
    return f"{trial}-{replicate}"


def population_part(members: Sequence[tuple[str, int]]) -> str:
    """The last part of a population's folder; no other population of the sweep has the same.

    Args:
        members: key of the trial, and replicate, of each, in the order in which they train.
    """
    parts = [state_part(key, replicate) for key, replicate in members]
    if len(parts) == 1:
        return parts[0]
    return f"{len(parts)}-members-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:20]}"
