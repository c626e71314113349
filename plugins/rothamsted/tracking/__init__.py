"""The only doorway to MLflow: writing runs, reading them back, and where the store is.

Apart, so that no other part of the engine knows how MLflow keeps a run.
"""

import rothamsted.tracking.before_mlflow  # noqa: F401  (first: it sets what MLflow reads when it is imported)
from rothamsted.tracking.address import (
    current_run_id,
    run_link,
    run_path,
    sweep_link,
    sweep_path,
    tracking_uri,
    ui_address,
    ui_command,
)
from rothamsted.tracking.curve_reader import Curve, read_curves
from rothamsted.tracking.environment import environment_text, git_commit
from rothamsted.tracking.experiment import experiment_id, save_view
from rothamsted.tracking.opening import open_recorder
from rothamsted.tracking.reach import check_reachable
from rothamsted.tracking.reader import FoundRun, find_experiment, find_run, find_runs, read_history
from rothamsted.tracking.recorder import Recorder
from rothamsted.tracking.run_files import list_files, read_text
from rothamsted.tracking.sql.store import migrate

__all__ = [
    "Curve",
    "FoundRun",
    "Recorder",
    "check_reachable",
    "current_run_id",
    "environment_text",
    "experiment_id",
    "find_experiment",
    "find_run",
    "find_runs",
    "git_commit",
    "list_files",
    "migrate",
    "open_recorder",
    "read_curves",
    "read_history",
    "read_text",
    "run_link",
    "run_path",
    "save_view",
    "sweep_link",
    "sweep_path",
    "tracking_uri",
    "ui_address",
    "ui_command",
]
