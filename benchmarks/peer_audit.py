"""Count in MLflow's database, by SQL alone, which cells of a grid were trained and logged, how often and how well."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Set
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.trivial import N_POINTS

# Each run of a training: its condition, its status, and the points of both curves. A run without points counts as one
# that was begun; what groups runs (a search, a trial with its means) has not both curves, and no status of a training.
TRAININGS = """
SELECT runs.status, a.value, b.value,
  SUM(m.key = 'train_loss'), SUM(m.key = 'val_loss'),
  COUNT(DISTINCT CASE WHEN m.key = 'train_loss' THEN m.step END),
  COUNT(DISTINCT CASE WHEN m.key = 'val_loss' THEN m.step END)
FROM runs
JOIN params a ON a.run_uuid = runs.run_uuid AND a.key = 'a'
JOIN params b ON b.run_uuid = runs.run_uuid AND b.key = 'b'
JOIN metrics m ON m.run_uuid = runs.run_uuid AND m.key IN ('train_loss', 'val_loss')
WHERE runs.lifecycle_stage = 'active'
GROUP BY runs.run_uuid
"""
STILL_RUNNING = """
SELECT COUNT(*) FROM runs WHERE status = 'RUNNING' AND lifecycle_stage = 'active'
AND EXISTS (SELECT 1 FROM params WHERE params.run_uuid = runs.run_uuid AND params.key = 'a')
"""
WHOLE = (N_POINTS, N_POINTS, N_POINTS, N_POINTS)


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Counts what is wrong with the record of a grid, in runs.

    Attributes:
        lost: cells without a finished run that has both curves whole.
        doubled: such runs beyond the first of their cell.
        broken: finished runs whose curves miss points or have them twice.
        left_running: runs that nobody runs, and MLflow shows as RUNNING.
    """

    lost: int
    doubled: int
    broken: int
    left_running: int

    @property
    def is_exact(self) -> bool:
        """Say whether each cell is there once, and nothing else."""
        return (self.lost, self.doubled, self.broken, self.left_running) == (0, 0, 0, 0)

    def __str__(self) -> str:
        counts = {"lost": self.lost, "doubled": self.doubled, "broken": self.broken, "left RUNNING": self.left_running}
        return ", ".join(f"{n} {name}" for name, n in counts.items() if n) or "exact"


def audit(path: Path, cells: Set[tuple[float, float]]) -> Audit:
    """Count, once nothing writes any more.

    Args:
        path: MLflow's SQLite file.
        cells: the conditions of the grid, (a, b).
    """
    with closing(sqlite3.connect(path)) as connection:
        trainings = connection.execute(TRAININGS).fetchall()
        (left_running,) = connection.execute(STILL_RUNNING).fetchone()
    finished = [(float(a), float(b), tuple(points)) for status, a, b, *points in trainings if status == "FINISHED"]
    whole = Counter((a, b) for a, b, points in finished if points == WHOLE)
    return Audit(
        lost=sum(cell not in whole for cell in cells),
        doubled=sum(n - 1 for n in whole.values()),
        broken=len(finished) - whole.total(),
        left_running=left_running,
    )
