"""Call `mlflow run` for each condition, from a loop that leaves out what is finished already."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow

from benchmarks.peer_loops import asked

MLPROJECT = """
name: loop
entry_points:
  main:
    parameters: {a: float, b: float}
    command: "python PROGRAM {a} {b}"
"""


def finished() -> set[tuple[float, float]]:
    """Return the conditions that have a finished run."""
    runs = mlflow.search_runs(search_all_experiments=True, filter_string="status = 'FINISHED'", output_format="list")
    return {(float(run.data.params["a"]), float(run.data.params["b"])) for run in runs}


def launch(cell: tuple[float, float]) -> None:
    """Start one process of MLflow's, which starts one of ours."""
    words = ["-P", f"a={cell[0]}", "-P", f"b={cell[1]}"]
    command = [sys.executable, "-m", "mlflow", "run", ".", "--env-manager", "local", *words]
    subprocess.run(
        command, check=True, env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    )


def main() -> None:
    """Train all cells that are left, so many at once."""
    grid = asked()
    Path("MLproject").write_text(MLPROJECT.replace("PROGRAM", str(Path(__file__).with_name("one_run.py"))))
    done = finished()
    with ThreadPoolExecutor(grid.workers) as pool:
        list(pool.map(launch, [cell for cell in grid.cells if cell not in done]))


if __name__ == "__main__":
    main()
