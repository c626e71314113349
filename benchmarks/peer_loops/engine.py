"""Search by this engine: a function, and `rothamsted sweep`; a killed sweep is the same command again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

from benchmarks.peer_loops import asked

FUNCTION = '''
from benchmarks.peer_loops import train as points
from rothamsted import study


@study
def train(seed: int, a: float = 0.5, b: float = 0.5, c: float = 0.5, d: float = 0.5, e: float = 0.5):
    """Two curves of ten points."""
    for _, metrics in points(a, b):
        yield metrics
'''


def main() -> None:
    """Write the study and the sweep file, and run it."""
    grid = asked()
    Path("train.py").write_text(FUNCTION, encoding="utf-8")
    document = {
        "name": "grid",
        "study": "train.py:train",
        "space": {"a": grid.a, "b": grid.b},
        "objective": {"metric": "val_loss", "direction": "minimize", "reduce": "last"},
        "sampler": {"name": "grid"},
        "replicates": {"count": 1},
        "execution": {"workers": grid.workers, "report": False},
    }
    Path("sweep.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    sys.exit(subprocess.run([sys.executable, "-m", "rothamsted", "sweep", "sweep.yaml"], check=False).returncode)


if __name__ == "__main__":
    main()
