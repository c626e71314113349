"""Writes what Ray Tune writes: six trials over three rates and two seeds, of which the largest rate fails.

`python -m tests.importing.ray_writer FOLDER` runs Ray (a minute on a quiet machine) and keeps its files without
pickles, and without the paths of this machine, in FOLDER/ray-VERSION: so was `files/ray-2.60.0` made.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

NAME = "rates"
KEPT = ("params.json", "result.json", "progress.csv", "error.txt")
_HEX = re.compile(r"[0-9a-f]{40,}")  # a pickle, written as text


def train(config: dict[str, Any]) -> None:
    """Three results, or one and a failure."""
    from ray import tune

    for step in range(3):
        if config["lr"] > 1 and step == 1:
            raise ValueError("too large a rate")
        tune.report({"loss": config["lr"] + config["seed"] / 100 + 1 / (step + 1), "info": {"n": step}})


def write(folder: Path) -> Path:
    """Run Ray Tune, and return the folder of its experiment."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray import tune

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="CRITICAL")
    try:
        space = {"lr": tune.grid_search([0.1, 0.5, 2.0]), "seed": tune.grid_search([0, 1]), "net": {"width": 8}}
        config = tune.RunConfig(name=NAME, storage_path=str(folder), verbose=0)
        tune.Tuner(train, param_space=space, run_config=config).fit()
    finally:
        ray.shutdown()
    return folder / NAME


def keep(experiment: Path, target: Path) -> None:
    """Copy what text Ray has written, without what only this machine has."""
    import ray

    packages, here = str(Path(ray.__file__).parents[1]), str(Path(__file__).parents[2])
    own = re.compile(rf"\b({re.escape(socket.gethostname())}|\d+\.\d+\.\d+\.\d+)\b")  # its names in a network
    for trial in (path for path in experiment.iterdir() if path.is_dir()):
        (target / trial.name).mkdir(parents=True)
        for name in KEPT:
            if (trial / name).exists():
                text = (trial / name).read_text().replace(packages, "site-packages").replace(here, ".")
                (target / trial.name / name).write_text(own.sub("host", text))
    for path in experiment.glob("experiment_state-*.json"):
        state = json.loads(path.read_text())
        text = json.dumps({"trial_data": [[_HEX.sub("", one) for one in pair] for pair in state["trial_data"]]})
        (target / path.name).write_text(text.replace(str(experiment.parent), "."))


if __name__ == "__main__":
    import ray

    with tempfile.TemporaryDirectory() as made:
        found = write(Path(made))
        kept = Path(sys.argv[1]) / f"ray-{ray.__version__}"
        shutil.rmtree(kept, ignore_errors=True)
        keep(found, kept / NAME)
