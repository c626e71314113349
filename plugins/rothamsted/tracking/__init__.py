"""Use MLflow: write runs, read them back, and find the store. No other package imports MLflow."""

from typing import TYPE_CHECKING

import rothamsted.tracking.before_mlflow  # noqa: F401  (it sets what MLflow reads when it is imported)
from rothamsted.first_use import at_first_use

if TYPE_CHECKING:  # the same for type checkers
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
    from rothamsted.tracking.experiment import experiment_called, experiment_id, save_view
    from rothamsted.tracking.imported import ImportedRuns
    from rothamsted.tracking.opening import deliver_left, open_recorder, wait_until_reachable
    from rothamsted.tracking.outer_run import project_address
    from rothamsted.tracking.reach import check_reachable
    from rothamsted.tracking.reader import FoundRun, find_experiment, find_run, find_runs, read_history, states_of_runs
    from rothamsted.tracking.recorder import Recorder
    from rothamsted.tracking.run_files import (
        delete_files,
        folder_here,
        list_files,
        list_folders,
        read_bytes,
        read_json,
        read_text,
        write_bytes,
    )
    from rothamsted.tracking.sql.store import migrate

__all__ = [
    "Curve",
    "FoundRun",
    "ImportedRuns",
    "Recorder",
    "check_reachable",
    "current_run_id",
    "delete_files",
    "deliver_left",
    "environment_text",
    "experiment_called",
    "experiment_id",
    "find_experiment",
    "find_run",
    "find_runs",
    "folder_here",
    "git_commit",
    "list_files",
    "list_folders",
    "migrate",
    "open_recorder",
    "project_address",
    "read_bytes",
    "read_curves",
    "read_history",
    "read_json",
    "read_text",
    "run_link",
    "run_path",
    "save_view",
    "states_of_runs",
    "sweep_link",
    "sweep_path",
    "tracking_uri",
    "ui_address",
    "ui_command",
    "wait_until_reachable",
    "write_bytes",
]

_HOMES = {
    "Curve": "curve_reader",
    "FoundRun": "reader",
    "ImportedRuns": "imported",
    "Recorder": "recorder",
    "check_reachable": "reach",
    "current_run_id": "address",
    "delete_files": "run_files",
    "deliver_left": "opening",
    "environment_text": "environment",
    "experiment_called": "experiment",
    "experiment_id": "experiment",
    "find_experiment": "reader",
    "find_run": "reader",
    "find_runs": "reader",
    "folder_here": "run_files",
    "git_commit": "environment",
    "list_files": "run_files",
    "list_folders": "run_files",
    "migrate": "sql.store",
    "open_recorder": "opening",
    "project_address": "outer_run",
    "read_curves": "curve_reader",
    "read_history": "reader",
    "read_bytes": "run_files",
    "read_json": "run_files",
    "read_text": "run_files",
    "run_link": "address",
    "run_path": "address",
    "save_view": "experiment",
    "states_of_runs": "reader",
    "sweep_link": "address",
    "sweep_path": "address",
    "tracking_uri": "address",
    "ui_address": "address",
    "ui_command": "address",
    "wait_until_reachable": "opening",
    "write_bytes": "run_files",
}
__getattr__, __dir__ = at_first_use(__name__, _HOMES, globals())
