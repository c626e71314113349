"""Search by phasesweep: one phase with a grid, a process a trial; a killed run is started again, as its README says.

Its own MLflow block wants a tracking server, so the training logs to MLflow by itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.peer_loops import asked


def main() -> None:
    """Write the file (JSON is YAML, too) and run it."""
    grid = asked()
    program = Path(__file__).with_name("one_run.py")
    file = Path("phases.yaml").resolve()
    document = {
        "experiment": "grid",
        "storage": "auto",
        "provenance": {"training": "benchmarks.trivial"},
        "workdir": "./runs",
        "execution": {"cwd": ".", "inherit_env": "all"},
        "override_format": "argparse",
        "trial_command": f"{sys.executable} {program} {{overrides}}",
        "trainer_config": {"a": 0.5, "b": 0.5},
        "metric": {"name": "val_loss", "extractor": {"type": "json", "path": "result.json", "key": "val_loss"}},
        "phases": [
            {
                "name": "grid",
                "n_trials": len(grid.cells),
                "n_jobs": grid.workers,
                "gpu_policy": "none",
                "allow_no_gpu_isolation": True,
                "sampler": {"type": "grid"},
                "search_space": {
                    "a": {"type": "categorical", "choices": grid.a},
                    "b": {"type": "categorical", "choices": grid.b},
                },
            }
        ],
    }
    file.write_text(json.dumps(document, indent=2), encoding="utf-8")
    program = Path(sys.executable).with_name("phasesweep")
    sys.exit(subprocess.run([program, "run", file], env=os.environ, check=False).returncode)


if __name__ == "__main__":
    main()
